"""Permutation alignment: edges that started apart name the same features differently.

The mean of two networks whose hidden channels are in another order is no network at all. Weight
matching (Ainsworth et al., Git Re-Basin, arXiv 2209.04836, algorithm 1) renames the channels of
one so that its weights lie as close to the other's as they can. One group of channels at a time
is a linear assignment problem with an exact solution; with one hidden layer that is all there
is, with more the groups are gone through until none changes.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ecavg_tf.core.averaging import RunningMean
from ecavg_tf.core.messages.update_file import Update
from ecavg_tf.core.permuting import Groups, Permutations, Touch, renamed
from ecavg_tf.core.seeds import permutation
from ecavg_tf.core.template import Array, Role, Template, WeightSpec

_MOST_SWEEPS = 50  # each raises the match; a handful is usual

Reference = Sequence[Array] | Mapping[int, Array]


def matched(
    reference: Reference,
    weights: Sequence[Array],
    groups: Groups,
    matching: Sequence[int],
    seed: int,
) -> list[NDArray[np.int64]]:
    """Permutations that bring a model close to a reference.

    They raise sum(<reference_w, renamed_w>) over the weights, which lowers the distance: a
    permutation leaves the length of a model as it is.

    Args:
        reference: by position; at least the weights that are compared.
        weights: the model to rename, in template order.
        groups: channels that can be renamed.
        matching: positions of the weights that are compared: the trained ones.
        seed: of the order in which groups are gone through.
    """
    compared = set(matching)
    by_group: list[list[Touch]] = [[] for _ in groups.sizes]
    for touch in groups.touches:
        if touch.position in compared:
            by_group[touch.group].append(touch)
    found = groups.unchanged()
    for sweep in range(_MOST_SWEEPS):
        better = False
        for group in permutation(len(found), seed, "align", sweep):
            products = _products(reference, weights, groups, by_group[group], found)
            rows = np.arange(len(products))
            now = products[rows, found[group]].sum()
            _, best = linear_sum_assignment(products, maximize=True)
            if products[rows, best].sum() > now + 1e-9 * abs(now):
                found[group], better = best.astype(np.int64), True
        if not better:
            break
    return found


def _products(
    reference: Reference,
    weights: Sequence[Array],
    groups: Groups,
    touches: Sequence[Touch],
    found: Permutations,
) -> NDArray[np.float64]:
    """What naming channel j of the model i would add to the match, shape (channels, channels)."""
    size = groups.sizes[touches[0].group] if touches else 0
    products = np.zeros((size, size))
    for touch in touches:
        others = groups.of_weight[touch.position]
        array = renamed(weights[touch.position], others, found, but=touch)
        products += _rows(reference[touch.position], touch) @ _rows(array, touch).T
    return products


def _rows(array: Array, touch: Touch) -> NDArray[np.float64]:
    """A weight with one row for each channel."""
    moved = np.moveaxis(np.asarray(array, np.float64), touch.axis, 0)
    size = moved.shape[0] // touch.outer
    return moved.reshape(touch.outer, size, -1).swapaxes(0, 1).reshape(size, -1)


class AlignedUpdate(Update):
    """An update whose channels bear other names.

    Args:
        update: as the edge sent it.
        template: the run's template.
        groups: channels that can be renamed.
        permutations: their new order.
    """

    def __init__(
        self, update: Update, template: Template, groups: Groups, permutations: Permutations
    ) -> None:
        super().__init__(update.path)
        self.credit = update.credit
        self._permutations = permutations
        self._touches = {
            spec.key: groups.of_weight.get(position, ())
            for position, spec in enumerate(template.weights)
        }

    def __getitem__(self, key: str) -> Array:
        return renamed(super().__getitem__(key), self._touches.get(key, ()), self._permutations)


def aligned(
    updates: Sequence[Update],
    template: Template,
    base: Sequence[Array],
    groups: Groups,
    seed: int,
) -> list[Update]:
    """The same updates, each renamed to lie close to the mean of those before it.

    Memory is three models, however many edges there are.

    Args:
        updates: checked updates, at least one, in edge-id order; the first stays as it is.
        template: the run's template.
        base: what an update omits.
        groups: channels that can be renamed.
        seed: the run's seed.
    """
    matching = [at for at, spec in enumerate(template.weights) if spec.role is Role.TRAINABLE]
    means = {at: RunningMean(template.weights[at].shape) for at in matching}
    made: list[Update] = []
    for update in updates:
        weights = template.listed(dict(_named(update, template)), base)
        permutations = groups.unchanged()
        if made:
            reference = {at: mean.result() for at, mean in means.items()}
            permutations = matched(reference, weights, groups, matching, seed)
        made.append(AlignedUpdate(update, template, groups, permutations))
        for at, mean in means.items():
            mean.add(renamed(weights[at], groups.of_weight.get(at, ()), permutations), 1.0)
    return made


def _named(update: Update, template: Template) -> Iterator[tuple[str, Array]]:
    spec: WeightSpec
    for spec, array in update.items(template):
        yield spec.key, array
