"""The gate: what a file must show before it may be delivered.

Two kinds of files ask for two questions. A file that was only quantized must be the Keras
model: labels, probabilities and accuracy (``judge``). A file whose weights were tuned for
int8 is another model: it must be its own fake-quant model nearly to the bit, and no less
accurate than the Keras model (``judge_tuned``).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import fisher_exact

from ecavg_tf.config import Format, Limits
from ecavg_tf.core.bundles.bundle import TensorSpec
from ecavg_tf.core.exports import Claim, Parity, ProvedAs, Verdict
from ecavg_tf.core.template import Array
from export.proving.claims import LEVEL, lost, show
from export.proving.compared import Compared, compared, joined_of
from export.proving.gate import Reference, compare
from export.proving.limits import FEW, OWN_AGREEMENT, accuracy_lost, labels_differ, limits_of
from export.proving.verdict_words import told

_EARLY = 0.1  # of the level: what a first look has where a second one may follow
_UNLIKE = 0.05  # level of the test that the file does better on seen examples
# A tuned file against its own fake-quant model. Both compute with the same integers, and
# differ by what sums in another order round: labels by chance at ties, outputs by a step.
_OWN_STEPS = 1.0
_OWN_LABELS = "labels that differ from its own model's"


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
    further: Callable[[], Seen | None] | None = None,
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
        further: gives yet more of them, which join the others where those don't decide, none
            of their means is over its limit, and the file does not do significantly better on
            these. That there are some must not depend on what it answers: two looks share
            the level.
        level: chance to pass at a limit; less than ``LEVEL`` for one of several tries.

    Raises:
        ExportError: there are no two classes to compare.
    """
    asked = _Asked(reference, answers, format_, output, limits, logits, level)
    few = len(answers) < FEW
    more = [seen] if seen is not None and few else []
    if further is None or (few and not more):
        return _look(asked, more, 1.0)
    found = _look(asked, more, _EARLY)
    if found.verdict is Verdict.PASSED:
        return found
    if _may_change(found, few=few):
        joining = further()
        more += [] if joining is None or _flattered(asked, joining) else [joining]
    return _look(asked, more, 1 - _EARLY)


@dataclass(frozen=True)
class _Asked:
    """What ``judge`` was asked."""

    reference: Reference
    answers: Array
    format_: Format
    output: TensorSpec
    limits: Limits
    logits: bool
    level: float

    @property
    def near(self) -> float:
        """See ``ties_of``."""
        floating = self.format_ in (Format.FLOAT32, Format.FLOAT16)
        return 2 * limits_of(self.format_, self.limits)[1] if floating else 0.0

    def compared(self, seen: Seen | None = None) -> Compared:
        """Seen examples, or else the test examples, laid beside Keras' answers."""
        pair = (self.reference, self.answers) if seen is None else (seen.reference, seen.answers)
        return compared(*pair, self.format_, self.output, logits=self.logits, near=self.near)


def _may_change(found: Judgement, *, few: bool) -> bool:
    """Whether more seen examples may let a file pass that did not.

    They don't where a mean is over its limit, so they can't hide what was seen before. Nor where
    there are many test examples, and it is these that don't show accuracy.
    """
    accuracy = [each for each in found.parity.claims if each.what.startswith("accuracy")]
    own = [each for each in found.parity.claims if each not in accuracy]
    shown = not accuracy or any(each.verdict is Verdict.PASSED for each in accuracy)
    return (
        found.verdict is Verdict.UNDECIDED
        and all(each.estimate <= each.limit for each in own)
        and (few or shown)
    )


def _flattered(asked: _Asked, seen: Seen) -> bool:
    """Whether fewer labels differ on seen examples than chance explains: they aren't like new ones.

    Fisher's exact test, one-sided, at 5 %.
    """
    parts = asked.compared(), asked.compared(seen)
    clear = [part.differs[~part.ties] for part in parts]
    table = [[int(each.sum()), int((1 - each).sum())] for each in clear]
    return float(fisher_exact(table, alternative="greater").pvalue) <= _UNLIKE


def _look(asked: _Asked, more: Sequence[Seen], share: float) -> Judgement:
    """One look at test examples and seen ones, with a share of the level."""
    format_, limits, level = asked.format_, asked.limits, share * asked.level
    least, largest, mean = limits_of(format_, limits)
    floating = format_ in (Format.FLOAT32, Format.FLOAT16)
    proved_as = ProvedAs.FLOAT if floating else ProvedAs.QUANTIZED
    parity = compare(
        asked.reference, asked.answers, format_, asked.output, logits=asked.logits, near=asked.near
    )
    parts = [asked.compared(), *map(asked.compared, more)]
    if not all(np.isfinite(part.answers).all() for part in parts):
        return Judgement(Verdict.FAILED, ("it answers NaN or infinity",), parity, proved_as)
    test, joined = parts[0], joined_of(parts)
    own = [labels_differ(joined, least, level)]
    if mean < math.inf:
        own.append(
            show("difference of probabilities", joined.distances, mean, joined.words, level=level)
        )
    if more:  # many seen examples must not hide what a few test examples show
        own += [
            each for each in (labels_differ(test, least, level),) if each.verdict is Verdict.FAILED
        ]
    accuracy = accuracy_lost(
        asked.reference, test, joined, limits.max_accuracy_loss, asked.level, share
    )
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
            labels_differ(test, OWN_AGREEMENT, level),
            what="labels that differ from its own model's",
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
    open_.sort(key=_weight, reverse=True)
    reasons = [*fixed, *(told(claim, parity) for claim in open_)]
    if not reasons:
        return Verdict.PASSED, ()
    failed = fixed or any(claim.verdict is Verdict.FAILED for claim in open_)
    return (Verdict.FAILED if failed else Verdict.UNDECIDED), tuple(dict.fromkeys(reasons))


def _weight(claim: Claim) -> tuple[bool, float]:
    """What to mend first: a limit that is broken, then what wants the most examples."""
    return claim.verdict is Verdict.FAILED, math.inf if claim.needed is None else claim.needed
