"""A run's tables: who has what, and who gained."""

import io
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ecavg_tf.core.scores import Score
from ecavg_tf.results import EdgeResult, RoundResult, RunResults

TIE = 5e-5  # what a table with one decimal of a percent can't show is no gain and no loss


def tables(results: RunResults) -> RenderableType:
    """The whole report, for a terminal or for ``Console.export_html``."""
    parts: list[RenderableType] = []
    for result in results.rounds:
        total = results.config.get("rounds", len(results.rounds))
        spent = " · ".join(f"{stage} {seconds:.1f} s" for stage, seconds in result.seconds.items())
        parts += [
            Text(f"Round {result.round} of {total}: the edges, accuracy in %", style="bold"),
            _edges_table(result, results),
            Text(
                "own: the test set in the edge's label mix · all: the whole test set", style="dim"
            ),
            Text(f"\nRound {result.round} of {total}: the server, whole test set", style="bold"),
            _server_table(result),
            Text(f"{result.samples.server:,} pooled examples · {spent}\n", style="dim"),
            *_refusals(result),
        ]
    if results.rounds:
        parts.append(_verdict(results.rounds[-1].edges))
    else:
        parts.append(Text("no round is finished yet"))
    if results.status != "finished":
        parts.append(Text(f"status: {results.status}", style="yellow"))
    return Group(*parts)


def html(results: RunResults) -> str:
    """The tables as a self-contained page."""
    console = Console(record=True, width=110, file=io.StringIO())
    console.print(tables(results))
    return console.export_html(inline_styles=True)


def _edges_table(result: RoundResult, results: RunResults) -> Table:
    """Narrow enough for a terminal of 80 columns."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), collapse_padding=True, pad_edge=False)
    table.add_column("edge", no_wrap=True)
    table.add_column("examples", justify="right")
    table.add_column("classes", no_wrap=True)
    for stage in ("start", "local", "global", "accepted", "gain"):
        table.add_column(f"{stage}\nown", justify="right")
    table.add_column("takes", no_wrap=True)
    for edge in result.edges:
        stages = (edge.start, edge.local, edge.global_, edge.accepted)
        table.add_row(
            edge.edge,
            f"{edge.examples:,}",
            _classes(edge.class_counts, results.classes),
            *(_percent(None if scores is None else scores.own) for scores in stages),
            _points(gain(edge)),
            edge.accepted.rung if edge.accepted else "–",
        )
    return table


def _server_table(result: RoundResult) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), collapse_padding=True, pad_edge=False)
    table.add_column("stage")
    table.add_column("accuracy", justify="right")
    table.add_column("loss", justify="right")
    server = result.server
    for stage, scored in (
        ("averaged", server.averaged.all),
        ("recalibrated", server.recalibrated.all),
        ("global", server.global_.all),
    ):
        table.add_row(stage, _percent(scored), f"{scored.loss:.3f}" if scored else "–")
    return table


def _refusals(result: RoundResult) -> Iterable[Text]:
    for refusal in result.refused:
        yield Text(f"refused {refusal.edge}: {refusal.reason}", style="red")


def gain(edge: EdgeResult) -> float | None:
    """Own accuracy of the accepted model minus that of the local model."""
    if edge.local is None or edge.accepted is None:
        return None
    if edge.local.own is None or edge.accepted.own is None:
        return None
    return edge.accepted.own.accuracy - edge.local.own.accuracy


def _verdict(edges: Sequence[EdgeResult]) -> Text:
    gains = {edge.edge: change for edge in edges if (change := gain(edge)) is not None}
    if not gains:
        return Text("No edge has decided on the global model yet.", style="yellow")
    lost = {name: change for name, change in gains.items() if change < -TIE}
    won = [name for name, change in gains.items() if change > TIE]
    text = f"{len(won)} of {len(gains)} edges gained own accuracy over their local model"
    if lost:
        losers = ", ".join(f"{name} {100 * change:+.1f} points" for name, change in lost.items())
        text += f"; {len(lost)} lost ({losers})"
    return Text(text + ".", style="red" if lost else "green")


def _classes(counts: Sequence[int], names: Sequence[str]) -> str:
    held = [names[label] for label, count in enumerate(counts) if count]
    if len(held) == len(names):
        return f"all {len(names)}"
    listed = ", ".join(held)
    return listed if len(listed) <= 16 else f"{len(held)} of {len(names)}"


def _percent(scored: Score | None) -> str:
    return "–" if scored is None else f"{100 * scored.accuracy:.1f}"


def _points(change: float | None) -> Text:
    if change is None:
        return Text("–")
    style = "" if abs(change) <= TIE else ("green" if change > 0 else "red")
    return Text(f"{100 * change:+.1f}", style=style)
