"""What an example of each class weighs in a fit."""

import numpy as np

from ecavg_tf.config import ClassWeights, EdgeConfig, FitConfig
from ecavg_tf.data.dataset import Examples


def class_weight(settings: FitConfig, examples: Examples) -> dict[int, float] | None:
    """What an example of each class weighs; None: all the same.

    Balanced, each class that is there has the same share of the loss, and the mean weight of
    the examples is 1.
    """
    if not isinstance(settings, EdgeConfig) or settings.class_weights is ClassWeights.NONE:
        return None
    classes, counts = np.unique(examples.labels, return_counts=True)
    weights = len(examples) / (len(classes) * counts)
    return dict(zip(classes.tolist(), weights.tolist(), strict=True))
