"""Exports a ``.keras`` file, which need not come from a run."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ecavg_tf.config import Config, DataConfig, ExportConfig, Format
from ecavg_tf.config.tune import tune_epochs
from ecavg_tf.core.errors import ConfigError, ExportError, ModelError, disk_errors
from ecavg_tf.core.exports import Exported
from ecavg_tf.core.files import file_sha256
from ecavg_tf.core.paths import user_path
from ecavg_tf.core.raw_inputs import as_batch
from ecavg_tf.core.table import LABEL
from ecavg_tf.core.template import weights_sha256
from ecavg_tf.data.dataset import Dataset, DataSpec, Examples, stratified
from ecavg_tf.data.sources import load_data
from ecavg_tf.events import Listener, Note, silent
from ecavg_tf.forked import check_not_forked
from ecavg_tf.models.keras_words import explained, why_not_loaded
from ecavg_tf.models.output_kind import with_bare_output
from ecavg_tf.models.rescaling import takes_tokens
from export.exporter import Exporter
from export.making.calibration import draw
from export.making.converting_process import first_load, warm_up
from export.making.formats import as_asked, parse_formats, variants
from export.proving.declared_output import random_inputs
from export.proving.given_range import accuracy_note, range_notes
from export.proving.seen import gather
from export.quantizing.tuning import MOST_TUNED, Tuning
from export.reading.model_files import check_model_file
from export.subject import Subject

_RANDOM_INPUTS = 64
_SHOWN = 3  # layers that a message names


def export_file(
    file: str | Path,
    folder: str | Path,
    *,
    formats: str = "",
    data: str = "",
    label_column: str = LABEL,
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
        data: inputs and labels, like ``data.name`` of a config; empty: none.
        label_column: of a table as data: the name of the column with the labels.
        value_range: lowest and highest value, where there is no data.
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
    settings = as_asked(settings or ExportConfig(), formats, accept_unproved=accept_unproved)
    wanted = parse_formats(settings.formats)
    warm_up()
    model = load_keras(file)
    with disk_errors(folder):
        job = _Job(model, file, folder / file.stem, logits, settings, listener, fresh)
        if data:
            return _with_data(job, wanted, data, label_column)
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
    check_model_file(file)
    if not file.is_file():
        raise ModelError(f"{file} is not there; give a run directory or a .keras file")
    sha256 = file_sha256(file)
    first_load(file)  # a file that fills the memory, or hangs, ends a child and not this process
    try:
        model = keras.models.load_model(file, compile=False)
    except Exception as error:  # Keras raises many kinds
        raise ModelError(
            f"{file} can't be loaded as a Keras model: {why_not_loaded(error)}"
        ) from error
    if file_sha256(file) != sha256:
        raise ModelError(f"{file} was changed while it was loaded; run the same command again")
    if not getattr(model, "built", False) or not hasattr(model, "output_shape"):
        raise ExportError(
            f"{file}: the model is not built, its shapes are not known; call it once on inputs, or "
            "begin it with keras.Input, and save it again"
        )
    model = with_bare_output(model)
    given, answered = model.input_shape, model.output_shape
    if isinstance(given, tuple) and None in given[1:]:
        size = str(given[1:]).replace("None", "SIZE")
        raise ExportError(
            f"{file}: input {given}, and a file's input has a fixed size; give the model one, and "
            f"save it again: keras.Sequential([keras.Input({size}), model])"
        )
    if not _is_shape(given) or not _is_shape(answered) or len(answered) != 2:
        raise ExportError(
            f"{file}: input {given}, output {answered}; expected one input of a fixed size and one "
            "output (n, classes) of probabilities that sum to 1, or (n, 1) of two classes; of "
            "other models export.to_tflite(model, …, output='values') makes files from Python, an "
            "output each"
        )
    kinds = {str(tensor.dtype) for tensor in getattr(model, "inputs", None) or ()}
    if "string" in kinds:
        raise ExportError(
            f"{file}: the model takes strings, and a device's file takes numbers: leave the lookup "
            "of strings out of the model, and give it the numbers that the lookup makes of them"
        )
    return model


def num_classes(model: keras.Model) -> int:
    """How many classes a saved model tells apart; with one output, two."""
    return max(2, int(model.output_shape[1]))


def matching_data(model: keras.Model, file: Path, data: str, label_column: str = LABEL) -> Dataset:
    """Labelled examples for a saved model.

    Args:
        model: the model.
        file: where it was saved.
        data: what examples, as ``data.name`` of a config.
        label_column: of a table: the name of the column with the labels.

    Raises:
        ECAvgError: they are not there, or not what the model takes.
    """
    config = DataConfig(name=data, label_column=label_column)
    dataset = _fitted(load_data(config, seed=Config().seed), model.input_shape[1:])
    spec = dataset.spec
    if model.input_shape[1:] != spec.input_shape or num_classes(model) != spec.num_classes:
        raise ConfigError(
            f"{file} takes {model.input_shape[1:]} and gives {num_classes(model)} classes; "
            f"--data={data} has {spec.input_shape} and {spec.num_classes}"
        )
    return dataset


def _fitted(dataset: Dataset, shape: Any) -> Dataset:
    """The data set with a last axis of size 1 more or less, where the model takes that.

    Windows of sensors, (n, steps, channels), are read as grey images, which get a channel.
    """
    if shape not in ((*dataset.spec.input_shape, 1), dataset.spec.input_shape[:-1]):
        return dataset
    train, test = (
        Examples(as_batch(part.inputs, shape), part.labels)
        for part in (dataset.train, dataset.test)
    )
    if train.inputs.shape[1:] != shape:  # the last axis is larger than 1
        return dataset
    return replace(dataset, spec=replace(dataset.spec, input_shape=shape), train=train, test=test)


def _is_shape(shape: object) -> bool:
    """Whether it is that of one tensor, fixed but for the batch."""
    return isinstance(shape, tuple) and all(isinstance(size, int) for size in shape[1:])


def _with_data(
    job: _Job, wanted: tuple[Format, ...], data: str, label_column: str
) -> tuple[Exported, ...]:
    model, file, settings = job.model, job.file, job.settings
    dataset = matching_data(model, file, data, label_column)
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
        seen=gather(
            [(f"training examples of {data}", dataset.train.inputs)],
            calibration.inputs,
            test.inputs,
            0,
        ),
    )
    for said in range_notes(model, calibration.inputs, dataset.spec.value_range):
        job.listener(Note(f"note: training examples of {data}: {said}"))
    if tune_epochs(settings.tune):
        more = draw(dataset.train, MOST_TUNED, 0, f"training examples of {data}", file.stem)
        subject = replace(subject, tuning=Tuning.on(more, settings.tune, 0))
    rows = job.export(subject, dataset.spec, wanted)
    if no_better := accuracy_note(rows, test.labels):
        job.listener(Note(f"note: {no_better}"))
    return rows


def _without_data(
    job: _Job, wanted: tuple[Format, ...], value_range: tuple[float, float]
) -> tuple[Exported, ...]:
    """Random inputs tell whether a float file computes what Keras does, and no more."""
    model, file = job.model, job.file
    floats = tuple(f for f in wanted if f in (Format.FLOAT32, Format.FLOAT16))
    if not floats:
        raise ConfigError(
            f"{', '.join(wanted)} can only be made and judged on real examples: give --data=NAME"
        )
    classes = tuple(str(label) for label in range(num_classes(model)))
    spec = DataSpec(file.stem, model.input_shape[1:], "int32", value_range, classes)
    noise = random_inputs(spec.input_shape, _RANDOM_INPUTS, value_range)
    if takes_tokens(model, spec):
        noise = noise.astype(np.int32)
    else:
        spec = replace(spec, dtype="float32")
    try:
        model(noise[:1], training=False)
    except Exception as error:  # Keras and TensorFlow raise many kinds
        raise ExportError(
            f"{file}: the model can't take random inputs from {value_range[0]:g} to "
            f"{value_range[1]:g}: {explained(error)}; {_cure(model)}"
        ) from error
    examples = Examples(noise, np.zeros(_RANDOM_INPUTS, np.int64))
    words = f"{_RANDOM_INPUTS} random inputs from {value_range[0]:g} to {value_range[1]:g}"
    subject = _subject(model, file, examples, words)
    rows = job.export(subject, spec, floats)
    skipped = tuple(
        Exported(
            file.stem,
            None,
            subject.weights_sha256,
            variant.value,
            "skipped",
            ("it can only be judged on real examples: give --data=NAME",),
        )
        for variant in variants(tuple(f for f in wanted if f not in floats))
    )
    return (*rows, *skipped)


def _cure(model: keras.Model) -> str:
    """What to do about a model that can't take random inputs."""
    first = [
        repr(layer.name)
        for layer in model._flatten_layers()
        if getattr(layer, "data_format", None) == "channels_first"
    ]
    if first:
        return (
            f"its layers {', '.join(first[:_SHOWN])} have data_format='channels_first', which "
            "needs a GPU: build it with channels_last"
        )
    return "say what it takes: --value-range=LOWEST,HIGHEST, or --data=NAME"


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
