"""An edge without TensorFlow: answers the requests of a server that come in a folder."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ecavg_tf.config import Config, with_fields
from ecavg_tf.core.commands import EDGE_TIMEOUT_S
from ecavg_tf.core.errors import ConfigError, ModelError
from ecavg_tf.core.files import file_sha256, read_json, remove_leftovers
from ecavg_tf.core.messages.mailbox import Mailbox
from ecavg_tf.core.messages.owner import Owner
from ecavg_tf.core.messages.probe import check_probe, probe_inputs
from ecavg_tf.core.messages.reply import Reply
from ecavg_tf.core.messages.request import HELLO, Request
from ecavg_tf.core.messages.signature import SigningKey
from ecavg_tf.core.paths import user_path
from ecavg_tf.core.table import LABEL
from ecavg_tf.core.template import Array
from ecavg_tf.events import Listener, Note, silent
from edge.deciding.policies import POLICIES
from edge.device.check_training import CheckedTraining, check_training_bundle
from edge.device.checkpoint import CHECKPOINT
from edge.device.described import described, greet, source_of
from edge.device.learner import DeviceTrainer
from edge.device.local_data import load_local
from edge.device.scorer import DeviceScorer
from edge.device.training_model import TrainingModel
from edge.device.training_settings import TrainingSettings
from edge.participating.accepted import accepted_files
from edge.participating.kept_bundles import drop_bundles, find_bundle, keep_bundle
from edge.participating.serving import Served, check_took_part, serve
from edge.participating.store import EdgeStore
from edge.participating.worker import EdgeWorker

_RUN = "run.json"  # what a server writes first into its exchange folder
_OLDER_MODELS = 2  # of the local and the previously accepted model; each may be large


@dataclass
class Agent:
    """One edge of a run over a folder.

    Attributes:
        edge: its name.
        exchange: the exchange folder.
        state: a folder for what it must keep; it survives a loss of power.
        data: its labelled examples: an ``.npz`` or ``.csv`` file, or a folder with ``train.csv``.
        bundle: a training bundle, for a server that ships none; None: it must ship one.
        pool: whether the owner consents to upload training examples when the server asks.
        threads: how many the runtime may use; 0: one a core.
        timeout_s: seconds without a request before it gives up.
        label_column: of a table: the name of the column with the labels.
        key: signs its replies; None: they are not signed.
        listener: told of epochs and answers.
    """

    edge: str
    exchange: Path
    state: Path
    data: Path
    bundle: Path | None = None
    pool: bool = False
    threads: int = 1
    timeout_s: float = EDGE_TIMEOUT_S
    label_column: str = LABEL
    key: SigningKey | None = None
    listener: Listener = silent
    _workers: dict[str, EdgeWorker] = field(default_factory=dict)
    _trainer: DeviceTrainer | None = None
    _to_keep: tuple[Path, str] | None = None
    _models: dict[str, TrainingModel] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.exchange, self.state = user_path(self.exchange), user_path(self.state)
        self.data = user_path(self.data)
        self.bundle = self.bundle and user_path(self.bundle)

    @property
    def folder(self) -> Path:
        """What the edge keeps."""
        return self.state / self.edge

    def run(self) -> None:
        """Answers requests until the run's last.

        Raises:
            ECAvgError: a request can't be answered, or none came in time.
        """
        check_exchange(self.exchange, self.edge)
        mailbox = Mailbox(self.exchange / self.edge, key=self.key)
        check_took_part(mailbox, self.folder, "--state")
        remove_leftovers(mailbox.outbox)
        owner = Owner.of(self.folder)
        doubt = doubt_of(self.exchange, mailbox)
        self.listener(Note(f"{self.edge} waits for requests in {mailbox.inbox}{doubt}"))
        serve(
            [Served(mailbox, lambda request: self.answer(mailbox, request), owner)],
            timeout_s=self.timeout_s,
            hint=f"(--timeout); is the server up with fleet.kind=folder, and is {self.exchange} "
            "its exchange folder?",
            listener=self.listener,
        )

    def answer(self, mailbox: Mailbox, request: Request) -> Reply | None:
        """Answers a request once the training file that it names has come too; None: not yet."""
        if request.kind == HELLO:
            source = source_of(self.data, self.label_column)
            return greet(self.edge, request, lambda: described(self.edge, source))
        if request.training_file is not None and not mailbox.has_file(request.training_file):
            return None
        worker = self._worker(mailbox, request)
        self._check_model(request)
        self._keep(request.run_id)
        reply = worker.answer(request)
        if self._trainer is not None and accepted_files(self.folder):
            drop_bundles(self.folder, self._trainer.info)
        return reply

    def _worker(self, mailbox: Mailbox, request: Request) -> EdgeWorker:
        """The worker for a request's training file; kept as long as it is the same."""
        if request.training_file is not None:
            path = mailbox.inbox / request.training_file.name
            key = request.training_file.sha256
        elif self.bundle is not None:
            path, key = self.bundle, ""
        else:
            raise ConfigError(
                f"{self.edge} has no TensorFlow and the server ships no training file; set "
                "fleet.training_file=head or dense in the run, or give --bundle"
            )
        if key not in self._workers:
            self._workers.clear()
            checked = check_training_bundle(path)
            self.listener(Note(f"{path.name} trains right in {checked.runtime}"))
            self._to_keep = (path, key or file_sha256(path))
            self._workers[key] = self._made(mailbox, checked, request)
        return self._workers[key]

    def _keep(self, run_id: str) -> None:
        """Puts the worker's bundle, now that it fits, beside the models that need it."""
        if self._to_keep is not None and self._trainer is not None:
            folder = EdgeStore(self.folder, self.edge, run_id).folder  # not another run's
            keep_bundle(folder, *self._to_keep, self._trainer.info.frozen_sha256)
            self._to_keep = None

    def _check_model(self, request: Request) -> None:
        """Shapes don't tell a bundle of this model from one of another; its answers do."""
        trainer, weights = self._trainer, request.model.weights
        if trainer is None or request.probe is None or weights is None:
            return
        if trainer.runs(weights):  # if not, training and deciding say so
            info = trainer.info
            inputs = probe_inputs(info.input_shape, info.bounds, info.inputs_dtype)
            check_probe(request.probe, trainer.probabilities(weights, inputs))

    def _made(self, mailbox: Mailbox, checked: CheckedTraining, request: Request) -> EdgeWorker:
        config, info = config_of(request.config), checked.bundle.info
        if config.update.policy not in POLICIES:
            raise ConfigError(
                f"update.policy={config.update.policy!r} is code that this device does not have; "
                f"valid here: {', '.join(POLICIES)}"
            )
        config.server.pool = config.server.pool and self.pool
        local = load_local(
            self.data,
            info,
            edge=self.edge,
            guard_fraction=config.partition.guard_fraction,
            seed=config.seed,
            label_column=self.label_column,
        )
        if local.note:
            self.listener(Note(local.note))
        folder = self.folder
        self._trainer = trainer = DeviceTrainer(
            TrainingModel(checked.runtime, checked.bundle, self.threads),
            TrainingSettings.of(config.edge, info.optimizer),
            seed=config.seed,
            checkpoint=folder / CHECKPOINT,
            listener=self.listener,
            older=lambda frozen: self._older(mailbox, frozen),
        )
        return EdgeWorker(
            config,
            replace(local.edge, test=local.test),
            num_classes=len(info.classes),
            trainer=trainer,
            scorer=DeviceScorer(trainer),
            own_start=self._no_start,
            open_store=lambda run_id: EdgeStore(folder, self.edge, run_id),
            listener=self.listener,
        )

    def _older(self, mailbox: Mailbox, frozen_sha256: str) -> TrainingModel | None:
        """The model of a file that came with an earlier request, if it is still there."""
        if frozen_sha256 not in self._models:
            folders = (self.folder, mailbox.inbox)
            checked = find_bundle(folders, frozen_sha256, self.listener)
            if checked is None:
                return None
            while len(self._models) >= _OLDER_MODELS:
                del self._models[next(iter(self._models))]
            self._models[frozen_sha256] = TrainingModel(
                checked.runtime, checked.bundle, self.threads
            )
        return self._models[frozen_sha256]

    def _no_start(self) -> list[Array]:
        raise ModelError(
            f"{self.edge} has no TensorFlow to draw its own start; set model.init=shared in the run"
        )


def check_exchange(exchange: Path, edge: str) -> None:
    """A mistyped folder or name would wait for requests until its time is up.

    Raises:
        ConfigError: the folder is not there, or belongs to a run without this edge that takes no
            more edges.
    """
    if not exchange.parent.is_dir():  # the folder itself may be made before the server is up
        raise ConfigError(f"--exchange={exchange}: {exchange.parent} is not there; mend its name")
    run = read_json(exchange / _RUN) if (exchange / _RUN).exists() else {"open": True}
    if not run.get("open") and not (exchange / edge).is_dir():
        known = sorted(path.name for path in exchange.iterdir() if (path / "inbox").is_dir())
        raise ConfigError(f"no edge {edge!r} in the run of {exchange}; valid: {', '.join(known)}")


def doubt_of(exchange: Path, mailbox: Mailbox) -> str:
    """Where nothing of a server is, it may not be up yet, or the folder's name may be wrong."""
    if (exchange / _RUN).exists() or any(mailbox.inbox.iterdir()):
        return ""
    return f" (no {_RUN} in {exchange} yet: is it the server's exchange folder?)"


def config_of(flat: Mapping[str, Any]) -> Config:
    """A config from its fields by dotted names, as requests carry it.

    Raises:
        ConfigError: a field is unknown or wrong: the server is of another version.
    """
    try:
        return with_fields(Config(), flat)
    except ConfigError as error:
        raise ConfigError(
            f"the server's config can't be read here ({error}); update this device"
        ) from error
