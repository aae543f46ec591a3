"""Compares runs side by side."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import mean

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ecavg_tf.config.fields import flatten_dict
from ecavg_tf.core.scores import Accepted, Scores
from ecavg_tf.report.gains import TIE, gain, gains_since_first
from ecavg_tf.report.plain import plain
from ecavg_tf.report.words import signed
from ecavg_tf.results import EdgeResult, RunResults


def comparison(runs: Sequence[tuple[str, RunResults]]) -> RenderableType:
    """Tables with a column for each run: what differs, the server, the edges.

    Args:
        runs: names and results; at least two.
    """
    names = [name for name, _ in runs]
    results = [each for _, each in runs]
    return Group(
        Text("What differs", style="bold"),
        _table("field", names, _differences(results)),
        Text("After the last round, accuracy in %", style="bold"),
        _table("", names, _figures(results)),
        Text("own: the mean over edges, on test examples in each edge's label mix\n", style="dim"),
        Text("Each edge: own accuracy, local → accepted", style="bold"),
        _table("edge", names, _edges(results)),
        *_since_first(names, results),
    )


def _table(corner: str, names: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(corner, no_wrap=True)
    for name in names:
        table.add_column(plain(name), justify="right", overflow="fold")
    for row in rows:
        table.add_row(*map(plain, row))
    return table


def _differences(results: Sequence[RunResults]) -> Iterable[Sequence[str]]:
    flat = [flatten_dict(dict(each.config)) for each in results]
    for field in sorted({field for config in flat for field in config}):
        values = [config.get(field) for config in flat]
        if any(value != values[0] for value in values):
            yield (field, *("–" if value is None else str(value) for value in values))
    statuses = [each.status for each in results]
    if set(statuses) != {"finished"}:
        yield ("status", *statuses)


def _figures(results: Sequence[RunResults]) -> Iterable[Sequence[str]]:
    last = [each.rounds[-1] if each.rounds else None for each in results]
    yield ("rounds", *(str(len(each.rounds)) for each in results))
    for stage, label in (
        ("averaged", "averaged, all"),
        ("recalibrated", "recalibrated, all"),
        ("global_", "global, all"),
    ):
        if stage == "recalibrated" and not any(each.recalibrates for each in results):
            continue
        scores = [getattr(each.server, stage).all if each else None for each in last]
        yield (label, *("–" if s is None else f"{100 * s.accuracy:.1f}" for s in scores))
    edges = [each.edges if each else () for each in last]
    for stage, label in (
        ("local", "local, own"),
        ("global_", "global, own"),
        ("accepted", "accepted, own"),
    ):
        yield (label, *(_mean(getattr(edge, stage) for edge in group) for group in edges))
    gains = [[change for edge in group if (change := gain(edge)) is not None] for group in edges]
    yield ("gained over local", *(_count(changes, 1) for changes in gains))
    yield ("lost against local", *(_count(changes, -1) for changes in gains))
    if any(len(each.rounds) > 1 for each in results):
        since = [list(_gains_since_first(each).values()) for each in results]
        yield ("gained since round 1", *(_count(changes, 1) for changes in since))
        yield ("lost since round 1", *(_count(changes, -1) for changes in since))


def _edges(results: Sequence[RunResults]) -> Iterable[Sequence[str]]:
    last = [{edge.edge: edge for edge in each.rounds[-1].edges} if each.rounds else {}
            for each in results]  # fmt: skip
    for name in sorted({name for edges in last for name in edges}):
        yield (name, *(_edge(edges.get(name)) for edges in last))


def _since_first(names: Sequence[str], results: Sequence[RunResults]) -> Iterable[RenderableType]:
    """The deployed models compared with those of round 1, for runs of several rounds."""
    if all(len(each.rounds) < 2 for each in results):
        return
    since = [_gains_since_first(each) for each in results]
    runs = list(zip(results, since, strict=True))
    edges = sorted({edge for known in since for edge in known})
    rows = [(edge, *(_from_first(each, edge, known) for each, known in runs)) for edge in edges]
    yield Text("Each edge: own accuracy, local model of round 1 → accepted last", style="bold")
    yield _table("edge", names, rows)


def _from_first(results: RunResults, edge: str, since: Mapping[str, float]) -> str:
    if edge not in since:
        return "–"
    (last,) = (each.accepted for each in results.rounds[-1].edges if each.edge == edge)
    (first,) = (each.local for each in results.rounds[0].edges if each.edge == edge)
    return f"{_mean([first])} → {_mean([last])} ({signed(since[edge])})"


def _gains_since_first(results: RunResults) -> dict[str, float]:
    return gains_since_first(results.rounds) if results.rounds else {}


def _edge(edge: EdgeResult | None) -> str:
    if edge is None or edge.accepted is None:
        return "–"
    change = gain(edge)
    shown = "" if change is None else f" ({signed(change)})"
    return f"{_mean([edge.local])} → {_mean([edge.accepted])}{shown} {edge.accepted.rung}"


def _mean(stages: Iterable[Scores | Accepted | None]) -> str:
    known = [stage.own.accuracy for stage in stages if stage is not None and stage.own is not None]
    return f"{100 * mean(known):.1f}" if known else "–"


def _count(changes: Sequence[float], sign: int) -> str:
    return f"{sum(sign * change > TIE for change in changes)} of {len(changes)}"
