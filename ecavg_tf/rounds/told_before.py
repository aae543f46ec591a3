"""What a user should know before the first round is played."""

from collections.abc import Callable, Iterator, Sequence

from ecavg_tf.config import Config, FleetKind, decision_level
from ecavg_tf.core.deciding.bounds import smallest_sign
from ecavg_tf.core.template import Template
from ecavg_tf.data.consent import consented_count
from ecavg_tf.data.federated import FederatedData
from ecavg_tf.report.words import FEW
from ecavg_tf.rounds.alone import alone_examples
from ecavg_tf.rounds.pooled_only import pooled_only_examples, tuned_examples
from ecavg_tf.rounds.spending import not_protected


def told_before(config: Config, template: Template, data: FederatedData) -> Iterator[str]:
    """Lines on what the settings can't do; none: nothing stands out.

    Args:
        config: the run's.
        template: of its model.
        data: of the edges in this process.
    """
    yield from not_protected(config, template)
    if config.update.policy == "guarded" and config.fleet.kind is FleetKind.LOCAL:
        yield from few_to_decide_with(config, [len(data.edge(name).guard) for name in data.edges])


def few_to_decide_with(config: Config, sizes: list[int]) -> Iterator[str]:
    """Says how large a gain the smallest guard set can show, where that is a large one."""
    few = [size for size in sizes if size < FEW]
    if not few:
        return
    level = decision_level(config)
    wins = smallest_sign(level)
    fewest = min(few)
    whose = "one edge holds" if len(few) == 1 else f"{len(few):,} edges hold"
    begun = f"{whose} out fewer than {FEW} examples to decide with, the fewest {fewest:,}"
    raised = "raise partition.guard_fraction, or give these edges more data"
    if fewest < wins:
        yield f"{begun}: by accuracy these can't show any gain (it takes {wins}); {raised}"
        return
    yield (
        f"{begun}: by accuracy these show only gains of {100 * wins / fewest:.1f} points or more; "
        f"to show 2 points takes {50 * wins:,} examples: {raised}"
    )


def planned_examples(
    config: Config, data: FederatedData, first: int, participants: Callable[[int], Sequence[str]]
) -> int:
    """Examples that all epochs of the rounds left will see here; 0: that is not known.

    Edges elsewhere train unseen, and what they will pool only they know.

    Args:
        config: the run's.
        data: of the edges in this process.
        first: the first of the rounds left.
        participants: who takes part in a round.
    """
    if config.fleet.kind is not FleetKind.LOCAL:
        return 0
    trains = {name: data.edge(name).train for name in data.edges}
    pooled = sum(consented_count(config.server, name, trains[name]) for name in trains)
    seen = {
        number: sum(len(trains[name]) for name in participants(number))
        for number in range(1, config.rounds + 1)
    }
    total = alone_examples(config, data) + pooled_only_examples(config, pooled, seen.values())
    for number in range(first, config.rounds + 1):
        total += config.edge.epochs * seen[number]
        total += tuned_examples(config.server, pooled, seen[number])
    return total
