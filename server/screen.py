"""Updates that no honest training makes are refused by name, before anything is averaged.

One update of many can take a mean anywhere (P. Blanchard et al., "Machine learning with
adversaries", NeurIPS 2017). So the size of each update is compared with that of the others: norm
thresholding as in Z. Sun et al., "Can you really backdoor federated learning?" (arXiv
1911.07963), with a threshold that follows the round.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from ecavg_tf.core.messages.update_file import Update
from ecavg_tf.core.template import Array, Role, Template

ENOUGH = 3  # updates from which the others say what is usual
_LEAST = 0.1  # of the start's norm: edges that hardly learn any more are no measure of the others
_ROUNDING = 1e-6  # of a variance that is the difference of two large float32 numbers
_HOLDS_BACK = "server.max_update_ratio"


@dataclass(frozen=True)
class Size:
    """How large an update is: Euclidean norms.

    Attributes:
        change: of its trained weights minus those of the start.
        statistics: of its statistics, such as BatchNorm's means and variances.
    """

    change: float
    statistics: float


def size_of(update: Update, template: Template, base: Sequence[Array]) -> Size:
    """Measures an update; memory is one array.

    Args:
        update: a checked update.
        template: the run's template.
        base: the model that the round started from, in template order.
    """
    starts = {spec.key: array for spec, array in zip(template.weights, base, strict=True)}
    squares = {Role.TRAINABLE: 0.0, Role.STATISTIC: 0.0}
    for spec, array in update.items(template):
        if not spec.averaged:
            continue
        start = starts[spec.key] if spec.role is Role.TRAINABLE else 0.0
        squares[spec.role] += _squares(array, start)
    return Size(math.sqrt(squares[Role.TRAINABLE]), math.sqrt(squares[Role.STATISTIC]))


def _squares(array: Array, start: Array | float) -> float:
    """Sum of squared differences; infinite where float64 can't hold it."""
    with np.errstate(over="ignore"):
        difference = np.asarray(np.subtract(array, start, dtype=np.float64))  # of a scalar, too
        return float(np.square(difference, out=difference).sum())


def oversized(
    updates: Sequence[Update], template: Template, base: Sequence[Array], ratio: float
) -> dict[str, str]:
    """Which edges' updates are too large to be honest.

    With three updates or more, a change may be ``ratio`` times as large as the median of the
    others' changes, or as a tenth of the start, whichever is more. Statistics may be the square
    of ``ratio`` times the median of the others', because a variance goes with the square of what
    it is the variance of. With fewer, nobody says what is usual: a change may be ``ratio`` times
    as large as the start, and statistics are not looked at.

    Args:
        updates: checked updates.
        template: the run's template.
        base: the model that the round started from, in template order.
        ratio: ``server.max_update_ratio``; 0: nothing is refused.

    Returns:
        For each edge that is to be refused, why.
    """
    if not ratio:
        return {}
    start = math.sqrt(
        sum(
            _squares(array, 0.0)
            for spec, array in zip(template.weights, base, strict=True)
            if spec.averaged and spec.role is Role.TRAINABLE
        )
    )
    sizes = [size_of(update, template, base) for update in updates]
    found: dict[str, str] = {}
    for at, (update, size) in enumerate(zip(updates, sizes, strict=True)):
        others = sizes[:at] + sizes[at + 1 :]
        if (fault := _fault(size, others, start, ratio)) is not None:
            found[update.info.edge] = fault
    return found


def _fault(size: Size, others: Sequence[Size], start: float, ratio: float) -> str | None:
    if len(others) + 1 < ENOUGH:
        if size.change > ratio * max(start, 1.0):
            return (
                f"its update changes the model by {size.change:.3g} (norm), and the model that "
                f"the round started from has {start:.3g}; at most {ratio:g} times that is taken "
                f"({_HOLDS_BACK})"
            )
        return None
    usual = max(median(other.change for other in others), _LEAST * start)
    if size.change > ratio * usual > 0:
        return (
            f"its update changes the model by {size.change:.3g} (norm), {size.change / usual:.3g} "
            f"times what is usual among the others; at most {ratio:g} times that is taken "
            f"({_HOLDS_BACK})"
        )
    usual = median(other.statistics for other in others)
    if size.statistics > ratio**2 * usual > 0:
        return (
            f"its statistics (norm {size.statistics:.3g}) are {size.statistics / usual:.3g} times "
            f"the others'; at most {ratio**2:g} times that is taken ({_HOLDS_BACK}, squared)"
        )
    return None


def below_zero(update: Update, template: Template, variances: Collection[int]) -> str | None:
    """Why an update is refused whose variances are none; None: they could be.

    No data has a variance below zero. Its root is no number, and neither is what the model
    answers then: one edge would take the model from all.

    Args:
        update: a checked update.
        template: the run's template.
        variances: where in the template BatchNorm's variances are.
    """
    for at in variances:
        key = template.weights[at].key
        if key not in update.keys:
            continue
        values = update[key]
        least, largest = float(values.min(initial=0)), float(values.max(initial=0))
        if least < -_ROUNDING * max(largest, 1.0):
            return f"its update has {least:.3g} in {key!r}, a variance, which is never below 0"
    return None


def doubted(
    updates: Sequence[Update], shown: Mapping[str, int], ratio: float
) -> dict[str, tuple[float, str]]:
    """Which edges claim more examples than they get the weight of.

    A claim of examples is a mere number, and it buys weight in the mean. It is taken as it is up
    to ``ratio`` times the median of the others' claims; beyond that an edge counts for that many
    examples, or for those that its pooled data shows if these are more.

    Args:
        updates: checked updates.
        shown: for each edge, how many examples it has pooled.
        ratio: ``server.max_examples_ratio``; 0: nobody is doubted.

    Returns:
        For each such edge, how many examples it counts for, and a line that says so.
    """
    found: dict[str, tuple[float, str]] = {}
    for at, update in enumerate(updates):
        others = [other.info.examples for other in (*updates[:at], *updates[at + 1 :])]
        if not (ratio and others):
            continue
        edge, claim, usual = update.info.edge, update.info.examples, median(others)
        most = max(ratio * usual, shown.get(edge, 0))
        if claim > most:
            found[edge] = (
                most,
                f"{edge} says that it has {claim:,} examples, {claim / usual:,.3g} times the "
                f"median of the others', and pooled {shown.get(edge, 0):,}: it counts for "
                f"{most:,.0f} (server.max_examples_ratio)",
            )
    return found
