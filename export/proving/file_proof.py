"""Proves one file as a device gets it: it loads, and its labels and answers are right."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.config import Limits
from ecavg_tf.core.bundles.bundle import TensorSpec
from ecavg_tf.core.errors import ExportError
from ecavg_tf.core.exports import Parity
from ecavg_tf.core.template import Array
from export.making.formats import Variant
from export.proving.gate import Reference, compare, verdict
from export.proving.interpreter import LiteModel
from export.reading.metadata import Description, read_description


@dataclass(frozen=True)
class FileProof:
    """What proving a file found.

    Attributes:
        reasons: why it must not be delivered; empty: it may.
        parity: the comparison with Keras; None when the file could not be run.
        answers: the file's probabilities, shape (n, classes); None likewise.
        input: its input tensor.
        output: its output tensor.
    """

    reasons: tuple[str, ...]
    parity: Parity | None = None
    answers: NDArray[np.float32] | None = None
    input: TensorSpec | None = None
    output: TensorSpec | None = None


def prove_file(
    tflite: bytes, variant: Variant, expected: Description, reference: Reference, limits: Limits
) -> FileProof:
    """Runs a file on real images and judges it.

    Args:
        tflite: the file's bytes, description included.
        variant: what it should be.
        expected: what must be written in it.
        reference: images and Keras' answers.
        limits: what it must keep to.
    """
    reasons = _described(tflite, expected)
    logits = expected.output_kind == "logits"
    try:
        model = LiteModel(tflite, logits=logits)
        uncovered = _uncovered(model.input, reference.inputs)
        answers = model.probabilities(reference.inputs)
    except ExportError as error:
        return FileProof((*reasons, str(error)))
    if uncovered:
        reasons += (uncovered,)
    if answers.shape != reference.probabilities.shape:
        shapes = f"{answers.shape}, Keras' {reference.probabilities.shape}"
        return FileProof((*reasons, f"its answers have shape {shapes}"))
    if not np.isfinite(answers).all():
        return FileProof((*reasons, "it answers NaN or infinity"))
    parity = compare(reference, answers, variant.kind, model.output, logits=logits)
    broken = verdict(parity, variant.kind, limits)
    return FileProof((*reasons, *broken), parity, answers, model.input, model.output)


def _described(tflite: bytes, expected: Description) -> tuple[str, ...]:
    try:
        found = read_description(tflite)
    except ExportError as error:
        return (str(error),)
    if len(found.classes) != len(expected.classes):
        return (f"it has {len(found.classes)} labels, the model {len(expected.classes)}",)
    for number, (has, wanted) in enumerate(zip(found.classes, expected.classes, strict=True)):
        if has != wanted:
            return (f"its labels are swapped: label {number} is {has!r}, expected {wanted!r}",)
    if found != expected:
        return ("the description inside the file is not that of the model",)
    return ()


def _uncovered(spec: TensorSpec, inputs: Array) -> str | None:
    """A fault in an int8 input's range: the sign of a calibration on other images."""
    if spec.scale is None or spec.zero_point is None:
        return None
    ends = np.iinfo(np.dtype(spec.dtype))
    low, high = ((end - spec.zero_point) * spec.scale for end in (ends.min, ends.max))
    lowest, highest = float(inputs.min()), float(inputs.max())
    slack = 0.1 * (highest - lowest) + 1e-6
    if low <= lowest + slack and high >= highest - slack and high - low <= 4 * (highest - lowest):
        return None
    return (
        f"its input covers {low:.3g} to {high:.3g}, the images run from {lowest:g} to "
        f"{highest:g}: it was calibrated on images in another range"
    )
