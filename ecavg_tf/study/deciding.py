"""What edges deploy of an arm's model: the program's own policies, whoever made the model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ecavg_tf.config import decision_level
from ecavg_tf.study.desk import Desk, Made
from ecavg_tf.study.ground import Weights
from edge.deciding.bench import EdgeBench
from edge.deciding.policies import choose
from edge.deciding.rungs import prior
from edge.policy import Situation


@dataclass(frozen=True)
class Decided:
    """What one edge deploys.

    Attributes:
        rung: its name.
        weights: of the model.
        prior: the server's model under the edge's label mix; None: there is none, or it is the
            server's model itself.
        evidence: what the policy says of it.
    """

    rung: str
    weights: Weights
    prior: Weights | None
    evidence: Mapping[str, Any]


def decided(desk: Desk, made: Made, number: int) -> dict[str, Decided]:
    """What each edge deploys, by the policy of the arm's config and its own guard set.

    Args:
        desk: the arm's.
        made: what the arm made; edges can't deploy the mean answer of several models.
        number: the round.
    """
    if made.own:
        return {edge: Decided("own", weights, None, {}) for edge, weights in made.own.items()}
    if len(made.members) != 1:
        return {}
    local = made.local or desk.ground.alone.models
    with desk.deciding():
        return {
            edge: _one(desk, _situation(desk, made, edge, local[edge], number))
            for edge in desk.ground.edges
        }


def _situation(desk: Desk, made: Made, edge: str, local: Weights, number: int) -> Situation:
    ground, config = desk.ground, desk.config
    return Situation(
        global_model=list(made.members[0]),
        local=local,
        previous=made.previous.get(edge),
        bench=EdgeBench(ground.edges[edge], ground.edge_trainer, ground.scorer, number),
        edge=edge,
        seed=config.seed,
        class_counts=ground.counts[edge],
        trained_on=made.trained_on,
        level=decision_level(config),
        rule=config.update.rule,
    )


def _one(desk: Desk, situation: Situation) -> Decided:
    choice = choose(desk.config.update.policy, situation)
    shifted = prior(situation)
    return Decided(
        choice.accepted.rung,
        choice.accepted.weights,
        None if isinstance(shifted, str) else shifted[0].weights,
        choice.evidence,
    )
