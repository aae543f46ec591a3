"""Exports a ``.keras`` file, which need not come from a run."""

from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np

from ecavg_tf.config import Config, DataConfig, ExportConfig, Format
from ecavg_tf.config.checks import tune_epochs
from ecavg_tf.core.errors import ConfigError, ExportError, ModelError, brief, disk_errors
from ecavg_tf.core.exports import Exported
from ecavg_tf.core.paths import user_path
from ecavg_tf.core.template import weights_sha256
from ecavg_tf.data.dataset import Dataset, DataSpec, Examples, stratified
from ecavg_tf.data.sources import load_data
from ecavg_tf.events import Listener, silent
from ecavg_tf.forked import check_not_forked
from export.exporter import Exporter, Subject
from export.making.calibration import draw
from export.making.converting_process import warm_up
from export.making.formats import parse_formats, variants
from export.proving.declared_output import random_inputs
from export.proving.judging import FEW
from export.proving.seen import gather
from export.quantizing.tuning import MOST_TUNED, Tuning

_RANDOM_INPUTS = 64


def export_file(
    file: str | Path,
    folder: str | Path,
    *,
    formats: str = "",
    data: str = "",
    value_range: tuple[float, float] = (0.0, 255.0),
    logits: bool = False,
    accept_unproved: bool = False,
    settings: ExportConfig | None = None,
    listener: Listener = silent,
    fresh: bool = False,
) -> tuple[Exported, ...]:
    """Exports a saved Keras model.

    Args:
        file: the ``.keras`` file.
        folder: where to.
        formats: separated by commas; empty: those of the settings.
        data: images and labels, like ``data.name`` of a config; empty: none.
        value_range: lowest and highest pixel, where there is no data.
        logits: whether the model gives logits.
        accept_unproved: delivers files that too few examples prove, too, whatever the
            settings say.
        settings: limits and numbers of examples; None: the defaults.
        listener: told of files that are removed.
        fresh: makes files again that are there already, because signing must not trust them.

    Raises:
        ECAvgError: with one line that says how to mend it.
    """
    file, folder = user_path(file), user_path(folder)
    settings = settings or ExportConfig()
    if accept_unproved:
        settings = replace(settings, accept_unproved=True)
    wanted = parse_formats(formats or settings.formats)
    warm_up()
    model = load_keras(file)
    with disk_errors(folder):
        job = _Job(model, file, folder / file.stem, logits, settings, listener, fresh)
        if data:
            return _with_data(job, wanted, data)
        return _without_data(job, wanted, value_range)


@dataclass(frozen=True)
class _Job:
    """One Keras file, exported as an exporter's only subject."""

    model: keras.Model
    file: Path
    folder: Path
    logits: bool
    settings: ExportConfig
    listener: Listener
    fresh: bool

    def export(
        self, subject: Subject, spec: DataSpec, formats: tuple[Format, ...]
    ) -> tuple[Exported, ...]:
        exporter = Exporter(
            self.model,
            spec,
            self.logits,
            self.settings,
            self.settings.latency_s,
            self.fresh,
            self.listener,
        )
        return exporter.export(subject, variants(formats), self.folder)


def load_keras(file: Path) -> keras.Model:
    """A saved classifier with one input and one output.

    Raises:
        ECAvgError: it is missing, or not such a classifier.
    """
    check_not_forked()
    if not file.is_file():
        raise ModelError(f"{file} is not there; give a run directory or a .keras file")
    try:
        model = keras.models.load_model(file, compile=False)
    except Exception as error:  # Keras raises many kinds
        raise ModelError(f"{file} can't be loaded as a Keras model: {brief(error)}") from error
    if not getattr(model, "built", False) or not hasattr(model, "output_shape"):
        raise ExportError(
            f"{file}: the model is not built, its shapes are not known; call it once on images, or "
            "begin it with keras.Input, and save it again"
        )
    given, answered = model.input_shape, model.output_shape
    if not _is_shape(given) or not _is_shape(answered) or len(answered) != 2 or answered[1] < 2:
        raise ExportError(
            f"{file}: input {given}, output {answered}; expected one input of a fixed size and one "
            "output (n, classes), 2 classes or more whose probabilities sum to 1"
        )
    return model


def matching_data(model: keras.Model, file: Path, data: str) -> Dataset:
    """Labelled images for a saved model.

    Args:
        model: the model.
        file: where it was saved.
        data: what images, as ``data.name`` of a config.

    Raises:
        ECAvgError: they are not there, or not what the model takes.
    """
    dataset = load_data(DataConfig(name=data), seed=Config().seed)
    spec = dataset.spec
    if model.input_shape[1:] != spec.input_shape or model.output_shape[1] != spec.num_classes:
        raise ConfigError(
            f"{file} takes {model.input_shape[1:]} and gives {model.output_shape[1]} classes; "
            f"--data={data} has {spec.input_shape} and {spec.num_classes}"
        )
    return dataset


def _is_shape(shape: object) -> bool:
    """Whether it is that of one tensor, fixed but for the batch."""
    return isinstance(shape, tuple) and all(isinstance(size, int) for size in shape[1:])


def _with_data(job: _Job, wanted: tuple[Format, ...], data: str) -> tuple[Exported, ...]:
    model, file, settings = job.model, job.file, job.settings
    dataset = matching_data(model, file, data)
    test = dataset.test
    if 0 < settings.parity_examples < len(test):
        test = test.take(stratified(test.labels, settings.parity_examples, 0, "parity"))
    calibration = draw(
        dataset.train, settings.calibration_examples, 0, f"training examples of {data}", file.stem
    )
    subject = replace(
        _subject(model, file, test, f"{len(test)} test examples of {data}"),
        calibration=calibration,
        labels=test.labels,
        seen=gather([(f"training examples of {data}", dataset.train.inputs)], calibration.inputs, 0)
        if len(test) < FEW
        else None,
    )
    if epochs := tune_epochs(settings.tune):
        more = draw(dataset.train, MOST_TUNED, 0, f"training examples of {data}", file.stem)
        subject = replace(subject, tuning=Tuning(more.inputs, more.source, epochs, 0))
    return job.export(subject, dataset.spec, wanted)


def _without_data(
    job: _Job, wanted: tuple[Format, ...], value_range: tuple[float, float]
) -> tuple[Exported, ...]:
    """Random images tell whether a float file computes what Keras does, and no more."""
    model, file = job.model, job.file
    floats = tuple(f for f in wanted if f in (Format.FLOAT32, Format.FLOAT16))
    if not floats:
        raise ConfigError(
            f"{', '.join(wanted)} can only be made and judged on real images: give --data=NAME"
        )
    classes = tuple(str(label) for label in range(model.output_shape[1]))
    spec = DataSpec(file.stem, model.input_shape[1:], "float32", value_range, classes)
    noise = random_inputs(spec.input_shape, _RANDOM_INPUTS, value_range)
    examples = Examples(noise, np.zeros(_RANDOM_INPUTS, np.int64))
    words = f"{_RANDOM_INPUTS} random images from {value_range[0]:g} to {value_range[1]:g}"
    subject = _subject(model, file, examples, words)
    rows = job.export(subject, spec, floats)
    skipped = tuple(
        Exported(
            file.stem,
            None,
            subject.weights_sha256,
            variant.value,
            "skipped",
            ("it can only be judged on real images: give --data=NAME",),
        )
        for variant in variants(tuple(f for f in wanted if f not in floats))
    )
    return (*rows, *skipped)


def _subject(model: keras.Model, file: Path, examples: Examples, words: str) -> Subject:
    sha256 = weights_sha256(model.get_weights())
    return Subject(
        name=file.stem,
        weights_sha256=sha256,
        origin={"run": None, "round": None, "edge": None, "weights_sha256": sha256},
        calibration=None,
        inputs=examples.inputs,
        labels=None,
        words=words,
    )
