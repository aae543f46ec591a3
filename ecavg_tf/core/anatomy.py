"""Where a model keeps what the rungs exchange."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Anatomy:
    """Positions in ``model.weights``.

    Attributes:
        head: the last layer that has trainable weights.
        head_bias: what adds to the logits; None: there is no such weight.
        batchnorm: all weights of BatchNorm layers that training updates.
    """

    head: tuple[int, ...]
    head_bias: int | None
    batchnorm: tuple[int, ...]
