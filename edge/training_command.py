"""``train``: for the server of a run, or for this device alone."""

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecavg_tf.core.bundles.training_bundle import TrainingInfo
from ecavg_tf.core.checkpoint import Checkpoint
from ecavg_tf.core.deciding.guard import certify
from ecavg_tf.core.deciding.predictions import Predictions
from ecavg_tf.core.errors import ConfigError, WorkdirError, disk_errors
from ecavg_tf.core.files import file_sha256
from ecavg_tf.core.messages.signature import SigningKey
from ecavg_tf.core.messages.update_file import UpdateInfo, write_update
from ecavg_tf.core.template import Array, weights_sha256
from ecavg_tf.data.dataset import Examples
from ecavg_tf.events import EpochEnded, Event, Note, StageStarted
from edge.device.check_training import check_training_bundle
from edge.device.checkpoint import CHECKPOINT, locked
from edge.device.learner import DeviceTrainer
from edge.device.local_data import check_there, load_local
from edge.device.training_model import TrainingModel
from edge.device.training_settings import TrainingSettings
from edge.participating.agent import Agent
from edge.participating.kept_bundles import drop_bundles, keep_bundle
from edge.participating.store import is_of_a_run
from edge.predicting.state_model import ALONE, TAKEN

_GUARD = 0.2
_KEPT = "; predict keeps the bundle's own weights (--policy=replace takes the trained ones)"
_LEVEL = 0.05  # as update.level is, if a run does not say otherwise


@dataclass(frozen=True)
class Order:
    """What the command line asks for.

    Attributes:
        edge: the edge's name.
        data: an ``.npz`` or ``.csv`` file with labelled examples, or a folder with ``train.csv``.
        label_column: of a table: the name of the column with the labels.
        state: where the edge keeps its files.
        exchange: the exchange folder; None: train for this device alone.
        bundle: the training bundle; None: the server ships it.
        pool: whether training examples may be uploaded.
        sign: the private key that signs replies; None: they are not signed.
        threads: how many the runtime may use.
        timeout_s: seconds without a request.
        settings: how to train, without a server.
        seed: without a server.
        replace: without a server, whether to replace what was trained in another way.
        guarded: without a server, whether ``predict`` keeps to the bundle's own weights until the
            held-out examples certify the trained ones as better.
        as_json: print one JSON object at the end.
        program: what the user typed before the command's name.
    """

    edge: str
    data: Path
    label_column: str
    state: Path
    exchange: Path | None
    bundle: Path | None
    pool: bool
    sign: Path | None
    threads: int
    timeout_s: float
    settings: TrainingSettings
    seed: int
    replace: bool
    guarded: bool
    as_json: bool
    program: str

    @property
    def folder(self) -> Path:
        """Where this edge keeps its files."""
        return self.state / self.edge

    @property
    def predict(self) -> str:
        """The command that predicts with what is trained."""
        words = [f"--state={self.state}", f"--edge={self.edge}"]
        return f"{self.program} predict {shlex.join(words)} INPUT"


def train(order: Order) -> int:
    """Serves a run, or trains alone.

    Returns:
        0.
    """
    check_there(order.data)
    key = None if order.sign is None else SigningKey.load(order.sign)
    with locked(order.folder), disk_errors(order.state):
        if order.exchange is None:
            return _alone(order)
        Agent(
            edge=order.edge,
            exchange=order.exchange,
            state=order.state,
            data=order.data,
            label_column=order.label_column,
            key=key,
            bundle=order.bundle,
            pool=order.pool,
            threads=order.threads,
            timeout_s=order.timeout_s,
            listener=_tell,
        ).run()
    print(f"{order.edge}: the run is over; what was accepted is in {order.folder}.")
    print(f"predict with it: {order.predict}")
    return 0


def _alone(order: Order) -> int:
    """Trains from the bundle's weights, writes an update file and keeps what it needs."""
    source = order.bundle
    if source is None:
        raise ConfigError("give --exchange=DIR to serve a run, or --bundle=FILE to train alone")
    if is_of_a_run(order.folder):
        raise WorkdirError(
            f"{order.folder} holds an edge's models of a run; give another --state to train alone"
        )
    checked = check_training_bundle(source)
    info, sha256 = checked.bundle.info, file_sha256(source)
    local = load_local(
        order.data,
        info,
        edge=order.edge,
        guard_fraction=_GUARD,
        seed=order.seed,
        label_column=order.label_column,
    )
    if local.note:
        print(local.note, file=sys.stderr)
    model = TrainingModel(checked.runtime, checked.bundle, order.threads)
    trainer = DeviceTrainer(
        model,
        order.settings,
        seed=order.seed,
        checkpoint=order.folder / CHECKPOINT,
        listener=_silent if order.as_json else _tell,
    )
    start = model.get().weights
    key = trainer.training_key(start, local.edge.train, round_number=1, who=order.edge)
    if not order.replace:
        _check_nothing_lost(order.folder, key)
    scored = local.test if local.test is not None else local.edge.guard
    trained = trainer.fit_held(start, local.edge.train, round_number=1, who=order.edge)
    before, after = (trainer.predictions_of(weights, scored) for weights in (start, trained))
    guard = local.edge.guard
    held = trainer.predictions_of(start, guard), trainer.predictions_of(trained, guard)
    taken, decision = _decided(order, held, len(info.classes))
    bundle = keep_bundle(order.folder, source, sha256, info.frozen_sha256)
    update = _save(order, bundle, info, local.edge.train, trained, taken)
    held_out = "test" if local.test is not None else "guard"
    told = {
        "runtime": str(checked.runtime),
        "examples": len(local.edge.train),
        "scored_on": f"{len(scored)} {held_out} examples",
        "accuracy_before": _accuracy(before),
        "accuracy_after": _accuracy(after),
        "decision": decision,
        "update": str(update),
        "predict": order.predict,
    }
    _print(told, order.as_json)
    return 0


def _decided(order: Order, held: tuple[Predictions, Predictions], classes: int) -> tuple[bool, str]:
    """Whether ``predict`` uses the trained weights, and why: the rule of a run's edges.

    Args:
        order: the command.
        held: predictions on the guard set with the bundle's weights and with the trained ones.
        classes: how many there are.
    """
    before, after = held
    if not order.guarded:
        return True, "the trained model is used (--policy=replace)"
    if not len(before):
        return False, f"no example is held out to compare with{_KEPT}"
    certificate = certify(after, before, num_classes=classes, level=_LEVEL)
    if certificate.holds:
        return True, f"the trained model is used: better on {len(before)} guard examples"
    return False, (
        f"{len(before)} guard examples don't show that the trained model is better "
        f"({certificate.wins} more are right, {certificate.losses} more are wrong){_KEPT}"
    )


def _check_nothing_lost(folder: Path, key: str) -> None:
    trained = Checkpoint(folder / CHECKPOINT).key()
    if trained is None and (folder / ALONE).exists():
        trained = "unknown"
    if trained not in (None, key):
        raise WorkdirError(
            f"{folder} holds what was trained with another bundle, other data or other settings; "
            "give another --state to keep it, or --replace"
        )


def _save(
    order: Order,
    bundle: Path,
    info: TrainingInfo,
    examples: Examples,
    trained: Sequence[Array],
    taken: bool,
) -> Path:
    """Writes the update, which names the bundle that was kept before."""
    update = order.folder / ALONE
    specs = [info.template.weights[at] for at in info.held]
    named = {spec.key: value for spec, value in zip(specs, trained, strict=True)}
    also = {
        "training_file": {"name": bundle.name, "sha256": file_sha256(bundle)},
        "weights_sha256": weights_sha256(trained),
        TAKEN: taken,
    }
    write_update(
        update, _info(order, examples, info.template.sha256, len(info.classes)), named, also
    )
    drop_bundles(order.folder, info)
    return update


def _print(told: Mapping[str, object], as_json: bool) -> None:
    if as_json:
        print(json.dumps(told, indent=2))
        return
    for name, value in told.items():
        print(f"{name.replace('_', ' '):16s} {value}")


def _info(order: Order, examples: Examples, template_sha256: str, classes: int) -> UpdateInfo:
    return UpdateInfo(
        round=1,
        edge=order.edge,
        examples=len(examples),
        class_counts=examples.class_counts(classes),
        template_sha256=template_sha256,
        metrics={},
    )


def _accuracy(predictions: Predictions) -> float | None:
    return round(float(np.mean(predictions.correct)), 4) if len(predictions) else None


def _silent(event: Event) -> None:
    del event


def _tell(event: Event) -> None:
    if isinstance(event, EpochEnded):
        print(
            f"round {event.round}: epoch {event.epoch}/{event.epochs}  loss {event.loss:.4f}  "
            f"{event.seconds:.1f} s",
            flush=True,
        )
    elif isinstance(event, StageStarted):
        print(f"round {event.round}: {event.stage}", flush=True)
    elif isinstance(event, Note):
        print(event.text, flush=True)
