"""What is claimed of a file for each limit of the gate."""

import math
from dataclasses import replace

from ecavg_tf.config import Format, Limits
from ecavg_tf.core.exports import Claim, Verdict
from export.proving.claims import least_examples, lost, show
from export.proving.compared import Compared
from export.proving.gate import Reference

FEW = 1000  # with fewer test examples, seen ones prove a file, too
OWN_AGREEMENT = 0.98  # a tuned file's with its own fake-quant model, ties aside


def limits_of(format_: Format, limits: Limits) -> tuple[float, float, float]:
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


def labels_differ(part: Compared, least: float, level: float) -> Claim:
    """Labels must agree, ties aside."""
    differs = part.differs[~part.ties]
    return show("labels that differ", differs, 1.0 - least, part.words, level=level)


def accuracy_lost(
    reference: Reference,
    test: Compared,
    joined: Compared,
    limit: float,
    level: float,
    share: float,
) -> list[Claim]:
    """Accuracy may be shown in one way or two; the file passes if one of them shows it.

    Only an example whose label differs can lose accuracy, so the share of these, ties
    included, is the most that can be lost. Two ways share the level, so that together they
    err as rarely as one; where there are too few test examples to show it even if no label
    differed, the second way has all of it. So neither depends on what the file answers. Test
    examples are the same in every look: only the second way has but the look's share.
    """
    if reference.labels is None:
        return []
    right = [each.argmax(axis=1) == reference.labels for each in (test.wanted, test.answers)]
    values = lost(right[0], right[1])
    if len(values) >= FEW or len(joined.differs) == len(values):
        return [show("accuracy lost", values, limit, test.words, lowest=-1.0, level=level)]
    half = level / 2
    hopeless = 0 < limit < 1 and len(values) < least_examples(limit, half)
    most = show(
        "accuracy lost, at most", joined.differs, limit, joined.words,
        level=share * (level if hopeless else half),
    )  # fmt: skip
    if most.verdict is Verdict.FAILED:  # labels that differ need not be accuracy lost
        most = replace(most, verdict=Verdict.UNDECIDED)
    return [show("accuracy lost", values, limit, test.words, lowest=-1.0, level=half), most]
