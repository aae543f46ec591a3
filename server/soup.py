"""Greedy soup: the mean of those edges' models that held-out examples want in it.

Wortsman et al., "Model soups" (ICML 2022, arXiv 2203.05482), recipe 1: the models are sorted by
how well they do on held-out examples, the best one is the first ingredient, and each other one
stays in the mean if the mean is no worse with it. Here "well" is the mean log-likelihood, the
mean is uniform, and BatchNorm is recalibrated on pooled data before a mean is judged.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ecavg_tf.core.messages.update_file import Update
from ecavg_tf.core.template import Array, Template
from server.aggregate import average_updates

SOUP = "soup"
_MOST_TRIED = 32  # models, the best ones: each try reads all ingredients again


@dataclass(frozen=True)
class Soup:
    """What was cooked.

    Attributes:
        weights: the mean, recalibrated, in template order.
        edges: whose models are in it, the best one first.
        scores: mean log-likelihood of the held-out examples under each edge's model, and under
            the soup.
    """

    weights: Sequence[Array]
    edges: tuple[str, ...]
    scores: dict[str, float]


def greedy_soup(
    updates: Sequence[Update],
    template: Template,
    base: Sequence[Array],
    *,
    judge: Callable[[Sequence[Array]], float],
    recalibrated: Callable[[Sequence[Array]], Sequence[Array]],
) -> Soup:
    """Cooks the soup of a round.

    Args:
        updates: the edges' models, at least one.
        template: the run's template.
        base: what the round started from, for weights that an update leaves out.
        judge: the mean log-likelihood of held-out examples under a model; higher is better.
        recalibrated: a mean with BatchNorm statistics of its own.
    """
    alone: dict[int, float] = {}
    for at, update in enumerate(updates):
        named = {spec.key: array for spec, array in update.items(template)}
        alone[at] = judge(template.listed(named, base))
    order = sorted(alone, key=lambda at: -alone[at])
    taken, weights, best = [order[0]], _mean([updates[order[0]]], template, base), alone[order[0]]
    for at in order[1:_MOST_TRIED]:
        together = [updates[each] for each in (*taken, at)]
        tried = recalibrated(_mean(together, template, base))
        score = judge(tried)
        if score >= best:
            taken, weights, best = [*taken, at], tried, score
    scores = {f"edge {updates[at].info.edge}": score for at, score in alone.items()}
    return Soup(weights, tuple(updates[at].info.edge for at in taken), scores | {SOUP: best})


def _mean(updates: Sequence[Update], template: Template, base: Sequence[Array]) -> Sequence[Array]:
    return average_updates(updates, template, base, [1.0] * len(updates))
