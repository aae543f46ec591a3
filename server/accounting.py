"""How much an edge's noised updates tell of it: epsilon at a delta."""

import math

from scipy.optimize import brentq
from scipy.special import log_ndtr


def epsilon_of(noise_multiplier: float, updates: int, delta: float) -> float:
    """The epsilon of several releases of a Gaussian mechanism.

    ``k`` releases with the noise multiplier ``z`` tell as much as one with ``z/√k``, for which
    the smallest epsilon is known exactly: the one at which (B. Balle, Y.-X. Wang, "Improving the
    Gaussian mechanism for differential privacy", ICML 2018, theorem 8, with ``t = z/√k``)

        δ = Φ(1/(2t) - ε t) - exp(ε) Φ(-1/(2t) - ε t).

    Neighbours are an edge's whole data, and none: an edge with no data changes nothing. Nothing
    is assumed of which edges are drawn: nobody is hidden among the others.

    Args:
        noise_multiplier: standard deviation of the noise over the largest norm of an update.
        updates: how many updates the edge has sent.
        delta: in (0, 1).

    Returns:
        Epsilon, at least 0.
    """
    ratio = noise_multiplier / math.sqrt(updates)

    def excess(epsilon: float) -> float:
        near = log_ndtr(0.5 / ratio - epsilon * ratio)
        far = epsilon + log_ndtr(-0.5 / ratio - epsilon * ratio)
        return float(math.exp(near) - math.exp(far)) - delta

    if excess(0.0) <= 0:
        return 0.0
    high = 1.0
    while excess(high) > 0:
        high *= 2
    return float(brentq(excess, 0.0, high, xtol=1e-9))
