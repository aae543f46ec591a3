"""The gate: what a file must show before it may be delivered.

Two kinds of files ask for two questions. A file that was only quantized must be the Keras
model: labels, probabilities and accuracy (``judge``). A file whose weights were tuned for
int8 is another model: it must be its own fake-quant model nearly to the bit, and no less
accurate than the Keras model (``judge_tuned``).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ecavg_tf.config import Format, Limits
from ecavg_tf.core.bundles.bundle import TensorSpec
from ecavg_tf.core.exports import Claim, Parity, ProvedAs, Verdict
from ecavg_tf.core.template import Array
from export.proving.claims import LEVEL, least_examples, lost, show
from export.proving.compared import Compared, compared, joined_of
from export.proving.gate import Reference, compare
from export.proving.verdict_words import told

FEW = 1000  # with fewer test examples, seen ones prove a file, too
# A tuned file against its own fake-quant model. Both compute with the same integers, and
# differ by what sums in another order round: labels by chance at ties, outputs by a step.
_OWN_AGREEMENT, _OWN_STEPS = 0.98, 1.0


@dataclass(frozen=True)
class Judgement:
    """What the gate says of a file.

    Attributes:
        verdict: whether it may be delivered.
        reasons: a line for every limit that is broken, or that too few examples show; empty
            if it passed.
        parity: the comparison with the Keras model, claims included.
        proved_as: what the file was held against.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    parity: Parity
    proved_as: ProvedAs


@dataclass(frozen=True)
class Seen:
    """Examples that the model was trained on, and that the file was not made with.

    Attributes:
        reference: the examples, with Keras' answers.
        answers: the file's probabilities, shape (n, classes).
    """

    reference: Reference
    answers: Array


def judge(
    reference: Reference,
    answers: Array,
    format_: Format,
    output: TensorSpec,
    limits: Limits,
    *,
    logits: bool,
    seen: Seen | None = None,
    level: float = LEVEL,
) -> Judgement:
    """Judges a file that must be the Keras model.

    Args:
        reference: test examples with Keras' answers.
        answers: the file's probabilities, shape (n, classes).
        format_: its format.
        output: its output tensor.
        limits: what it must keep to.
        logits: whether the output tensor holds logits.
        seen: further examples, which count only if there are fewer than ``FEW`` test
            examples: agreement with Keras needs no labels, and a file that was not tuned
            has learned nothing of them.
        level: chance to pass at a limit; less than ``LEVEL`` for one of several tries.

    Raises:
        ExportError: there are no two classes to compare.
    """
    least, largest, mean = _limits_of(format_, limits)
    floating = format_ in (Format.FLOAT32, Format.FLOAT16)
    proved_as = ProvedAs.FLOAT if floating else ProvedAs.QUANTIZED
    near = 2 * largest if floating else 0.0
    parity = compare(reference, answers, format_, output, logits=logits, near=near)
    test = compared(reference, answers, format_, output, logits=logits, near=near)
    parts = [test]
    if seen is not None and len(answers) < FEW:
        more = seen.reference, seen.answers
        parts.append(compared(*more, format_, output, logits=logits, near=near))
    if not all(np.isfinite(part.answers).all() for part in parts):
        return Judgement(Verdict.FAILED, ("it answers NaN or infinity",), parity, proved_as)
    joined = joined_of(parts)
    own = [_labels(joined, least, level)]
    if mean < math.inf:
        own.append(
            show("difference of probabilities", joined.distances, mean, joined.words, level=level)
        )
    if len(parts) > 1:  # many seen examples must not hide what a few test examples show
        own += [each for each in (_labels(test, least, level),) if each.verdict is Verdict.FAILED]
    accuracy = _accuracy(reference, test, joined, limits.max_accuracy_loss, level)
    parity = replace(parity, claims=(*own, *accuracy))
    fixed = _fixed(parity, joined, largest, limits)
    verdict, reasons = _settled(fixed, own, accuracy, parity)
    return Judgement(verdict, reasons, parity, proved_as)


def judge_tuned(
    reference: Reference,
    tuned: Array,
    answers: Array,
    format_: Format,
    output: TensorSpec,
    limits: Limits,
    *,
    logits: bool,
    level: float = LEVEL,
) -> Judgement:
    """Judges a file whose weights were tuned for int8.

    It is held against its own fake-quant model: labels, and probabilities to about a step
    of the output. Its accuracy is held against the float model's, on the same test
    examples. Training examples prove nothing here: the file was tuned on them.

    Args:
        reference: test examples with the float model's answers.
        tuned: the fake-quant model's probabilities of the same examples, shape (n, classes).
        answers: the file's probabilities, likewise.
        format_: its format.
        output: its output tensor.
        limits: what it must keep to; of those, ``max_ties`` and ``max_accuracy_loss``.
        logits: whether the output tensor holds logits.
        level: as of ``judge``.

    Returns:
        Its parity says how the file compares with the *float* model.

    Raises:
        ExportError: there are no two classes to compare.
    """
    parity = compare(reference, answers, format_, output, logits=logits)
    of_tuned = replace(reference, probabilities=np.asarray(tuned, np.float64))
    own = compare(of_tuned, answers, format_, output, logits=logits)
    if not np.isfinite(answers).all():
        said = ("it answers NaN or infinity",)
        return Judgement(Verdict.FAILED, said, parity, ProvedAs.TUNED)
    test = compared(of_tuned, answers, format_, output, logits=logits, near=0.0)
    step = own.tie_margin / 4 if own.tie_unit == "nats" else own.tie_margin
    close = [
        replace(
            _labels(test, _OWN_AGREEMENT, level), what="labels that differ from its own model's"
        ),
        show(
            "difference from its own model",
            test.distances,
            _OWN_STEPS * step,
            test.words,
            level=level,
        ),
    ]
    if reference.labels is None:
        known = np.zeros((2, 0), np.bool_)
    else:
        best = reference.probabilities.argmax(axis=1), np.argmax(answers, axis=1)
        known = np.stack([each == reference.labels for each in best])
    accuracy = [
        show(
            "accuracy lost", lost(*known), limits.max_accuracy_loss,
            reference.words if reference.labels is not None else "test examples with labels",
            lowest=-1.0, level=level,
        )
    ]  # fmt: skip
    parity = replace(parity, claims=(*close, *accuracy))
    verdict, reasons = _settled(_fixed(own, test, math.inf, limits), close, accuracy, parity)
    return Judgement(verdict, reasons, parity, ProvedAs.TUNED)


def _limits_of(format_: Format, limits: Limits) -> tuple[float, float, float]:
    """Of a format: least agreement, largest difference, largest mean difference."""
    int8 = limits.min_agreement_int8, math.inf, limits.max_mean_difference_int8
    return {
        Format.FLOAT32: (limits.min_agreement_float, limits.max_difference, math.inf),
        Format.FLOAT16: (limits.min_agreement_float, limits.max_difference_float16, math.inf),
        Format.DYNAMIC: (
            limits.min_agreement_dynamic, math.inf, limits.max_mean_difference_dynamic,
        ),
        Format.INT8: int8,
        Format.INT16X8: int8,
    }[format_]  # fmt: skip


def _labels(part: Compared, least: float, level: float) -> Claim:
    """Labels must agree, ties aside."""
    differs = part.differs[~part.ties]
    return show("labels that differ", differs, 1.0 - least, part.words, level=level)


def _accuracy(
    reference: Reference, test: Compared, joined: Compared, limit: float, level: float
) -> list[Claim]:
    """Accuracy may be shown in one way or two; the file passes if one of them shows it.

    Only an example whose label differs can lose accuracy, so the share of these, ties
    included, is the most that can be lost. Two ways share the level, so that together they
    err as rarely as one; where there are too few test examples to show it even if no label
    differed, the second way has all of it. So neither depends on what the file answers.
    """
    if reference.labels is None:
        return []
    right = [each.argmax(axis=1) == reference.labels for each in (test.wanted, test.answers)]
    values = lost(right[0], right[1])
    if len(joined.differs) == len(test.differs):
        return [show("accuracy lost", values, limit, test.words, lowest=-1.0, level=level)]
    half = level / 2
    hopeless = 0 < limit < 1 and len(values) < least_examples(limit, half)
    most = show(
        "accuracy lost, at most", joined.differs, limit, joined.words,
        level=level if hopeless else half,
    )  # fmt: skip
    if most.verdict is Verdict.FAILED:  # labels that differ need not be accuracy lost
        most = replace(most, verdict=Verdict.UNDECIDED)
    return [show("accuracy lost", values, limit, test.words, lowest=-1.0, level=half), most]


def _fixed(parity: Parity, joined: Compared, largest: float, limits: Limits) -> list[str]:
    """What one example can break, and what no sample can mend."""
    reasons = []
    if (worst := float(joined.distances.max())) > largest:
        reasons.append(
            f"a probability differs by {worst:.2g} from Keras', at most {largest:g} is allowed"
        )
    if parity.ties > limits.max_ties * parity.n:
        reasons.append(
            f"{parity.ties} of {parity.n} examples are ties at the output's step of "
            f"{parity.tie_margin:.2g} {parity.tie_unit}: nothing is proved "
            f"(at most {100 * limits.max_ties:g} % may be)"
        )
    return reasons


def _settled(
    fixed: Sequence[str], own: Sequence[Claim], accuracy: Sequence[Claim], parity: Parity
) -> tuple[Verdict, tuple[str, ...]]:
    """The file's verdict: every claim of ``own`` must be shown, and one of ``accuracy``."""
    open_ = [claim for claim in own if claim.verdict is not Verdict.PASSED]
    if accuracy and not any(claim.verdict is Verdict.PASSED for claim in accuracy):
        broken = [claim for claim in accuracy[:1] if claim.verdict is Verdict.FAILED]
        nearest = min(accuracy, key=lambda claim: claim.needed or math.inf)
        open_ += broken or [nearest]
    reasons = [*fixed, *(told(claim, parity) for claim in open_)]
    if not reasons:
        return Verdict.PASSED, ()
    failed = fixed or any(claim.verdict is Verdict.FAILED for claim in open_)
    return (Verdict.FAILED if failed else Verdict.UNDECIDED), tuple(dict.fromkeys(reasons))
