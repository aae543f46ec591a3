"""An edge's update with bounded length and Gaussian noise, made before anything is sent.

Both together are the Gaussian mechanism on an edge's whole data (C. Dwork, A. Roth, "The
algorithmic foundations of differential privacy", 2014; for updates of whole participants H. B.
McMahan et al., "Learning differentially private recurrent language models", ICLR 2018). What the
noise is drawn from must be known to the edge alone: whoever can draw it again can subtract it.
"""

import hashlib
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.files import canonical_json
from ecavg_tf.core.template import Array, Role, Template, weights_sha256


def gaussians(count: int, key: bytes, *place: str | int) -> NDArray[np.float64]:
    """Standard normal numbers that nobody can foretell without the key.

    SHAKE-256 keyed by its beginning gives the bits, the method of G. E. P. Box and M. E. Muller
    (1958) the numbers. (numpy's generators are made for speed: their state can be found from
    what they gave.)

    Args:
        count: how many.
        key: secret bytes.
        place: what the numbers are for; no two uses may share one.

    Returns:
        Shape (count,).
    """
    pairs = (count + 1) // 2
    stream = hashlib.shake_256(key + canonical_json(list(place)).encode()).digest(16 * pairs)
    bits = np.frombuffer(stream, "<u8").reshape(2, pairs) >> np.uint64(11)
    first, second = bits.astype(np.float64) * 2.0**-53 + 2.0**-54  # in (0, 1)
    length, angle = np.sqrt(-2 * np.log(first)), 2 * math.pi * second
    drawn = np.concatenate([length * np.cos(angle), length * np.sin(angle)])
    return drawn[:count]


def private_weights(
    template: Template,
    start: Sequence[Array],
    trained: Sequence[Array],
    *,
    clip: float,
    noise_multiplier: float,
    key: bytes,
    place: tuple[str | int, ...],
) -> list[Array]:
    """What an edge sends in place of its model: ``w₀ + min(1, C/‖Δ‖) Δ + N(0, (z C)²)``.

    ``Δ`` is the change of all trained weights together. Statistics and state stay the start's:
    they would tell of the data without any noise. The noise depends on the key, the place and
    both models: the same update gets the same noise again, another one gets other noise.

    Args:
        template: the run's template.
        start: the model that training started from, in template order.
        trained: what it became.
        clip: ``C``, the largest Euclidean norm of a change.
        noise_multiplier: ``z``, the noise' standard deviation in units of ``C``.
        key: secret bytes of the edge.
        place: names the run, the edge and the round.

    Returns:
        Weights in template order.
    """
    changes = [
        after.astype(np.float64) - before if spec.role is Role.TRAINABLE else None
        for spec, before, after in zip(template.weights, start, trained, strict=True)
    ]
    norm = math.sqrt(sum(float(np.square(one).sum()) for one in changes if one is not None))
    factor = min(1.0, clip / norm) if norm else 1.0
    unique = (*place, weights_sha256(start), weights_sha256(trained))
    sent: list[Array] = []
    for at, (spec, before, change) in enumerate(zip(template.weights, start, changes, strict=True)):
        if change is None:
            sent.append(np.array(before))
            continue
        moved = before + factor * change
        if noise_multiplier:
            drawn = gaussians(change.size, key, *unique, at).reshape(change.shape)
            moved = moved + noise_multiplier * clip * drawn
        sent.append(np.asarray(moved, spec.dtype))
    return sent
