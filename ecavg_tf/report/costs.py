"""What a run cost: seconds and bytes, by round and by edge."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ecavg_tf.core.findings import EdgeCost
from ecavg_tf.report.shown import shown
from ecavg_tf.results import RoundResult, RunResults

_SERVER = ("average", "recalibrate", "finetune")


@dataclass(frozen=True)
class Line:
    """A line of a table of costs.

    Attributes:
        name: a round's number, or an edge.
        asked: how many edges were asked, or in how many rounds it was.
        training: seconds that edges trained.
        deciding: seconds that they decided.
        evaluating: seconds that they evaluated.
        server: seconds that the server averaged and trained.
        down: bytes that went out.
        up: bytes that came in.
    """

    name: str
    asked: int
    training: float
    deciding: float
    evaluating: float
    server: float
    down: int
    up: int


def rounds(results: RunResults) -> tuple[Line, ...]:
    """One line a round; empty: an older version counted nothing."""
    return tuple(
        _line(str(each.round), each.costs, len(each.participants), server_seconds(each))
        for each in results.rounds
        if each.costs
    )


def edges(results: RunResults) -> tuple[Line, ...]:
    """One line an edge over all rounds, of those that a report shows one by one."""
    found: dict[str, list[EdgeCost]] = {}
    times: dict[str, int] = {}
    for result in results.rounds:
        for cost in result.costs:
            found.setdefault(cost.edge, []).append(cost)
        for name in result.participants:
            times[name] = times.get(name, 0) + 1
    names = {edge.edge for edge in shown(results.rounds[-1].edges)} if results.rounds else set()
    # Edges that were refused or absent in the last round are not among its edges.
    gone = found.keys() - {edge.edge for each in results.rounds[-1:] for edge in each.edges}
    kept = sorted(names & found.keys() | set(sorted(gone)[: len(names)]))
    return tuple(_line(name, found[name], times.get(name, 0), 0.0) for name in kept)


def together(lines: Sequence[Line]) -> Line:
    """The sum of some lines."""
    return Line(
        "all",
        sum(line.asked for line in lines),
        sum(line.training for line in lines),
        sum(line.deciding for line in lines),
        sum(line.evaluating for line in lines),
        sum(line.server for line in lines),
        sum(line.down for line in lines),
        sum(line.up for line in lines),
    )


def server_seconds(result: RoundResult) -> float:
    """What the server spent on a round's model, evaluation aside."""
    return sum(result.seconds.get(stage, 0.0) for stage in _SERVER)


def size(count: int) -> str:
    """A number of bytes with a unit that suits it and about three digits."""
    value, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    digits = 0 if unit == "B" or value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f} {unit}"


def _line(name: str, costs: Iterable[EdgeCost], asked: int, server: float) -> Line:
    spent = tuple(costs)

    def seconds(stage: str) -> float:
        return sum(cost.seconds.get(stage, 0.0) for cost in spent)

    return Line(
        name,
        asked,
        seconds("pretrain"),
        seconds("update"),
        seconds("evaluate"),
        server,
        sum(cost.bytes_down for cost in spent),
        sum(cost.bytes_up for cost in spent),
    )
