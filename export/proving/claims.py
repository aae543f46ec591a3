"""What must be shown of a file, and whether a sample of examples shows it.

A share that was counted on a few examples is chance. A file passes if an upper confidence
bound keeps to the limit, so that a file which breaks it passes in at most one of twenty
samples. All claims are means of a quantity that has a largest value: whether a label
differs (0 or 1), how far a probability is off (0 to 1), and whether accuracy was lost on an
example (1), won (-1) or neither (0). So there is one bound for all of them, Gaffke's
(``ecavg_tf.core.deciding.bounds``). Of shares it is the exact bound of Clopper and Pearson
(Biometrika 26, 1934). Of accuracy it is paired: only examples that one of the two models
gets right and the other does not move it, as in McNemar's test.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.deciding.bounds import mean_lower_bound
from ecavg_tf.core.exports import Claim, Verdict

LEVEL = 0.05
_STEPS = 50  # a limit is cut into so many steps: a quantity without steps is rounded up to them
_MOST = 10_000_000  # examples: nobody has more


def show(
    what: str,
    values: NDArray[np.float64],
    limit: float,
    examples: str,
    *,
    lowest: float = 0.0,
    level: float = LEVEL,
) -> Claim:
    """Whether a sample shows that the mean of a quantity is at most a limit.

    Args:
        what: the quantity, for the results.
        values: one an example, shape (n,), from ``lowest`` to 1.
        limit: of the mean. No bound can show 0: there, and above it, the sample's own mean
            decides.
        examples: what they are, in words.
        lowest: the least possible value.
        level: chance to pass with a mean of just over the limit.

    Returns:
        Passed if the upper bound keeps to the limit. Failed if the lower bound does not, or
        if the mean is over the limit although half of the limit could be shown with so many
        examples. Else undecided.
    """
    support, counts = _counted(values, limit)
    n, estimate = len(values), float(values.mean()) if len(values) else 0.0
    bound = _upper(support, counts, level)

    def claim(verdict: Verdict, needed: int | None = None) -> Claim:
        return Claim(what, examples, n, estimate, bound, level, limit, verdict, needed)

    if limit <= 0:
        return claim(Verdict.PASSED if estimate <= 0 else Verdict.FAILED)
    if bound <= limit:
        return claim(Verdict.PASSED)
    if n == 0:
        return claim(Verdict.UNDECIDED, least_examples(limit, level))
    if estimate < limit:
        return claim(Verdict.UNDECIDED, _needed(support, counts, limit, level))
    if mean_lower_bound(np.array(support), lowest, level, np.array(counts)) > limit:
        return claim(Verdict.FAILED)
    half = _halved(support, counts, limit)
    if _upper(*half, level) <= limit:
        return claim(Verdict.FAILED)
    return claim(Verdict.UNDECIDED, _needed(*half, limit, level))


def level_of(first: bool, others: int) -> float:
    """The chance to pass at a limit that one of several tries may have.

    All tries are judged on the same test examples, and each is a chance to err. The first has
    half of the level, and the others share the other half, so that together they err no more
    often than one file with all of it (Bonferroni's inequality). How many there are must not
    depend on what any of them answers to test examples.

    Args:
        first: whether it is the first try.
        others: how many tries there are at most after the first.
    """
    if not others:
        return LEVEL
    return LEVEL / 2 if first else LEVEL / 2 / others


def lost(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Accuracy that each example loses: 1, 0, or -1 where it wins.

    Args:
        before: where the old model is right, shape (n,).
        after: where the new one is.
    """
    return before.astype(np.float64) - after.astype(np.float64)


def least_examples(limit: float, level: float = LEVEL) -> int:
    """How many examples show a limit if not one of them breaks it.

    Args:
        limit: of a share, in (0, 1).
        level: of the bound.
    """
    return math.ceil(math.log(level) / math.log1p(-limit))


def _counted(
    values: NDArray[np.float64], limit: float
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The values that occur, and how often; what is no whole number is rounded up a little."""
    whole = np.round(values)
    step = max(limit, 1e-6) / _STEPS
    stepped = np.minimum(np.ceil(values / step) * step, 1.0)
    support, counts = np.unique(np.where(values == whole, whole, stepped), return_counts=True)
    return tuple(support.tolist()), tuple(counts.astype(float).tolist())


def _halved(
    support: tuple[float, ...], counts: tuple[float, ...], limit: float
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """A file at half the limit: fewer examples are off, and each as far as here."""
    values, often = np.array(support), np.array(counts)
    off = values > 0
    wanted = limit / 2 * often.sum() - values[~off] @ often[~off]
    kept = min(1.0, max(0.0, wanted / (values[off] @ often[off])))
    fewer = np.where(off, kept * often, often)
    return (*support, 0.0), (*fewer.tolist(), float(often.sum() - fewer.sum()))


@lru_cache(maxsize=4096)
def _needed(
    support: tuple[float, ...], counts: tuple[float, ...], limit: float, level: float
) -> int | None:
    """About the smallest sample with these shares that shows it; None: it takes too many."""
    total = sum(counts)

    def shown(n: int) -> bool:
        return _upper(support, tuple(count / total * n for count in counts), level) <= limit

    below, above = 0, least_examples(limit, level)
    while not shown(above):
        if above > _MOST:
            return None
        below, above = above, 2 * above
    while below and above - below > above // 32:
        middle = (below + above) // 2
        below, above = (below, middle) if shown(middle) else (middle, above)
    return above


@lru_cache(maxsize=4096)
def _upper(support: tuple[float, ...], counts: tuple[float, ...], level: float) -> float:
    """Upper confidence bound of a mean of values that are at most 1."""
    values, often = np.array(support), np.array(counts)
    seen = often > 0
    return -mean_lower_bound(-values[seen], -1.0, level, often[seen])
