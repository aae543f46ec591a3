"""Averaging updates, streamed: one float64 model in memory, however many edges."""

from collections.abc import Sequence

import numpy as np

from ecavg_tf.config import Weighting
from ecavg_tf.core.averaging import RunningMean, combine_moments
from ecavg_tf.core.messages.update_file import Update
from ecavg_tf.core.template import Array, Role, Template


def weighed(updates: Sequence[Update], weighting: Weighting) -> list[float]:
    """What each update weighs in the average."""
    by_examples = weighting is Weighting.EXAMPLES
    return [float(update.credit) if by_examples else 1.0 for update in updates]


def average_updates(
    updates: Sequence[Update],
    template: Template,
    base: Sequence[Array],
    shares: Sequence[float],
    factors: Sequence[float] | None = None,
) -> list[Array]:
    """The averaged model.

    Updates are read one after the other, in the order given (edge-id order). A weight
    that some left out is averaged over those that sent it; what nobody sent, and
    state that is not averaged, keeps its value in ``base``.

    Args:
        updates: checked updates, at least one.
        template: the run's template.
        base: the model that the round started from, in template order.
        shares: what each update weighs, above 0; they need not sum to 1.
        factors: by what each update's change of the trained weights is multiplied; None: by 1.

    Returns:
        Weights in template order, in the template's dtypes.
    """
    means: dict[str, RunningMean] = {}
    starts = {spec.key: array for spec, array in zip(template.weights, base, strict=True)}
    for at, (update, share) in enumerate(zip(updates, shares, strict=True)):
        factor = 1.0 if factors is None else factors[at]
        for spec, array in update.items(template):
            if spec.averaged:
                mean = means.setdefault(spec.key, RunningMean(spec.shape))
                if factor != 1.0 and spec.role is Role.TRAINABLE:
                    start = starts[spec.key].astype(np.float64)
                    array = start + factor * (array - start)
                mean.add(array, share)
    averaged: list[Array] = []
    for spec, kept in zip(template.weights, base, strict=True):
        mean_of_key = means.pop(spec.key, None)  # frees its float64 memory at once
        averaged.append(np.array(kept) if mean_of_key is None else mean_of_key.result(spec.dtype))
    return averaged


def combine_statistics(
    averaged: Sequence[Array],
    updates: Sequence[Update],
    template: Template,
    moments: Sequence[tuple[int, int]],
    shares: Sequence[float],
) -> list[Array]:
    """Recalibration without pooled data: BatchNorm statistics by the law of total variance.

    Args:
        averaged: the averaged model, in template order.
        updates: the updates it came from.
        template: the run's template.
        moments: positions of each BatchNorm layer's (mean, variance).
        shares: what each update weighs; 0: nothing.

    Returns:
        ``averaged`` with the statistics of the edges' joint population.
    """
    combined = list(averaged)
    for mean_at, variance_at in moments:
        mean_spec, variance_spec = template.weights[mean_at], template.weights[variance_at]
        senders = [
            (update, share)
            for update, share in zip(updates, shares, strict=True)
            if share and {mean_spec.key, variance_spec.key} <= update.keys
        ]
        if not senders:
            continue
        mean, variance = combine_moments(
            [share for _, share in senders],
            [update[mean_spec.key] for update, _ in senders],
            [update[variance_spec.key] for update, _ in senders],
        )
        combined[mean_at] = mean.astype(mean_spec.dtype)
        combined[variance_at] = variance.astype(variance_spec.dtype)
    return combined
