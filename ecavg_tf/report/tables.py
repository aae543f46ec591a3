"""A run's tables in the terminal: who has what, and who gained."""

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ecavg_tf.core.exports import Exported
from ecavg_tf.core.scores import Score
from ecavg_tf.report import words
from ecavg_tf.report.exports import BRIEF, exports_table, formats_table, legend
from ecavg_tf.report.gains import TIE, gain, gains_over_alone, gains_since_first, verdict
from ecavg_tf.report.plain import plain
from ecavg_tf.report.shown import left_out, shown
from ecavg_tf.results import EdgeResult, RoundResult, RunResults

MANY = 12  # edges: more decisions than that are for the page, not for the terminal


def tables(results: RunResults) -> RenderableType:
    """The whole report, for a terminal."""
    parts: list[RenderableType] = []
    for done, result in enumerate(results.rounds, start=1):
        total = results.config.get("rounds", len(results.rounds))
        tested = words.server_test(result.server)
        spent = " · ".join(f"{stage} {seconds:.1f} s" for stage, seconds in result.seconds.items())
        parts += [
            Text(f"Round {result.round} of {total}: the edges, accuracy in %", style="bold"),
            _edges_table(results.rounds[:done], results),
            *(Text(told, style="dim") for told in [left_out(result.edges)] if told),
            Text(_legend(results, done), style="dim"),
            Text(f"\nRound {result.round} of {total}: the server, {tested}", style="bold"),
            *(table for table in [_server_table(result, results)] if table.row_count),
            Text(f"{result.samples.server:,} pooled examples · {spent}\n", style="dim"),
            *_refusals(result),
        ]
    if results.exports:
        parts += [
            Text("Exported files, compared with their Keras models", style="bold"),
            *_exports(results.exports),
        ]
    if results.rounds:
        last = results.rounds[-1].edges
        if len(last) <= MANY:
            parts += [*_decisions(last), Text()]
        parts.append(_verdict(results))
    else:
        parts.append(Text("no round is finished yet"))
    if results.status != "finished":
        parts.append(Text(f"status: {results.status}", style="yellow"))
    return Group(*parts)


def _exports(exports: Sequence[Exported]) -> Iterable[RenderableType]:
    """A row a file, or a row a format where there are many; what did not pass is always named."""
    if len(exports) <= MANY:
        return [exports_table(exports, BRIEF), Text(legend(BRIEF) + "\n", style="dim")]
    parts: list[RenderableType] = [formats_table(exports)]
    if left := [row for row in exports if row.status != "passed"]:
        parts.append(exports_table(left, BRIEF))
    return [*parts, Text("report.html and exports.csv show every file\n", style="dim")]


def _legend(results: RunResults, done: int) -> str:
    server = results.rounds[done - 1].server
    told = f"own: accuracy on {words.own(server)}"
    if done > 1 and results.alone and done == len(results.rounds):
        told += " · alone: the edge alone for as many epochs · gain: accepted against alone"
    else:
        told += " · gain: accepted against local"
        if done > 1:
            told += " · since first: against its local model of round 1, trained alone"
    mixed = results.exports and words.has_test(server)
    return told + (" · exported files are scored without that mix" if mixed else "")


def _edges_table(rounds: Sequence[RoundResult], results: RunResults) -> Table:
    """The last of some rounds, narrow enough for a terminal of 80 columns."""
    last = rounds[-1]
    since = gains_since_first(rounds) if len(rounds) > 1 else None
    ended = len(rounds) > 1 and last is results.rounds[-1] and bool(results.alone)
    over = gains_over_alone(last, results.alone) if ended else None
    alone = {each.edge: each.own for each in results.alone} if ended else {}
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), collapse_padding=True, pad_edge=False)
    table.add_column("edge", no_wrap=True)
    table.add_column("examples", justify="right", no_wrap=True)
    table.add_column("classes")  # the only one that a narrow terminal may break
    # A later round starts from the global model of the round before.
    stages = ("local", "global", "accepted", "gain")
    before = "start" if since is None else "alone" if over is not None else None
    for name in stages if before is None else (before, *stages):
        table.add_column(f"{name}\nown", justify="right", no_wrap=True)
    if since is not None and over is None:
        table.add_column("since\nfirst", justify="right", no_wrap=True)
    table.add_column("takes", no_wrap=True)
    for edge in shown(rounds[-1].edges):
        scored = [None if s is None else s.own for s in (edge.local, edge.global_, edge.accepted)]
        if since is None:
            scored.insert(0, edge.start.own if edge.start else None)
        elif over is not None:
            scored.insert(0, alone.get(edge.edge))
        table.add_row(
            plain(edge.edge),
            f"{edge.examples:,}",
            Text(words.classes(edge.class_counts, results.classes)),
            *map(_percent, scored),
            _points(gain(edge) if over is None else over.get(edge.edge)),
            *(() if since is None or over is not None else (_points(since.get(edge.edge)),)),
            plain(edge.accepted.rung if edge.accepted else "–"),
        )
    return table


def _server_table(result: RoundResult, results: RunResults) -> Table:
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
        if stage == "recalibrated" and not results.recalibrates:
            continue
        if scored or words.has_test(server):  # else the edges report on the global model alone
            table.add_row(stage, _percent(scored), f"{scored.loss:.3f}" if scored else "–")
    other = results.pooled_only
    if other is not None and other.all is not None and result is results.rounds[-1]:
        table.add_row(words.POOLED_ONLY, _percent(other.all), f"{other.all.loss:.3f}")
    return table


def _refusals(result: RoundResult) -> Iterable[Text]:
    for refusal in result.refused:
        yield plain(f"refused {refusal.edge}: {refusal.reason}", style="red")
    for missing in result.absent:
        yield plain(f"absent {missing.edge}: {missing.reason}", style="yellow")


def _decisions(edges: Sequence[EdgeResult]) -> Iterable[Text]:
    for edge in edges:
        if edge.accepted is not None:
            told = plain(words.brief(edge.accepted))
            yield Text.assemble(plain(edge.edge, "bold"), " ", told)


def outcome(results: RunResults) -> Text:
    """Who gained and who lost, without a table."""
    return _verdict(results) if results.rounds else Text("no round is finished yet")


def _verdict(results: RunResults) -> Text:
    told = verdict(results.rounds, results.alone)
    return Text(told.text, style={"won": "green", "lost": "red", "even": "bold"}[told.tone])


def _percent(scored: Score | None) -> str:
    return "–" if scored is None else f"{100 * scored.accuracy:.1f}"


def _points(change: float | None) -> Text:
    if change is None:
        return Text("–")
    style = "" if abs(change) <= TIE else ("green" if change > 0 else "red")
    return Text(words.signed(change), style=style)
