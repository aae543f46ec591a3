"""An edge with Keras and data of its own: the task comes with the first request.

TensorFlow is imported as that request names the model, because its kernels are chosen by it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ecavg_tf.config import Config
from ecavg_tf.core.commands import EDGE_TIMEOUT_S
from ecavg_tf.core.errors import ConfigError, DataError, disk_errors
from ecavg_tf.core.messages.description import Description
from ecavg_tf.core.messages.inputs import Inputs
from ecavg_tf.core.messages.mailbox import Mailbox
from ecavg_tf.core.messages.owner import Owner
from ecavg_tf.core.messages.reply import Reply
from ecavg_tf.core.messages.request import HELLO, Request
from ecavg_tf.core.messages.signature import SigningKey
from ecavg_tf.core.table import LABEL
from ecavg_tf.core.template import Array
from ecavg_tf.data import image_folder
from ecavg_tf.data.edge_arrays import ArraySource
from ecavg_tf.data.own_data import FLAG, arrays_from_function
from ecavg_tf.data.server_data import no_examples, spec_of
from ecavg_tf.data.tables import parts_of
from ecavg_tf.events import Listener, Note, silent
from ecavg_tf.kernels import choose_kernels, kernels_event
from ecavg_tf.plugins import is_plugin, load_function
from ecavg_tf.quiet import import_tensorflow
from ecavg_tf.rounds.joined_task import JoinedTask
from ecavg_tf.rounds.registries import check_names
from edge.device.checkpoint import locked
from edge.device.described import described, greet, source_of
from edge.device.local_data import LocalData, check_there, load_local, local_of
from edge.participating.agent import check_exchange, config_of, doubt_of
from edge.participating.serving import Served, check_took_part, serve
from edge.participating.store import EdgeStore
from edge.participating.worker import EdgeWorker

if TYPE_CHECKING:
    from ecavg_tf.task import Task


@dataclass
class Joiner:
    """One edge of a run over a folder.

    Attributes:
        edge: its name.
        exchange: the exchange folder.
        state: a folder for what it must keep.
        data: an ``.npz`` or ``.csv`` file, a folder with ``train.csv``, one with one folder of
            pictures a class, or the name of a function ``module:function`` (see ``own_data``).
        pool: whether the owner consents to upload training examples when the server asks.
        timeout_s: seconds without a request before it gives up.
        label_column: of a table: the name of the column with the labels.
        key: signs its replies; None: they are not signed.
        listener: told of stages, epochs and answers.
    """

    edge: str
    exchange: Path
    state: Path
    data: Path | str
    pool: bool = False
    timeout_s: float = EDGE_TIMEOUT_S
    label_column: str = LABEL
    key: SigningKey | None = None
    listener: Listener = silent
    _worker: EdgeWorker | None = field(default=None, init=False)
    _check: Callable[[], object] | None = field(default=None, init=False)
    _returned: dict[str, Array] | None = field(default=None, init=False)

    @property
    def folder(self) -> Path:
        """What the edge keeps."""
        return self.state / self.edge

    def run(self) -> None:
        """Answers requests until the run's last.

        Raises:
            ECAvgError: a request can't be answered, or none came in time.
        """
        with disk_errors(self.state):
            check_exchange(self.exchange, self.edge)
            self._check_data()
        with locked(self.folder), disk_errors(self.state):
            mailbox = Mailbox(self.exchange / self.edge, key=self.key)
            check_took_part(mailbox, self.folder, "--state")
            doubt = doubt_of(self.exchange, mailbox)
            self.listener(Note(f"{self.edge} waits for requests in {mailbox.inbox}{doubt}"))
            serve(
                [Served(mailbox, self.answer, Owner.of(self.folder))],
                timeout_s=self.timeout_s,
                hint="(--timeout); is 'ecavg run' up with this folder as fleet.folder?",
                listener=self.listener,
            )
            if self._check is not None:
                self._check()

    def answer(self, request: Request) -> Reply:
        """Answers a request; the first one that asks for training tells what to build."""
        choose_kernels(str(request.config.get("model.name", "")))  # before anything is read
        if request.kind == HELLO:
            size = request.config.get("data.image_size", 0)
            channels = request.config.get("data.channels", 0)
            return greet(self.edge, request, lambda: self._described(size, channels))
        if self._worker is not None:
            return self._worker.answer(request)
        self._worker, kept = self._made(request)
        reply = self._worker.answer(request)
        kept.save(self.folder)  # which is this run's, now that it was answered
        return reply

    def _made(self, request: Request) -> tuple[EdgeWorker, JoinedTask]:
        if request.inputs is None:
            raise ConfigError(
                "the server does not say what its model takes: it is of an older version; update "
                "it, or serve with its config: ecavg edge --config=FILE"
            )
        task, local = self.prepared(request.config, request.inputs)
        from ecavg_tf.models.builders import initial_weights
        from ecavg_tf.rounds.one_accuracy import check_one_accuracy

        self.listener(kernels_event())
        config, spec = task.config, task.spec
        if local.test is not None:
            test = local.test
            self._check = lambda: check_one_accuracy(task, [self.folder], test)
        worker = EdgeWorker(
            config,
            replace(local.edge, test=local.test),
            num_classes=spec.num_classes,
            trainer=task.edge_trainer,
            scorer=task.scorer(task.edge_trainer, no_examples(spec)),  # nobody else's test set
            own_start=lambda: initial_weights(config, spec, self.edge),
            open_store=lambda run_id: EdgeStore(self.folder, self.edge, run_id),
            listener=self.listener,
        )
        return worker, JoinedTask(request.config, request.inputs, self.data, self.label_column)

    def prepared(self, fields: Mapping[str, Any], inputs: Inputs) -> "tuple[Task, LocalData]":
        """Makes the task that a server describes, and reads the edge's data for it.

        Args:
            fields: the server's config, fields by dotted names.
            inputs: what the model takes and tells apart.

        Raises:
            ECAvgError: the config can't be used here, or the data does not fit.
        """
        config = config_of(fields)
        config.server.pool = config.server.pool and self.pool
        check_names(config)
        _check_code(config)
        import_tensorflow(config.model.name)
        from ecavg_tf.task import Task

        task = Task(config, spec_of(inputs), self.folder, self.listener)
        local = self._local(config, inputs)
        if local.note:
            self.listener(Note(local.note))
        return task, local

    def _local(self, config: Config, inputs: Inputs) -> LocalData:
        fraction, seed = config.partition.guard_fraction, config.seed
        if isinstance(self.data, str):
            return local_of(
                f"{FLAG}={self.data!r}",
                dict(self._function(self.data)),
                inputs,
                edge=self.edge,
                guard_fraction=fraction,
                seed=seed,
            )
        if parts_of(self.data) or not self.data.is_dir():
            return load_local(
                self.data,
                inputs,
                edge=self.edge,
                guard_fraction=fraction,
                seed=seed,
                label_column=self.label_column,
            )
        if len(inputs.input_shape) != 3:  # height, width, channels
            raise DataError(
                f"{self.data} is a folder, which can hold pictures, and this run's inputs have the "
                f"shape {inputs.input_shape}; give an .npz or .csv file"
            )
        arrays, notes = _pictures(self.data, inputs.input_shape[0], inputs.input_shape[-1])
        for note in notes:
            self.listener(Note(note))
        return local_of(
            self.data, arrays, inputs, edge=self.edge, guard_fraction=fraction, seed=seed
        )

    def _check_data(self) -> None:
        """A mistyped name shows before a wait of days; the data is read when it is needed."""
        if isinstance(self.data, str):
            load_function(FLAG, self.data)
        else:
            check_there(self.data)

    def _function(self, name: str) -> dict[str, Array]:
        """What the function returns; it is called once."""
        if self._returned is None:
            self._returned = arrays_from_function(name, self.edge)
        return self._returned

    def _described(self, image_size: int, channels: int) -> Description:
        if isinstance(self.data, str):
            return described(self.edge, ArraySource(self._function(self.data)))
        if parts_of(self.data) or not self.data.is_dir():
            return described(self.edge, source_of(self.data, self.label_column))
        arrays, _ = _pictures(self.data, image_size, channels)
        return described(self.edge, ArraySource(arrays))


def _pictures(
    folder: Path, image_size: int, channels: int
) -> tuple[dict[str, Array], tuple[str, ...]]:
    """A folder's arrays by name, and what was left out of it."""
    read = image_folder.load(folder, image_size, channels)
    arrays = {
        "x_train": read.train.inputs,
        "y_train": read.train.labels,
        "x_test": read.test.inputs,
        "y_test": read.test.labels,
        "classes": np.array(read.spec.classes),
    }
    return arrays, read.notes


def _check_code(config: Config) -> None:
    """The owner's functions never travel: their module must be on this edge.

    Raises:
        ConfigError: it is not; the line says which.
    """
    for name, value in (
        ("model.name", config.model.name),
        ("update.policy", config.update.policy),
        ("edge.callbacks", config.edge.callbacks),
    ):
        for function in filter(is_plugin, map(str.strip, value.split(","))):
            try:
                load_function(name, function)
            except ConfigError as error:
                module = function.partition(":")[0]
                raise ConfigError(
                    f"this run needs code that does not come with it ({error}); install the "
                    f"module {module!r} of the run's owner on this edge"
                ) from error
