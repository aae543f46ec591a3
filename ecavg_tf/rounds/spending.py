"""What edges with noised updates have given away by a round, and what noise can't hide."""

from collections import Counter
from collections.abc import Iterator, Sequence

from ecavg_tf.config import Config, FleetKind
from ecavg_tf.core.findings import Privacy
from ecavg_tf.core.template import Role, Template
from ecavg_tf.results import RoundResult
from server.accounting import epsilon_of


def privacy_of(
    config: Config, before: Sequence[RoundResult], participants: Sequence[str]
) -> Privacy | None:
    """What the edge that was asked most often has given away; None: updates have no noise.

    Args:
        config: the run's.
        before: the finished rounds.
        participants: who is asked in this one.
    """
    edge = config.edge
    if not edge.dp_noise_multiplier:
        return None
    asked = Counter(participants)
    for result in before:
        asked.update(result.participants)
    most = max(asked.values())
    return Privacy(epsilon_of(edge.dp_noise_multiplier, most, edge.dp_delta), edge.dp_delta, most)


def spent(privacy: Privacy) -> str:
    """It in words."""
    return (
        f"the updates that an edge has sent by now ({privacy.updates} at most) are together "
        f"({privacy.epsilon:.3g}, {privacy.delta:g})-differentially private for all its data"
    )


def not_protected(config: Config, template: Template) -> Iterator[str]:
    """What a user who asks for noise should know."""
    if not config.edge.dp_noise_multiplier:
        return
    if config.server.pool:
        yield (
            "edge.dp_noise_multiplier protects updates alone, and edges pool their examples as "
            "they are (server.pool=true)"
        )
    if config.fleet.kind is FleetKind.LOCAL:
        yield (
            "in a simulation the noise is drawn from the run's seed: it shows what the noise "
            "costs, and hides nothing"
        )
    if any(spec.role is Role.STATISTIC for spec in template.weights) and not config.server.pool:
        yield (
            "with edge.dp_clip edges send no BatchNorm statistics, and without pooled data the "
            "server can't estimate any: they stay those of the start"
        )
