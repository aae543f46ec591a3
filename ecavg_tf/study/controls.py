"""Controls: what one would do without averaging, at what it costs.

Each is a function from a ``Desk`` to what it made. Wherever a round restarts the optimizer, a
control restarts it, too: Adam's second moment remembers several epochs, and a control that is
trained in one piece would lose by that alone. Phases of a control are fine-tunings with the
server's settings, so they have its schedule and its rate.
"""

import math
from collections.abc import Callable
from dataclasses import replace

from ecavg_tf.core.averaging import RunningMean
from ecavg_tf.study.desk import Desk, Made
from ecavg_tf.study.ground import Weights, finite, processed

_FIRST = "server-instead-of-edges"  # names the batch order of the phase that stands for the edges


def local(desk: Desk) -> Made:
    """Each edge alone, for the epochs of one round. Isolates: what collaboration adds."""
    return Made(own=desk.ground.models(desk.updates(desk.ground.first_start, 1)))


def alone(desk: Desk) -> Made:
    """Each edge alone, for its epochs of all rounds.

    Isolates: epochs from collaboration. With one round it is ``local``.
    """
    for spent in desk.ground.alone.samples:
        desk.charge(spent)
    return Made(own=desk.ground.alone.models)


def alone_longer(desk: Desk) -> Made:
    """Each edge alone, for its epochs and the server's of all rounds, restarted as a round does.

    Isolates: collaboration from all the epochs that a model sees on its way.
    """
    ground, server = desk.ground, desk.config.server
    trainer = ground.machine.task(desk.config, ground.spec).server_trainer.aside(server)
    models = ground.models(desk.updates(ground.first_start, 1))
    for number in range(1, desk.config.rounds + 1):
        shared = number == 1  # the edges' own epochs of round 1 are those of all arms
        for own in (trainer,) if shared else (ground.edge_trainer, trainer):
            spent = []
            for edge, data in ground.edges.items():
                before = processed(own.spent)
                made = own.fit(models[edge], data.train, round_number=number, who=edge)
                if own.settings.recalibrate:
                    made = own.recalibrate(made, data.train, round_number=number, who=edge)
                models[edge] = finite(made, edge, number)
                spent.append(processed(own.spent) - before)
            desk.charge(spent)
    return Made(own=models)


def best_edge(desk: Desk) -> Made:
    """The best edge's model for all, as it is. Isolates: combining from picking a winner.

    The guard sets of all edges say which is the best.
    """
    models = desk.ground.models(desk.updates(desk.ground.first_start, 1))
    best = desk.best_on_guards(models)
    return Made((models[best],), tuple(map(float, desk.ground.counts[best])))


def best_edge_tuned(desk: Desk) -> Made:
    """The best edge's model instead of the average, then the same fine-tune.

    Isolates: averaging itself. Everything else is as in a round.
    """
    last: dict[str, Weights] = {}

    def combined(start: Weights | None, number: int) -> Weights:
        models = desk.ground.models(desk.updates(start, number))
        last.update(models)
        return models[desk.best_on_guards(models)]

    return replace(_each_round(desk, desk.ground.first_start, combined), local=last)


def ensemble(desk: Desk) -> Made:
    """The mean answer of all edges' models. Isolates: one model from many.

    It takes as many models as edges to predict, and no edge deploys it here.
    """
    models = desk.ground.models(desk.updates(desk.ground.first_start, 1))
    return Made(tuple(models.values()))


def untrained_mean(desk: Desk) -> Made:
    """The mean of as many untrained starts as edges, then the same fine-tune.

    Isolates: what the edges learned from what averaging does to any weights: it makes them
    smaller, which alone helps a net with BatchNorm.
    """
    starts = list(desk.ground.own_starts.values())
    template = desk.ground.template
    mean = []
    for at, spec in enumerate(template.weights):
        if not spec.averaged:
            mean.append(starts[0][at])
            continue
        running = RunningMean(spec.shape)
        for start in starts:
            running.add(start[at], 1.0)
        mean.append(running.result(spec.dtype))
    return _each_round(desk, mean, lambda start, _: start or mean)


def start_server(desk: Desk) -> Made:
    """The start, then the same fine-tune. Isolates: the edges' work, at equal server compute."""
    return _phases(desk, 0)


def start_path(desk: Desk) -> Made:
    """The start, trained on the pool as long as the slowest edge takes, then the same fine-tune.

    Isolates: the edges' work at equal time, where all edges train at once.
    """
    return _phases(desk, max(len(data.train) for data in desk.ground.edges.values()))


def start_total(desk: Desk) -> Made:
    """The start, trained on the pool as much as all edges train, then the same fine-tune.

    Isolates: the edges' work at equal total compute.
    """
    return _phases(desk, desk.edge_examples)


def _phases(desk: Desk, examples: int) -> Made:
    """Each round, a phase on the pool in the edges' place, and the fine-tune.

    Args:
        desk: the arm's.
        examples: that the first phase goes through once for every epoch of an edge; rounded up
            to whole passes over the pool, in the control's favour.
    """
    epochs = math.ceil(desk.config.edge.epochs * examples / len(desk.pool) - 1e-9)

    def first(start: Weights | None, number: int) -> Weights:
        weights = start or desk.ground.initial
        if not epochs:
            return weights
        return desk.tuned(weights, number, epochs=epochs, who=_FIRST)

    return _each_round(desk, desk.ground.initial, first)


def _each_round(
    desk: Desk, start: Weights | None, first: Callable[[Weights | None, int], Weights]
) -> Made:
    """In each round what ``first`` makes of its start, fine-tuned; the next round starts there."""
    weights: Weights = ()
    for number in range(1, desk.config.rounds + 1):
        weights = desk.tuned(first(weights or start, number), number)
    return Made((weights,), desk.trained_on)
