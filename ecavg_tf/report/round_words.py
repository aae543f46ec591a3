"""A round's scores in plain words, for who watches and for the log."""

import math

from ecavg_tf.results import RoundResult


def measured(result: RoundResult) -> str:
    """A line for who watches: accuracies of a round on test examples, before the edges decide."""
    server = result.server
    models = [("averaged", server.averaged.all), ("global", server.global_.all)]
    told = [f"{name} {100 * score.accuracy:.1f} %" for name, score in models if score]
    own = [100 * each.local.own.accuracy for each in result.edges if each.local and each.local.own]
    if own:
        told.append(f"edges' local models on their own {min(own):.1f} to {max(own):.1f} %")
    known = ", ".join(told) or "not measured, nobody has test examples"
    return f"round {result.round}  test accuracy: {known}"


def at_chance(result: RoundResult) -> str:
    """Says that a round's global model tells nothing apart; empty: it does, or nobody knows."""
    score = result.server.global_.all
    if score is None or not result.edges:
        return ""
    classes = len(result.edges[0].class_counts)
    chance = 1 / classes
    by_luck = chance + 2 * math.sqrt(chance * (1 - chance) / score.n)  # two standard errors
    if score.accuracy > by_luck or score.loss <= math.log(classes):
        return ""
    return (
        f"the global model of round {result.round} is no better than chance: its accuracy on test "
        f"examples is {100 * score.accuracy:.1f} % with {classes} classes, and its loss is "
        f"{score.loss:.2f}; a model that finds all classes equally likely has a loss of "
        f"{math.log(classes):.2f}. If training diverged, lower edge.learning_rate or "
        "server.learning_rate"
    )


def scored(result: RoundResult) -> str:
    """A line for the log: accuracies of a round, before the edges decide."""
    server = result.server
    models = [("averaged", server.averaged.all), ("global", server.global_.all)]
    models += [(each.edge, each.local.own) for each in result.edges if each.local]
    told = [f"{who} {100 * score.accuracy:.1f} %" for who, score in models if score]
    return f"round {result.round}: {', '.join(told) or 'nothing could be scored'}"
