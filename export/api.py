"""``export.to_tflite``: for any Keras model, also one that comes from no run."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import keras
import numpy as np
from numpy.typing import NDArray

from ecavg_tf.config import Limits
from ecavg_tf.config.checks import one_of
from ecavg_tf.core.bundles.bundle import TensorSpec
from ecavg_tf.core.errors import ConfigError, ExportError
from ecavg_tf.core.exports import Parity, Verdict
from ecavg_tf.core.raw_inputs import as_batch
from ecavg_tf.core.template import Array
from ecavg_tf.core.two_classes import class_probabilities, output_kind
from ecavg_tf.data.dataset import DataSpec
from ecavg_tf.forked import check_not_forked
from ecavg_tf.models.inputs import for_model
from ecavg_tf.models.keras_words import explained
from ecavg_tf.models.output_kind import with_bare_output
from ecavg_tf.models.rescaling import takes_tokens
from export.making.calibration import as_calibration
from export.making.convert import Converter, gives_fitted_logits
from export.making.converting_process import ConversionError, FileCrash, first_answers, warm_up
from export.making.formats import Variant, parse_formats, variants
from export.making.precision import computed_in_float32
from export.proving.declared_output import (
    are_probabilities,
    check_finite,
    check_one_logit,
    checked_probabilities,
    in_unit_range,
    random_inputs,
)
from export.proving.gate import Reference
from export.proving.given_range import range_notes
from export.proving.interpreter import LiteModel
from export.proving.judging import judge
from export.proving.values import compare_values

_COUNT = 200
_RANDOM = 64
_UNLIKE = 50.0
_SEVERAL = {
    "input": "the model has {count} inputs ({names}), and a file has one: join them into one input "
    "array, and take it apart inside the model",
    "output": "the model has {count} outputs ({names}), and a file has one: make a model of each "
    "that is needed, keras.Model(model.inputs[0], model.outputs[0]), and export that",
}


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
        output_kind: ``probabilities``, ``logits`` or ``values``; of one output for two classes
            ``probability_of_second`` or ``logit_of_second``.
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
    value_range: tuple[float, float] | None = None,
    limits: Limits | None = None,
) -> dict[str, File]:
    """Converts a Keras model and compares every file with it.

    Args:
        model: a built model with one input and one output.
        calibration: real inputs, shape (n, …), as the model takes them: int8 is
            calibrated on up to 200 of them and all files are compared on all of them.
            None: random inputs from ``value_range``, and no int8. A warning tells where they
            look as if they had been rescaled before a model that rescales them itself.
        formats: which; ``float32`` also gives ``float32-batch``, with a dynamic batch.
        output: ``probabilities``; ``logits`` (of classes of which one is right, before the
            softmax: int8 then keeps nothing but their differences); or ``values``, which stand
            for themselves (regression, independent tags, embeddings, segmentation). None:
            looked up in what the model answers, where that can be told.
        value_range: lowest and highest value of raw inputs; None: not told, and random inputs
            are from 0..1.
        limits: what files must keep to; None: the defaults.

    Returns:
        The files by name: ``float32-batch``, ``float32``, ``float16``, ``dynamic``, ``int8``.
        ``float32-batch`` is absent where a model can't have a dynamic batch (loops over time).

    Raises:
        ExportError: the model can't be converted, or a file differs from it.
        ConfigError: a format or an output kind is unknown, the model answers something else,
            or nobody can tell what its answers are.
    """
    check_not_forked()
    warm_up()
    text = formats if isinstance(formats, str) else ",".join(formats)
    wanted = variants(parse_formats(text))
    if output is not None:
        one_of("output", output, tuple(Kind))
    _check_ports(model)
    model = with_bare_output(model)
    inputs = _inputs(model, calibration, value_range or (0.0, 1.0))
    if calibration is None and any(variant.calibrated for variant in wanted):
        raise ExportError("int8 needs calibration: give real inputs, or leave int8 out")
    with computed_in_float32(model):
        answers = _answers(model, inputs, output)
        kind = _kind(answers) if output is None else _told(output, answers)
        if kind is Kind.LOGITS:
            check_one_logit(model, inputs, "output='logits'")
        for note in range_notes(model, inputs, value_range) if calibration is not None else ():
            warnings.warn(note, stacklevel=2)
        sample = as_calibration(inputs, _COUNT, 0).inputs
        classifier = kind is not Kind.VALUES
        with Converter(
            model, inputs.shape[1:], dtype=_dtype(model, inputs), classifier=classifier
        ) as converter:
            files: dict[str, File] = {}
            for variant in wanted:
                given = sample if variant.calibrated else None
                told = _file_kind(model, kind, variant)
                try:
                    content = converter.convert(variant, given)
                    files[variant.value] = _checked(
                        content, variant, inputs, answers, told, kind, limits or Limits()
                    )
                except FileCrash as crash:
                    raise converter.naming(crash, variant, given, inputs) from crash
                except ConversionError:
                    if variant is Variant.MASTER:  # batch 1 may be possible
                        continue
                    raise
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
    raw = first_answers(content, inputs)  # it may crash
    lite = LiteModel(content)
    word = file_kind.value
    unproved: tuple[str, ...] = ()
    if kind is Kind.VALUES:
        reasons, parity = compare_values(answers, raw, variant.kind, lite.output), None
    else:
        given = class_probabilities(raw, logits=file_kind is Kind.LOGITS).astype(np.float32)
        probabilities = class_probabilities(answers, logits=kind is Kind.LOGITS)
        reference = Reference(inputs, probabilities, None, f"{len(inputs)} inputs given")
        logits = file_kind is Kind.LOGITS
        judged = judge(reference, given, variant.kind, lite.output, limits, logits=logits)
        reasons, parity = judged.reasons, judged.parity
        if judged.verdict is Verdict.UNDECIDED:
            reasons, unproved = (), judged.reasons
        word = output_kind(logits=logits, one_output=answers.shape[1] == 1)
    if reasons:
        raise ExportError(f"{variant} is not the Keras model: {'; '.join(reasons)}")
    return File(content, word, lite.input, lite.output, parity, unproved)


def _file_kind(model: keras.Model, kind: Kind, variant: Variant) -> Kind:
    fitted = kind is not Kind.VALUES and variant is Variant.INT8 and gives_fitted_logits(model)
    return Kind.LOGITS if fitted else kind


def _check_ports(model: keras.Model) -> None:
    """Refuses models of several inputs or outputs, where Keras knows that they are such."""
    for what in ("input", "output"):
        tensors = getattr(model, f"{what}s", None) or ()
        names = getattr(model, f"{what}_names", None) or [tensor.name for tensor in tensors]
        if len(names) > 1:
            raise ExportError(_SEVERAL[what].format(count=len(names), names=", ".join(names)))


def _inputs(
    model: keras.Model, calibration: Array | None, value_range: tuple[float, float]
) -> Array:
    if calibration is not None:
        inputs, shape = np.asarray(calibration), getattr(model, "input_shape", None)
        if isinstance(shape, tuple):
            inputs = as_batch(inputs, shape[1:])
        if inputs.ndim < 2 or len(inputs) == 0:
            raise ExportError(f"calibration has shape {inputs.shape}, expected (n, …), n above 0")
        return inputs
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple) or None in shape[1:]:
        raise ExportError(f"the model's input is {shape}: give real inputs as calibration")
    return random_inputs(shape[1:], _RANDOM, value_range)


def _dtype(model: keras.Model, inputs: Array) -> str:
    """What a file's input is: int32 for token ids, else float32."""
    ends = float(inputs.min()), float(inputs.max())
    spec = DataSpec("inputs", inputs.shape[1:], inputs.dtype.name, ends, ("0", "1"))
    return "int32" if takes_tokens(model, spec) else "float32"


def _answers(model: keras.Model, inputs: Array, output: str | None) -> NDArray[np.float64]:
    try:
        given = model.predict(for_model(inputs), batch_size=64, verbose=0)
    except Exception as error:  # Keras raises many kinds
        raise ExportError(
            f"the model can't take inputs of {inputs.shape[1:]}: {explained(error)}"
        ) from error
    if isinstance(given, dict | list | tuple):
        names = ", ".join(map(str, given if isinstance(given, dict) else range(len(given))))
        if len(given) == 1:
            raise ExportError(
                f"the model answers a {type(given).__name__} of one array ({names}), and a file "
                "has an array alone: return that from call(), or make a model of it, "
                "keras.Model(model.inputs[0], model.outputs[0])"
            )
        raise ExportError(_SEVERAL["output"].format(count=len(given), names=names))
    if not isinstance(given, np.ndarray | np.generic):
        raise ExportError(f"the model answers a {type(given).__name__}; expected an array")
    given = np.asarray(given)  # one number is no array of its own
    if np.shape(given)[:1] != (len(inputs),):
        alone = np.shape(model.predict(for_model(inputs[:1]), verbose=0))
        if alone[:1] != (1,):
            raise ExportError(
                f"the model gives an answer of shape {alone} to one input, expected (1, …): an "
                "answer an input, so that nothing is averaged or added up over the batch"
            )
        raise ExportError(
            f"Keras' predict gave {len(given)} answers to {len(inputs)} inputs; if its "
            "max_steps_per_epoch is set, take it away"
        )
    maybe_logits = given.ndim == 2 and output in (None, Kind.LOGITS)
    check_finite(given, "inputs", logits=maybe_logits)
    answers: NDArray[np.float64] = np.asarray(given, np.float64)
    return answers


def _kind(answers: NDArray[np.float64]) -> Kind:
    if answers.ndim != 2 or answers.shape[1] < 2:
        return Kind.VALUES
    if are_probabilities(answers):
        return Kind.PROBABILITIES
    if _unlike(answers):
        return Kind.VALUES
    low, high = answers.min(), answers.max()
    sigmoid = " (a sigmoid?)" if in_unit_range(answers) else ""
    raise ConfigError(
        f"the model's answers run from {low:.3g} to {high:.3g} and do not sum to 1{sigmoid}: say "
        "what they are with output='values' (numbers that stand for themselves: regression, "
        "independent tags) or output='logits' (of classes of which one is right)"
    )


def _unlike(answers: NDArray[np.float64]) -> bool:
    """Whether columns have ranges so different that they are no logits of one classifier."""
    ranges = np.ptp(answers[:, np.isfinite(answers).all(axis=0)], axis=0)
    varying = ranges[ranges > 0]
    return len(varying) > 1 and bool(varying.max() > _UNLIKE * varying.min())


def _told(output: str, answers: NDArray[np.float64]) -> Kind:
    kind = Kind(output)
    if kind is not Kind.VALUES:
        checked_probabilities(answers, logits=kind is Kind.LOGITS, hint="output='logits'")
    return kind
