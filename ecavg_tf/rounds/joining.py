"""An edge with Keras and data of its own: the task comes with the first request."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ecavg_tf.config import Config
from ecavg_tf.core.commands import EDGE_TIMEOUT_S
from ecavg_tf.core.deciding.predictions import Predictions
from ecavg_tf.core.errors import ConfigError, disk_errors
from ecavg_tf.core.messages.inputs import Inputs
from ecavg_tf.core.messages.mailbox import Mailbox
from ecavg_tf.core.messages.owner import Owner
from ecavg_tf.core.messages.reply import Reply
from ecavg_tf.core.messages.request import Request
from ecavg_tf.core.scores import Scores
from ecavg_tf.core.template import Array
from ecavg_tf.data import image_folder
from ecavg_tf.data.dataset import DataSpec, Examples
from ecavg_tf.events import Listener, Note, silent
from ecavg_tf.models.builders import initial_weights
from ecavg_tf.plugins import is_plugin, load_function
from ecavg_tf.rounds.one_accuracy import check_one_accuracy
from ecavg_tf.rounds.registries import check_names
from ecavg_tf.task import Task
from ecavg_tf.training.evaluation import KerasScorer
from edge.device.checkpoint import locked
from edge.device.local_data import LocalData, load_local, local_of
from edge.participating.agent import check_exchange, config_of
from edge.participating.serving import Served, check_took_part, serve
from edge.participating.store import EdgeStore
from edge.participating.worker import EdgeWorker


@dataclass
class Joiner:
    """One edge of a run over a folder.

    Attributes:
        edge: its name.
        exchange: the exchange folder.
        state: a folder for what it must keep.
        data: an ``.npz`` file, or a folder with one folder of pictures a class.
        pool: whether the owner consents to upload training examples when the server asks.
        timeout_s: seconds without a request before it gives up.
        listener: told of stages, epochs and answers.
    """

    edge: str
    exchange: Path
    state: Path
    data: Path
    pool: bool = False
    timeout_s: float = EDGE_TIMEOUT_S
    listener: Listener = silent
    _worker: EdgeWorker | None = field(default=None, init=False)
    _check: Callable[[], object] | None = field(default=None, init=False)

    @property
    def folder(self) -> Path:
        """What the edge keeps."""
        return self.state / self.edge

    def run(self) -> None:
        """Answers requests until the run's last.

        Raises:
            ECAvgError: a request can't be answered, or none came in time.
        """
        with locked(self.folder), disk_errors(self.state):
            check_exchange(self.exchange, self.edge)
            mailbox = Mailbox(self.exchange / self.edge)
            check_took_part(mailbox, self.folder, "--state")
            self.listener(Note(f"{self.edge} waits for requests in {mailbox.inbox}"))
            serve(
                [Served(mailbox, self.answer, Owner.of(self.folder))],
                timeout_s=self.timeout_s,
                hint="(--timeout); is 'ecavg run' up with this folder as fleet.folder?",
                listener=self.listener,
            )
            if self._check is not None:
                self._check()

    def answer(self, request: Request) -> Reply:
        """Answers a request; the first one tells what to build."""
        if self._worker is None:
            self._worker = self._made(request)
        return self._worker.answer(request)

    def _made(self, request: Request) -> EdgeWorker:
        if request.inputs is None:
            raise ConfigError(
                "the server does not say what its model takes: it is of an older version; update "
                "it, or serve with its config: ecavg edge --config=FILE"
            )
        config = config_of(request.config)
        config.server.pool = config.server.pool and self.pool
        check_names(config)
        _check_code(config)
        inputs = request.inputs
        height, width, channels = inputs.input_shape
        spec = DataSpec(
            inputs.name,
            (height, width, channels),
            inputs.inputs_dtype,
            inputs.value_range,
            inputs.classes,
        )
        task = Task(config, spec, self.folder, self.listener)
        local = self._local(config, inputs)
        if local.note:
            self.listener(Note(local.note))
        if local.test is not None:
            model, test = task.edge_trainer.model, local.test
            self._check = lambda: check_one_accuracy(model, [self.folder], test)
        return EdgeWorker(
            config,
            local.edge,
            num_classes=spec.num_classes,
            trainer=task.edge_trainer,
            scorer=_OwnScorer(task, local.test),
            own_start=lambda: initial_weights(config, spec, self.edge),
            open_store=lambda run_id: EdgeStore(self.folder, self.edge, run_id),
            listener=self.listener,
        )

    def _local(self, config: Config, inputs: Inputs) -> LocalData:
        fraction, seed = config.partition.guard_fraction, config.seed
        if not self.data.is_dir():
            return load_local(self.data, inputs, edge=self.edge, guard_fraction=fraction, seed=seed)
        read = image_folder.load(self.data, inputs.input_shape[0], inputs.input_shape[-1])
        for note in read.notes:
            self.listener(Note(note))
        arrays = {
            "x_train": read.train.inputs,
            "y_train": read.train.labels,
            "x_test": read.test.inputs,
            "y_test": read.test.labels,
            "classes": np.array(read.spec.classes),
        }
        return local_of(
            self.data, arrays, inputs, edge=self.edge, guard_fraction=fraction, seed=seed
        )


class _OwnScorer:
    """Scores on the edge's own test examples, if it has any."""

    def __init__(self, task: Task, test: Examples | None) -> None:
        shape = (0, *task.spec.input_shape)
        nothing = Examples(np.zeros(shape, task.spec.dtype), np.zeros(0, np.int64))
        self._has_test = test is not None and len(test) > 0
        self._scorer: KerasScorer = task.scorer(
            task.edge_trainer, nothing if test is None else test
        )

    def predictions_on(self, examples: Examples, weights: Sequence[Array]) -> Predictions:
        """What the model says of examples under ``weights``."""
        return self._scorer.predictions_on(examples, weights)

    def scores(
        self, weights: Sequence[Array], class_counts: Sequence[int], own: Examples | None = None
    ) -> Scores:
        """Scores on the test examples, and on them weighed by the edge's label mix."""
        if not self._has_test:
            return Scores(None, None)
        return self._scorer.scores(weights, class_counts, own)


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
