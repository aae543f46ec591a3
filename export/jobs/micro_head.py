"""``ecavg export --target=micro --trainable=head``: of a run or a ``.keras`` file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from ecavg_tf.config import Config
from ecavg_tf.core.errors import ConfigError, ExportError, WorkdirError, disk_errors
from ecavg_tf.core.paths import user_path
from ecavg_tf.core.table import LABEL
from ecavg_tf.core.template import Array, weights_sha256
from ecavg_tf.data.dataset import DataSpec, Examples, stratified
from ecavg_tf.data.federated import federated_data
from ecavg_tf.data.server_data import kept_spec
from ecavg_tf.events import Listener, silent
from ecavg_tf.resuming import stored_config
from ecavg_tf.task import Task
from export.jobs.keras_file import load_keras, matching_data
from export.jobs.run import FOLDER
from export.jobs.subjects import global_of, load_found, subject_of
from export.making.calibration import draw
from export.making.micro_head import MadeHead, make_micro_head
from export.micro.process import require_interpreter
from export.micro.proven_head import ProvenHead, prove_head
from export.micro.training_sources import write_training_sources

MICRO_HEAD = "micro-head"
_EXAMPLES = 200  # that both files are run on


@dataclass(frozen=True)
class _Source:
    """A model, with the examples that its files are made and proved with."""

    model: keras.Model
    spec: DataSpec
    calibration: Array
    examples: Examples
    origin: Mapping[str, Any]


@dataclass(frozen=True)
class MicroHeadFiles:
    """What was written.

    Attributes:
        folder: where.
        made: the files.
        proven: what they did in tflite-micro.
    """

    folder: Path
    made: MadeHead
    proven: ProvenHead


def export_micro_head(
    source: str | Path,
    *,
    batch: int,
    data: str = "",
    label_column: str = LABEL,
    out: str = "",
    listener: Listener = silent,
) -> MicroHeadFiles:
    """Makes an int8 backbone, a file that trains the head, and sources for both.

    Args:
        source: a run directory (its last global model) or a ``.keras`` file.
        batch: examples of a training step.
        data: for a ``.keras`` file: its labelled examples, as ``data.name`` of a config.
        label_column: of a table as data: the name of the column with the labels.
        out: where to; empty: ``exports`` in the run directory, or beside the file. The sources go
            into ``micro-head`` there.
        listener: told of a ``main.cc`` that is kept.

    Raises:
        ECAvgError: with one line that says how to mend it.
    """
    require_interpreter()
    source = user_path(source)
    of_file = source.suffix == ".keras"
    found = _of_file(source, data, label_column) if of_file else _of_run(source)
    made = make_micro_head(found.model, found.spec, found.calibration, found.origin, batch)
    proven = prove_head(made, found.examples)
    usual = source.with_name(source.stem + "-export") if of_file else source / FOLDER
    folder = (user_path(out) if out else usual) / MICRO_HEAD
    with disk_errors(folder):
        write_training_sources(folder, made, proven, listener, columns=found.spec.columns or ())
    return MicroHeadFiles(folder, made, proven)


def _of_file(file: Path, data: str, label_column: str) -> _Source:
    if not data:
        raise ConfigError(
            "--target=micro --trainable=head measures int8's ranges and compares with Keras on "
            "labelled examples: give --data=NAME"
        )
    model = load_keras(file)
    dataset = matching_data(model, file, data, label_column)
    count = Config().export.calibration_examples
    calibration = draw(dataset.train, count, 0, f"training examples of {data}", file.stem)
    origin = {"run": None, "round": None, "edge": None}
    sha256 = weights_sha256(model.get_weights())
    return _Source(
        model,
        dataset.spec,
        calibration.inputs,
        _few(dataset.test),
        {**origin, "weights_sha256": sha256},
    )


def _of_run(run: Path) -> _Source:
    config = stored_config(run)
    found = global_of(run)
    if found is None:
        raise WorkdirError(f"{run} has no finished round: nothing to export; resume the run")
    shared = federated_data(config, kept_spec(run))
    task = Task(config, shared.spec, run, silent)
    model = task.server_trainer.model
    load_found(model, found)
    subject = subject_of(task, shared, run, found, at_home=False)
    if subject.calibration is None:
        raise ExportError(subject.no_calibration)
    assert subject.labels is not None
    examples = _few(Examples(subject.inputs, subject.labels))
    return _Source(model, shared.spec, subject.calibration.inputs, examples, subject.origin)


def _few(examples: Examples) -> Examples:
    if len(examples) <= _EXAMPLES:
        return examples
    return examples.take(stratified(examples.labels, _EXAMPLES, 0, MICRO_HEAD))
