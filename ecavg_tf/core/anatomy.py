"""Where a model's list of weights holds the parts that rungs exchange."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Anatomy:
    """Positions in ``model.weights``.

    Attributes:
        head: the last layer that has trainable weights.
        head_bias: the bias that is added to the logits; None if there is no such weight.
        batchnorm: all weights of BatchNorm layers that training updates.
    """

    head: tuple[int, ...]
    head_bias: int | None
    batchnorm: tuple[int, ...]
