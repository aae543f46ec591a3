"""The rungs: models that an edge may deploy instead of the one it has.

Each is a function from a ``Situation`` to candidates, or to the reason why there is
none. A new rung is an entry in ``RUNGS``.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ecavg_tf.core.deciding.prior import prior_shift, same_mix
from ecavg_tf.core.template import Array
from ecavg_tf.core.two_classes import bias_shift
from edge.policy import Candidate, Situation

ALPHAS = (0.25, 0.5, 0.75)
NEVER_TRAINED = "the edge has no local model yet"

Rungs = list[Candidate] | str
"""Candidates, or why there are none."""


def global_model(situation: Situation) -> Rungs:
    """The global model as it is."""
    return [Candidate("global", situation.global_model)]


def prior(situation: Situation) -> Rungs:
    """The global model under the edge's own label mix; see ``core.prior``."""
    position = situation.bench.anatomy.head_bias
    if position is None:
        return "no weight was found that adds to the logits, as a last layer's bias does"
    if situation.trained_on is None:
        return "the server does not know which label mix the global model was trained on"
    if same_mix(situation.class_counts, situation.trained_on):
        return "the edge's label mix is the one that the global model was trained on"
    weights = list(situation.global_model)
    shift = prior_shift(situation.class_counts, situation.trained_on)
    bias = weights[position]
    weights[position] = (bias + bias_shift(shift, bias)).astype(bias.dtype)
    return [Candidate("prior", weights)]


def blend(situation: Situation) -> Rungs:
    """Between the local and the global model, BatchNorm recalibrated on the edge's data.

    Weight interpolation as in WiSE-FT (Wortsman et al., arXiv 2109.01903).
    """
    local = situation.local
    if local is None:
        return NEVER_TRAINED
    if not situation.bench.runs(_mixed(situation.global_model, local, ALPHAS[0])):
        return "this edge's training file can't mix the layers that it keeps frozen"
    return [
        Candidate(
            "blend", situation.bench.recalibrated(_mixed(situation.global_model, local, a)), a
        )
        for a in ALPHAS
    ]


def local_head(situation: Situation) -> Rungs:
    """The global model with the edge's own last layer (as FedPer, arXiv 1912.00818)."""
    return _transplant(situation, "local-head", situation.bench.anatomy.head)


def local_batchnorm(situation: Situation) -> Rungs:
    """The global model with the edge's own BatchNorm (as FedBN, arXiv 2102.07623).

    Scales and shifts are the local model's. Its statistics describe activations that the
    global model's other layers no longer give, so they are re-estimated on the edge's data.
    """
    positions = situation.bench.anatomy.batchnorm
    if not positions:
        return "the model has no BatchNorm that training updates"
    made = _transplant(situation, "local-batchnorm", positions)
    if isinstance(made, str):
        return made
    recalibrated = situation.bench.recalibrated
    return [replace(each, weights=recalibrated(each.weights)) for each in made]


RUNGS: dict[str, Callable[[Situation], Rungs]] = {
    "global": global_model,
    "prior": prior,
    "blend": blend,
    "local-head": local_head,
    "local-batchnorm": local_batchnorm,
}


def _transplant(situation: Situation, rung: str, positions: Sequence[int]) -> Rungs:
    if situation.local is None:
        return NEVER_TRAINED
    weights = list(situation.global_model)
    for position in positions:
        weights[position] = situation.local[position]
    return [Candidate(rung, weights)]


def _mixed(one: Sequence[Array], other: Sequence[Array], alpha: float) -> list[Array]:
    """Alpha * one + (1 - alpha) * other in float64; what is not float is taken from ``one``."""
    return [
        (alpha * a.astype(np.float64) + (1 - alpha) * b).astype(a.dtype)
        if np.issubdtype(a.dtype, np.floating)
        else a
        for a, b in zip(one, other, strict=True)
    ]
