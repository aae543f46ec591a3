"""Combines updates into the averaged model. A new rule is a function in ``COMBINES``."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ecavg_tf.config import ServerConfig
from ecavg_tf.core.errors import RoundError
from ecavg_tf.core.messages.update_file import Update
from ecavg_tf.core.template import Array, Template
from ecavg_tf.plugins import is_plugin, load_function
from server.aggregate import average_updates, weighed
from server.geometry import inner_products
from server.robust import (
    clipped_factors,
    combined_by,
    geometric_median_shares,
    median_of,
    multi_krum_shares,
    trimmed_mean_of,
)


@dataclass(frozen=True)
class Combined:
    """What a rule made of the updates.

    Attributes:
        weights: the averaged model, in template order.
        shares: what each update weighs in it, at least 0, in the order of the updates; they
            need not sum to 1. None: it is no weighted mean. With shares the server knows
            which label mix the model has seen, and edges get their ``prior`` rung also
            where nothing is pooled.
    """

    weights: Sequence[Array]
    shares: Sequence[float] | None = None


Rule = Callable[
    [Sequence[Update], Template, Sequence[Array], ServerConfig], Combined | Sequence[Array]
]


def average(
    updates: Sequence[Update], template: Template, base: Sequence[Array], config: ServerConfig
) -> Combined:
    """ECAvg's: the weighted mean."""
    shares = weighed(updates, config.weighting)
    return Combined(average_updates(updates, template, base, shares), shares)


def start(
    updates: Sequence[Update], template: Template, base: Sequence[Array], config: ServerConfig
) -> list[Array]:
    """Leaves the updates out: the server trains what the round started from.

    With pooled data this is training without the edges: the baseline that averaging
    has to beat.
    """
    del updates, template, config
    return [np.array(array) for array in base]


def median(
    updates: Sequence[Update], template: Template, base: Sequence[Array], config: ServerConfig
) -> list[Array]:
    """Each weight is the median of the edges': safe from fewer than half of them."""
    del config
    return combined_by(median_of, updates, template, base)


def trimmed_mean(
    updates: Sequence[Update], template: Template, base: Sequence[Array], config: ServerConfig
) -> list[Array]:
    """Each weight is the mean without its largest and smallest values (``server.trim``)."""
    return combined_by(lambda values: trimmed_mean_of(values, config.trim), updates, template, base)


def geometric_median(
    updates: Sequence[Update], template: Template, base: Sequence[Array], config: ServerConfig
) -> Combined:
    """The model that is closest to all edges' together: safe from fewer than half of them."""
    del config
    shares = geometric_median_shares(inner_products(updates, template, base)).tolist()
    return Combined(average_updates(updates, template, base, shares), shares)


def multi_krum(
    updates: Sequence[Update], template: Template, base: Sequence[Array], config: ServerConfig
) -> Combined:
    """The mean of the updates that lie closest together (``server.trim`` are left out)."""
    shares = multi_krum_shares(inner_products(updates, template, base), config.trim)
    stay = [(update, share) for update, share in zip(updates, shares, strict=True) if share]
    averaged = average_updates(
        [update for update, _ in stay], template, base, [float(share) for _, share in stay]
    )
    return Combined(averaged, shares.tolist())


def clipped(
    updates: Sequence[Update], template: Template, base: Sequence[Array], config: ServerConfig
) -> Combined:
    """ECAvg's mean, in which no change is longer than their median."""
    shares = weighed(updates, config.weighting)
    factors = clipped_factors(inner_products(updates, template, base))
    averaged = average_updates(updates, template, base, shares, factors.tolist())
    return Combined(averaged, shares)


COMBINES: dict[str, Rule] = {
    "average": average,
    # What is fine-tuned is chosen afterwards: ``server.choose``.
    "auto": average,
    "soup": average,
    "start": start,
    "median": median,
    "trimmed_mean": trimmed_mean,
    "geometric_median": geometric_median,
    "multi_krum": multi_krum,
    "clipped": clipped,
}


def combine(
    updates: Sequence[Update], template: Template, base: Sequence[Array], config: ServerConfig
) -> Combined:
    """Makes the averaged model as ``server.combine`` says.

    A rule is called with (updates, template, base, config): the updates in edge-id order,
    read with ``update[key]`` and ``update.info``; it returns arrays in template order, or
    a ``Combined``, which also tells how it weighted the edges.

    Raises:
        ConfigError: the user's function is not there.
        RoundError: it fails, or returns something that does not fit the template.
    """
    name = config.combine
    if not is_plugin(name):
        made = _told(COMBINES[name](updates, template, base, config))
        return _checked(made, name, template, len(updates))
    function: Rule = load_function("server.combine", name)
    try:
        combined = _told(function(updates, template, base, config))
    except Exception as error:  # whatever the user's function raises
        raise RoundError(
            f"server.combine={name!r} fails: {type(error).__name__}: {error}"
        ) from error
    return _checked(combined, name, template, len(updates))


def _told(made: Combined | Sequence[Array]) -> Combined:
    """What a rule returned, as arrays and plain numbers."""
    told = made if isinstance(made, Combined) else Combined(made)
    shares = None if told.shares is None else [float(share) for share in told.shares]
    return Combined([np.asarray(array) for array in told.weights], shares)


def _checked(combined: Combined, name: str, template: Template, updates: int) -> Combined:
    got = [(array.shape, array.dtype.name) for array in combined.weights]
    expected = [(spec.shape, spec.dtype) for spec in template.weights]
    if got != expected:
        raise RoundError(
            f"server.combine={name!r} returned {len(got)} arrays that are not the template's "
            f"{len(expected)} (same shapes and dtypes, in template order)"
        )
    shares = combined.shares
    if shares is not None and not (
        len(shares) == updates and min(shares) >= 0 and 0 < sum(shares) < math.inf
    ):
        raise RoundError(
            f"server.combine={name!r} returned the shares {list(shares)} of {updates} updates; "
            "expected one for each, finite, at least 0, and not all of them 0"
        )
    return combined


def label_mix(
    updates: Sequence[Update], shares: Sequence[float] | None
) -> tuple[float, ...] | None:
    """The label mix that the averaged model was trained on, before any training here.

    Args:
        updates: the updates it came from.
        shares: what each weighs in it; None: it is no weighted mean of them.

    Returns:
        Effective examples of each class, shape (classes,): the edges' counts, or with
        other shares, what they would be. None where that can't be known.
    """
    if shares is None:
        return None
    counts = np.array([update.info.class_counts for update in updates], np.float64)
    examples = counts.sum(axis=1, keepdims=True)
    weights = np.array([[share] for share in shares])
    mix = (counts / examples * weights).sum(axis=0) * examples.sum() / weights.sum()
    return tuple(mix.tolist())
