"""A last layer that is averaged class by class (``server.head_by_class``).

An edge that has no example of a class has learned nothing about it but to rule it out. So the
column of a class in the last layer, and its bias, are averaged over the edges in proportion to
their examples of that class, not to all of their examples. (Cf. the calibration of classifiers
by class in federated learning: Luo et al., CCVR, arXiv 2106.05001.)
"""

from collections.abc import Sequence

import numpy as np

from ecavg_tf.core.messages.update_file import Update
from ecavg_tf.core.template import Array, Template


def by_class(
    averaged: Sequence[Array],
    updates: Sequence[Update],
    template: Template,
    head: Sequence[int],
) -> list[Array]:
    """The averaged model with a head whose classes are averaged by their examples.

    Column c becomes sum_k n_kc w_kc / sum_k n_kc over the edges k that sent the head. A class
    of which no edge has an example keeps the average.

    Args:
        averaged: in template order.
        updates: what it is the average of.
        template: the run's template.
        head: positions of the last layer's weights; those whose last axis is not the classes
            stay as they are.
    """
    made = list(averaged)
    classes = len(updates[0].info.class_counts)
    for position in head:
        spec = template.weights[position]
        if not spec.shape or spec.shape[-1] != classes:
            continue
        total, seen = np.zeros(spec.shape), np.zeros(classes)
        for update in updates:
            if spec.key in update.keys:
                counts = np.asarray(update.info.class_counts, np.float64)
                total += counts * update[spec.key]
                seen += counts
        known = seen > 0
        mean = np.where(known, total / np.where(known, seen, 1.0), averaged[position])
        made[position] = mean.astype(spec.dtype)
    return made
