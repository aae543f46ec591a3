"""How updates become the averaged model. A new way is a function in ``COMBINES``."""

from collections.abc import Callable, Sequence

import numpy as np

from ecavg_tf.config import ServerConfig
from ecavg_tf.core.errors import RoundError
from ecavg_tf.core.messages.update_file import Update
from ecavg_tf.core.template import Array, Template
from ecavg_tf.plugins import is_plugin, load_function
from server.aggregate import average_updates, update_weight

Combine = Callable[[Sequence[Update], Template, Sequence[Array], ServerConfig], list[Array]]


def average(
    updates: Sequence[Update], template: Template, base: Sequence[Array], config: ServerConfig
) -> list[Array]:
    """ECAvg's: the weighted mean."""
    return average_updates(updates, template, base, config.weighting)


def start(
    updates: Sequence[Update], template: Template, base: Sequence[Array], config: ServerConfig
) -> list[Array]:
    """Leaves the updates out: the server trains what the round started from.

    With pooled data this is training without the edges: the baseline that averaging
    has to beat.
    """
    del updates, template, config
    return [np.array(array) for array in base]


COMBINES: dict[str, Combine] = {"average": average, "start": start}


def combine(
    updates: Sequence[Update], template: Template, base: Sequence[Array], config: ServerConfig
) -> list[Array]:
    """Makes the averaged model as ``server.combine`` says.

    A user's function is called with (updates, template, base, config): the updates in
    edge-id order, read with ``update[key]`` and ``update.info``; it returns arrays in
    template order.

    Raises:
        ConfigError: the user's function is not there.
        RoundError: it fails, or returns something that does not fit the template.
    """
    name = config.combine
    if not is_plugin(name):
        return COMBINES[name](updates, template, base, config)
    function = load_function("server.combine", name)
    try:
        combined = [np.asarray(array) for array in function(updates, template, base, config)]
    except Exception as error:  # whatever the user's function raises
        raise RoundError(
            f"server.combine={name!r} fails: {type(error).__name__}: {error}"
        ) from error
    got = [(array.shape, array.dtype.name) for array in combined]
    expected = [(spec.shape, spec.dtype) for spec in template.weights]
    if got != expected:
        raise RoundError(
            f"server.combine={name!r} returned {len(got)} arrays that are not the template's "
            f"{len(expected)} (same shapes and dtypes, in template order)"
        )
    return combined


def label_mix(updates: Sequence[Update], config: ServerConfig) -> tuple[float, ...] | None:
    """The label mix that the averaged model was trained on, before any training here.

    Args:
        updates: the updates it came from.
        config: how they were weighted.

    Returns:
        Effective examples of each class, shape (classes,): the edges' counts, or their
        shares with equal weights. None where they were not averaged: it can't be known.
    """
    if config.combine != "average":
        return None
    counts = np.array([update.info.class_counts for update in updates], np.float64)
    examples = counts.sum(axis=1, keepdims=True)
    weights = np.array([[update_weight(update, config.weighting)] for update in updates])
    mix = (counts / examples * weights).sum(axis=0) * examples.sum() / weights.sum()
    return tuple(mix.tolist())
