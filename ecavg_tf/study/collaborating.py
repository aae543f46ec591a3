"""Arms that play rounds: averaging with the program's own code, and edges that decide.

The server's part is ``server.tune.make_global``, as in ``ecavg run``; a test compares the bits.
"""

import math
from collections.abc import Mapping

from ecavg_tf.config import Align, Config, PoolEpochs, PoolRate, Weighting
from ecavg_tf.data.dataset import Examples
from ecavg_tf.events import silent
from ecavg_tf.rounds.server_start import begins_random, tools_of
from ecavg_tf.study.deciding import decided
from ecavg_tf.study.desk import Desk, Made
from ecavg_tf.study.ground import Weights
from server.tune import GlobalModel, make_global
from server.warmup import warmed_up


def collaborate(desk: Desk) -> Made:
    """The rounds of ``ecavg run`` with the desk's config."""
    ground, config = desk.ground, desk.config
    start = ground.initial
    if config.server.warmup_epochs and desk.pooled is not None:
        start = warmed_up(start, desk.pooled, config=config.server, trainer=desk.trainer)
    made = Made((start,))
    for number in range(1, config.rounds + 1):
        apart = number == 1 and ground.first_start is None
        made = _round(desk, made, number, None if apart else made.members[0], desk.pooled)
        if number < config.rounds:
            accepted = decided(desk, made, number)
            made = _with_previous(made, {edge: each.weights for edge, each in accepted.items()})
    return made


def fedavg(desk: Desk) -> Made:
    """Federated averaging (McMahan et al., arXiv 1602.05629): rounds, and nothing is pooled.

    Isolates: the pool. It plays as many rounds as let the edges train as much as edges and
    server together do where everything is pooled. Without a pool edges decide on it alike.
    """
    config = desk.config
    edge, server = config.edge.epochs, config.server.epochs
    return _without_pool(desk, math.ceil(config.rounds * (edge + server) / edge))


def averaged(desk: Desk) -> Made:
    """The average of the edges' first models, which nobody fine-tunes.

    Isolates: what fine-tuning makes up for, in a study of one round without a warm-up. Nothing is
    pooled, so the statistics of BatchNorm are those of the edges together.
    """
    return _without_pool(desk, 1)


def _without_pool(desk: Desk, rounds: int) -> Made:
    made = Made((desk.ground.initial,))
    for number in range(1, rounds + 1):
        apart = number == 1 and desk.ground.first_start is None
        made = _round(desk, made, number, None if apart else made.members[0], None)
    return made


def _round(
    desk: Desk, before: Made, number: int, sent: Weights | None, pooled: Examples | None
) -> Made:
    updates = desk.updates(sent, number)
    model: GlobalModel = make_global(
        updates,
        desk.ground.template,
        before.members[0],
        pooled,
        config=desk.config.server,
        trainer=desk.trainer,
        round_number=number,
        listener=silent,
        tools=tools_of(desk.task, desk.ground.scorer, number),
        random_start=number == 1 and begins_random(desk.config),
    )
    return Made(
        (model.weights,),
        model.trained_on,
        local=desk.ground.models(updates),
        previous=before.previous,
        choice=model.choice,
    )


def _with_previous(made: Made, previous: Mapping[str, Weights]) -> Made:
    return Made(
        made.members, made.trained_on, local=made.local, previous=previous, choice=made.choice
    )


def as_published(config: Config) -> None:
    """The paper's choices: uniform weights, no warm-up, no choice of start, edges replace.

    BatchNorm is recalibrated as the config says: without it a deep net answers by chance.
    """
    config.server.weighting = Weighting.UNIFORM
    config.server.combine = "average"
    config.server.align = Align.OFF
    config.server.head_by_class = False
    config.server.warmup_epochs = 0
    config.server.rate_warmup = 0.0
    config.server.rate_for_pool = PoolRate.AS_GIVEN
    config.server.epochs_for_pool = PoolEpochs.AS_GIVEN
    config.server.distill = 0.0
    config.server.tail_epochs = 0
    config.update.policy = "replace"
