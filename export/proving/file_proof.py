"""Proves one file as a device gets it: it loads, and its labels and answers are right."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.config import Limits
from ecavg_tf.core.bundles.bundle import TensorSpec
from ecavg_tf.core.bundles.scaling import rescaled
from ecavg_tf.core.errors import ExportError
from ecavg_tf.core.exports import Parity, ProvedAs, Verdict
from ecavg_tf.core.template import Array
from ecavg_tf.core.two_classes import are_logits, class_probabilities
from export.making.converting_process import FileCrash, first_answers
from export.making.formats import Variant
from export.proving.claims import LEVEL
from export.proving.gate import Reference
from export.proving.interpreter import LiteModel
from export.proving.judging import Judgement, Seen, judge, judge_tuned
from export.proving.limits import FEW
from export.reading.metadata import Description, read_description

_RARE = 1.0  # percent of values at either end that an undeclared range need not cover


@dataclass(frozen=True)
class FileProof:
    """What proving a file found.

    Attributes:
        reasons: why it must not be delivered, or what too few examples show; empty: it may.
        verdict: whether it may be delivered.
        parity: the comparison with Keras; None when the file could not be run.
        answers: the file's probabilities, shape (n, classes); None likewise.
        input: its input tensor.
        output: its output tensor.
        proved_as: what it was held against; None when it could not be run.
        crash: how it ended the process that ran it; None: it did not.
    """

    reasons: tuple[str, ...]
    verdict: Verdict = Verdict.FAILED
    parity: Parity | None = None
    answers: NDArray[np.float32] | None = None
    input: TensorSpec | None = None
    output: TensorSpec | None = None
    proved_as: ProvedAs | None = None
    crash: FileCrash | None = None


def prove_file(
    tflite: bytes,
    variant: Variant,
    expected: Description,
    reference: Reference,
    limits: Limits,
    *,
    seen: Reference | None = None,
    further: Callable[[], Reference | None] | None = None,
    tuned: Array | None = None,
    level: float = LEVEL,
) -> FileProof:
    """Runs a file on real examples and judges it.

    Args:
        tflite: the file's bytes, description included.
        variant: what it should be.
        expected: what must be written in it.
        reference: examples and Keras' answers.
        limits: what it must keep to.
        seen: training examples that the file was not made with; used if there are few test
            examples.
        further: gives more of them, for a second look; None: there is none.
        tuned: for a file whose weights were tuned for int8: what its own fake-quant model
            answers to the reference's inputs, probabilities, shape (n, classes).
        level: chance to pass at a limit; less for one of several tries.
    """
    reasons = _described(tflite, expected)
    logits = are_logits(expected.output_kind)
    try:
        scaling = expected.feature_scaling
        raw = rescaled(scaling, reference.inputs)
        first = first_answers(tflite, raw)  # it may crash
        answers = class_probabilities(first, logits=logits).astype(np.float32)
        model = LiteModel(tflite, logits=logits, scaling=scaling)
        uncovered = _uncovered(model.input, raw, expected.declared)
    except FileCrash as error:
        return FileProof((*reasons, str(error)), crash=error)
    except ExportError as error:
        return FileProof((*reasons, str(error)))
    if uncovered:
        reasons += (uncovered,)
    if answers.shape != reference.probabilities.shape:
        shapes = f"{answers.shape}, Keras' {reference.probabilities.shape}"
        return FileProof((*reasons, f"its answers have shape {shapes}"))
    if not np.isfinite(answers).all():
        return FileProof((*reasons, "it answers NaN or infinity"))
    judged = _judged(
        model, variant, answers, reference, limits, seen, further, tuned, logits=logits, level=level
    )
    return FileProof(
        (*reasons, *judged.reasons),
        Verdict.FAILED if reasons else judged.verdict,
        judged.parity,
        answers,
        model.input,
        model.output,
        judged.proved_as,
    )


def _judged(
    model: LiteModel,
    variant: Variant,
    answers: NDArray[np.float32],
    reference: Reference,
    limits: Limits,
    seen: Reference | None,
    further: Callable[[], Reference | None] | None,
    tuned: Array | None,
    *,
    logits: bool,
    level: float,
) -> Judgement:
    about = (variant.kind, model.output, limits)
    if tuned is not None:
        return judge_tuned(reference, tuned, answers, *about, logits=logits, level=level)

    def asked(examples: Reference | None) -> Seen | None:
        if examples is None or not len(examples.inputs):
            return None
        return Seen(examples, model.probabilities(examples.inputs))

    return judge(
        reference,
        answers,
        *about,
        logits=logits,
        seen=asked(seen) if len(answers) < FEW else None,
        further=None if further is None else lambda: asked(further()),
        level=level,
    )


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


def _uncovered(spec: TensorSpec, inputs: Array, declared: bool) -> str | None:
    """A fault in an int8 input's range: the sign of a calibration on other inputs.

    Where nobody declared a range, single inputs may lie far outside it.
    """
    if spec.scale is None or spec.zero_point is None:
        return None
    ends = np.iinfo(np.dtype(spec.dtype))
    low, high = ((end - spec.zero_point) * spec.scale for end in (ends.min, ends.max))
    lowest, highest = float(inputs.min()), float(inputs.max())
    if not declared:
        lowest, highest = np.percentile(inputs, [_RARE, 100 - _RARE]).tolist()
    slack = 0.1 * (highest - lowest) + 1e-6
    if low <= lowest + slack and high >= highest - slack and high - low <= 4 * (highest - lowest):
        return None
    return (
        f"its input covers {low:.3g} to {high:.3g}, the examples run from {lowest:g} to "
        f"{highest:g}: it was calibrated on examples in another range, or on too few; give "
        "more training examples, or some like these"
    )
