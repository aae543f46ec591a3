"""A run's tables in the terminal: who has what, and who gained."""

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ecavg_tf.core.scores import Score
from ecavg_tf.report import words
from ecavg_tf.report.exports import BRIEF, LEGEND, exports_table
from ecavg_tf.report.words import TIE, gain
from ecavg_tf.results import EdgeResult, RoundResult, RunResults

MANY = 12  # edges: more decisions than that are for the page, not for the terminal


def tables(results: RunResults) -> RenderableType:
    """The whole report, for a terminal."""
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
    if results.exports:
        parts += [
            Text("Exported files, beside their Keras models", style="bold"),
            exports_table(results.exports, BRIEF),
            Text(LEGEND + "\n", style="dim"),
        ]
    if results.rounds:
        last = results.rounds[-1].edges
        if len(last) <= MANY:
            parts += [*_decisions(last), Text()]
        parts.append(_verdict(last))
    else:
        parts.append(Text("no round is finished yet"))
    if results.status != "finished":
        parts.append(Text(f"status: {results.status}", style="yellow"))
    return Group(*parts)


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
            words.classes(edge.class_counts, results.classes),
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


def _decisions(edges: Sequence[EdgeResult]) -> Iterable[Text]:
    for edge in edges:
        if edge.accepted is not None:
            yield Text.assemble((edge.edge, "bold"), " ", words.decision(edge.accepted))


def _verdict(edges: Sequence[EdgeResult]) -> Text:
    text, well = words.verdict(edges)
    return Text(text, style={True: "green", False: "red", None: "yellow"}[well])


def _percent(scored: Score | None) -> str:
    return "–" if scored is None else f"{100 * scored.accuracy:.1f}"


def _points(change: float | None) -> Text:
    if change is None:
        return Text("–")
    style = "" if abs(change) <= TIE else ("green" if change > 0 else "red")
    return Text(f"{100 * change:+.1f}", style=style)
