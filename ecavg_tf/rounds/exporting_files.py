"""Exporting a ``.keras`` file that may never have seen a run."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from ecavg_tf.config import Config, DataConfig, ExportConfig
from ecavg_tf.core.errors import ConfigError, ExportError, ModelError, disk_errors
from ecavg_tf.core.exports import Exported
from ecavg_tf.core.template import weights_sha256
from ecavg_tf.data.dataset import DataSpec, Examples, stratified
from ecavg_tf.data.sources import load_data
from ecavg_tf.rounds.exporting import limits_of
from export.calibration import draw
from export.formats import Format, parse_formats, variants
from export.service import Exporter, Subject

_RANDOM_IMAGES = 64


def export_file(
    file: Path,
    folder: Path,
    *,
    formats: str = "",
    data: str = "",
    value_range: tuple[float, float] = (0.0, 255.0),
    logits: bool = False,
    settings: ExportConfig | None = None,
) -> tuple[Exported, ...]:
    """Exports a saved Keras model.

    Args:
        file: the ``.keras`` file.
        folder: where to.
        formats: separated by commas; empty: those of the settings.
        data: images and labels, like ``data.name`` of a config; empty: none.
        value_range: lowest and highest pixel, where there is no data.
        logits: whether the model gives logits.
        settings: limits and numbers of examples; None: the defaults.

    Raises:
        ECAvgError: with one line that says how to mend it.
    """
    settings = settings or ExportConfig()
    wanted = parse_formats(formats or settings.formats)
    model = load_keras(file)
    with disk_errors(folder):
        if data:
            return _with_data(model, file, folder, wanted, data, logits, settings)
        return _without_data(model, file, folder, wanted, value_range, logits, settings)


def load_keras(file: Path) -> keras.Model:
    """A saved classifier with one input and one output.

    Raises:
        ECAvgError: it is missing, or none.
    """
    if not file.is_file():
        raise ModelError(f"{file} is not there; give a run directory or a .keras file")
    try:
        model = keras.models.load_model(file, compile=False)
    except Exception as error:  # Keras raises many kinds
        reason = str(error).strip().splitlines()[0][:200]
        raise ModelError(f"{file} can't be loaded as a Keras model: {reason}") from error
    shape = model.input_shape
    if not isinstance(shape, tuple) or None in shape[1:] or len(model.output_shape) != 2:
        raise ExportError(
            f"{file}: input {shape}, output {model.output_shape}; expected one input of a fixed "
            "size and one output (n, classes)"
        )
    return model


def _with_data(
    model: keras.Model,
    file: Path,
    folder: Path,
    wanted: tuple[Format, ...],
    data: str,
    logits: bool,
    settings: ExportConfig,
) -> tuple[Exported, ...]:
    dataset = load_data(DataConfig(name=data), seed=Config().seed)
    spec, test = dataset.spec, dataset.test
    if model.input_shape[1:] != spec.image_shape or model.output_shape[1] != spec.num_classes:
        raise ConfigError(
            f"{file} takes {model.input_shape[1:]} and gives {model.output_shape[1]} classes; "
            f"--data={data} has {spec.image_shape} and {spec.num_classes}"
        )
    if 0 < settings.parity_examples < len(test):
        test = test.take(stratified(test.labels, settings.parity_examples, 0, "parity"))
    calibration = draw(
        dataset.train, settings.calibration_examples, 0, f"training images of {data}", file.stem
    )
    subject = replace(
        _subject(model, file, test, f"{len(test)} test images of {data}"),
        calibration=calibration,
        labels=test.labels,
    )
    exporter = Exporter(model, spec, logits, limits_of(settings), settings.latency_s)
    return exporter.export(subject, variants(wanted), folder / file.stem)


def _without_data(
    model: keras.Model,
    file: Path,
    folder: Path,
    wanted: tuple[Format, ...],
    value_range: tuple[float, float],
    logits: bool,
    settings: ExportConfig,
) -> tuple[Exported, ...]:
    """Random images tell whether a float file computes what Keras does, and no more."""
    floats = tuple(f for f in wanted if f in (Format.FLOAT32, Format.FLOAT16))
    if not floats:
        raise ConfigError(
            f"{', '.join(wanted)} can only be made and judged on real images: give --data=NAME"
        )
    classes = tuple(str(label) for label in range(model.output_shape[1]))
    spec = DataSpec(file.stem, model.input_shape[1:], "float32", value_range, classes)
    noise = np.random.default_rng(0).uniform(*value_range, (_RANDOM_IMAGES, *spec.image_shape))
    examples = Examples(noise.astype(np.float32), np.zeros(_RANDOM_IMAGES, np.int64))
    words = f"{_RANDOM_IMAGES} random images from {value_range[0]:g} to {value_range[1]:g}"
    exporter = Exporter(model, spec, logits, limits_of(settings), settings.latency_s)
    subject = _subject(model, file, examples, words)
    rows = exporter.export(subject, variants(floats), folder / file.stem)
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
        images=examples.images,
        labels=None,
        words=words,
    )
