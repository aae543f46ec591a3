"""Renaming the hidden channels of a model: the same function, other weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.template import Array

Permutations = Sequence[NDArray[np.int64]]
"""One for each group: channel i becomes what was channel ``permutation[i]``."""


@dataclass(frozen=True)
class Touch:
    """An axis of a weight that runs over the channels of a group.

    Attributes:
        position: of the weight, in template order.
        axis: of the weight.
        group: which channels.
        outer: how often they come one after the other (behind a Flatten: once a pixel).
    """

    position: int
    axis: int
    group: int
    outer: int = 1


@dataclass(frozen=True)
class Groups:
    """Channels that can be renamed.

    Attributes:
        sizes: how many channels each group has.
        touches: every axis that runs over one.
    """

    sizes: tuple[int, ...]
    touches: tuple[Touch, ...]

    @cached_property
    def of_weight(self) -> Mapping[int, tuple[Touch, ...]]:
        """The touches of each weight that has any, by its position."""
        found: dict[int, list[Touch]] = {}
        for touch in self.touches:
            found.setdefault(touch.position, []).append(touch)
        return {position: tuple(touches) for position, touches in found.items()}

    def unchanged(self) -> list[NDArray[np.int64]]:
        """Permutations that rename nothing."""
        return [np.arange(size) for size in self.sizes]


def renamed(
    array: Array, touches: Sequence[Touch], permutations: Permutations, *, but: Touch | None = None
) -> Array:
    """One weight under permutations.

    Args:
        array: the weight.
        touches: its axes that run over groups.
        permutations: one for each group.
        but: a touch that is left as it is.
    """
    for touch in touches:
        if touch != but:
            permutation = permutations[touch.group]
            steps = np.arange(touch.outer)[:, np.newaxis] * len(permutation)
            array = np.take(array, (steps + permutation).ravel(), axis=touch.axis)
    return array


def all_renamed(
    weights: Sequence[Array], groups: Groups, permutations: Permutations
) -> list[Array]:
    """A whole model under permutations: it computes what it did before."""
    of_weight = groups.of_weight
    return [
        renamed(array, of_weight.get(position, ()), permutations)
        for position, array in enumerate(weights)
    ]
