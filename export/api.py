"""``export.to_tflite``: for any Keras model, also one that comes from no run."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import keras
import numpy as np
from numpy.typing import NDArray

from ecavg_tf.config import Limits
from ecavg_tf.config.checks import one_of
from ecavg_tf.core.bundles.bundle import TensorSpec
from ecavg_tf.core.bundles.quantization import softmax
from ecavg_tf.core.errors import ConfigError, ExportError, brief
from ecavg_tf.core.exports import Parity, Verdict
from ecavg_tf.core.template import Array
from ecavg_tf.forked import check_not_forked
from export.making.calibration import as_calibration
from export.making.convert import Converter, computed_in_float32, gives_fitted_logits
from export.making.converting_process import ConversionError, first_answers, warm_up
from export.making.formats import Variant, parse_formats, variants
from export.proving.declared_output import (
    are_probabilities,
    check_finite,
    checked_probabilities,
    in_unit_range,
    random_inputs,
)
from export.proving.gate import Reference, compare_values
from export.proving.interpreter import LiteModel
from export.proving.judging import judge

_COUNT = 200
_RANDOM = 64


class Kind(StrEnum):
    """What a model's output is."""

    PROBABILITIES = "probabilities"
    LOGITS = "logits"
    VALUES = "values"


@dataclass(frozen=True)
class File:
    """A file in which no fault was found.

    Attributes:
        content: the ``.tflite``.
        output_kind: ``probabilities``, ``logits`` or ``values``.
        input: its input tensor; quantize with its scale and zero point.
        output: its output tensor.
        parity: how it compares with Keras; None for ``values``.
        unproved: what too few inputs were given to show, a line each; empty: all is shown.
    """

    content: bytes
    output_kind: str
    input: TensorSpec
    output: TensorSpec
    parity: Parity | None
    unproved: tuple[str, ...] = ()


def to_tflite(
    model: keras.Model,
    calibration: Array | None = None,
    formats: str | Sequence[str] = ("float32", "float16", "dynamic", "int8"),
    *,
    output: str | None = None,
    value_range: tuple[float, float] = (0.0, 1.0),
    limits: Limits | None = None,
) -> dict[str, File]:
    """Converts a Keras model and compares every file with it.

    Args:
        model: a built model with one input and one output.
        calibration: real inputs, shape (n, …), as the model takes them: int8 is
            calibrated on up to 200 of them and all files are compared on all of them.
            None: random inputs from ``value_range``, and no int8.
        formats: which; ``float32`` also gives ``float32-batch``, with a dynamic batch.
        output: ``probabilities``, ``logits`` or ``values`` (no classes: regression,
            segmentation); None: looked up in what the model answers. Answers in 0..1
            that do not sum to 1 (sigmoids) can't be told from it.
        value_range: of random inputs.
        limits: what files must keep to; None: the defaults.

    Returns:
        The files by name: ``float32-batch``, ``float32``, ``float16``, ``dynamic``, ``int8``.
        ``float32-batch`` is absent where a model can't have a dynamic batch (loops over time).

    Raises:
        ExportError: the model can't be converted, or a file differs from it.
        ConfigError: a format or an output kind is unknown, or the model answers something else.
    """
    check_not_forked()
    warm_up()
    text = formats if isinstance(formats, str) else ",".join(formats)
    wanted = variants(parse_formats(text))
    if output is not None:
        one_of("output", output, tuple(Kind))
    inputs = _inputs(model, calibration, value_range)
    if calibration is None and any(variant.calibrated for variant in wanted):
        raise ExportError("int8 needs calibration: give real inputs, or leave int8 out")
    with computed_in_float32(model):
        answers = _answers(model, inputs)
        kind = _kind(answers) if output is None else _told(output, answers)
        sample = as_calibration(inputs, _COUNT, 0).inputs
        classifier = kind is not Kind.VALUES
        with Converter(model, inputs.shape[1:], classifier=classifier) as converter:
            files: dict[str, File] = {}
            for variant in wanted:
                try:
                    given = sample if variant.calibrated else None
                    content = converter.convert(variant, given)
                except ConversionError:
                    if variant is Variant.MASTER:  # batch 1 may be possible
                        continue
                    raise
                told = _file_kind(model, kind, variant)
                files[variant.value] = _checked(
                    content, variant, inputs, answers, told, kind, limits or Limits()
                )
            return files


def _checked(
    content: bytes,
    variant: Variant,
    inputs: Array,
    answers: NDArray[np.float64],
    file_kind: Kind,
    kind: Kind,
    limits: Limits,
) -> File:
    given = first_answers(content, inputs, logits=file_kind is Kind.LOGITS)  # it may crash
    lite = LiteModel(content)
    unproved: tuple[str, ...] = ()
    if kind is Kind.VALUES:
        reasons, parity = compare_values(answers, given, variant.kind), None
    else:
        probabilities = softmax(answers) if kind is Kind.LOGITS else answers
        reference = Reference(inputs, probabilities, None, f"{len(inputs)} inputs given")
        logits = file_kind is Kind.LOGITS
        judged = judge(reference, given, variant.kind, lite.output, limits, logits=logits)
        reasons, parity = judged.reasons, judged.parity
        if judged.verdict is Verdict.UNDECIDED:
            reasons, unproved = (), judged.reasons
    if reasons:
        raise ExportError(f"{variant} is not the Keras model: {'; '.join(reasons)}")
    return File(content, file_kind.value, lite.input, lite.output, parity, unproved)


def _file_kind(model: keras.Model, kind: Kind, variant: Variant) -> Kind:
    fitted = kind is not Kind.VALUES and variant is Variant.INT8 and gives_fitted_logits(model)
    return Kind.LOGITS if fitted else kind


def _inputs(
    model: keras.Model, calibration: Array | None, value_range: tuple[float, float]
) -> Array:
    if calibration is not None:
        inputs = np.asarray(calibration)
        if inputs.ndim < 2 or len(inputs) == 0:
            raise ExportError(f"calibration has shape {inputs.shape}, expected (n, …), n above 0")
        return inputs
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple) or None in shape[1:]:
        raise ExportError(f"the model's input is {shape}: give real inputs as calibration")
    return random_inputs(shape[1:], _RANDOM, value_range)


def _answers(model: keras.Model, inputs: Array) -> NDArray[np.float64]:
    try:
        given = model.predict(inputs.astype(np.float32), batch_size=64, verbose=0)
    except Exception as error:  # Keras raises many kinds
        raise ExportError(
            f"the model can't take inputs of {inputs.shape[1:]}: {brief(error)}"
        ) from error
    if not isinstance(given, np.ndarray):
        raise ExportError(f"the model gives {type(given).__name__}; expected one output")
    check_finite(given, "inputs")
    return given.astype(np.float64)


def _kind(answers: NDArray[np.float64]) -> Kind:
    if answers.ndim != 2 or answers.shape[1] < 2:
        return Kind.VALUES
    if in_unit_range(answers):
        raise ConfigError(
            "the model's answers are in 0..1 and do not sum to 1 (a sigmoid?): say what they are "
            "with output='values' (no classes) or output='logits'"
        )
    return Kind.PROBABILITIES if are_probabilities(answers) else Kind.LOGITS


def _told(output: str, answers: NDArray[np.float64]) -> Kind:
    kind = Kind(output)
    if kind is not Kind.VALUES:
        checked_probabilities(answers, logits=kind is Kind.LOGITS, hint="output='logits'")
    return kind
