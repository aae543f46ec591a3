"""A run's last round as a small HTML table, for notebooks."""

from html import escape

from ecavg_tf.core.scores import Score
from ecavg_tf.results import RunResults

_MOST = 50  # edges; the report has the others


def edges_html(results: RunResults) -> str:
    """A heading and a table; names are escaped, since edges choose them."""
    if not results.rounds:
        return f"<p>{escape(repr(results))}</p>"
    last = results.rounds[-1]
    head = ("edge", "examples", "local, own %", "global, own %", "accepted, own %", "takes")
    lines = ["".join(f"<th>{word}</th>" for word in head)]
    for edge in last.edges[:_MOST]:
        models = (edge.local, edge.global_, edge.accepted)
        cells = (
            edge.edge,
            f"{edge.examples:,}",
            *(_percent(None if scores is None else scores.own) for scores in models),
            edge.accepted.rung if edge.accepted else "–",
        )
        lines.append("".join(f"<td>{escape(cell)}</td>" for cell in cells))
    table = "".join(f"<tr>{line}</tr>" for line in lines)
    more = len(last.edges) - _MOST
    note = f"<p>and {more:,} more edges</p>" if more > 0 else ""
    said = f"Round {last.round}, {escape(results.status)}; server's model on all classes: "
    return f"<p>{said}{_percent(last.server.global_.all)} %</p><table>{table}</table>{note}"


def _percent(score: Score | None) -> str:
    return "–" if score is None else f"{100 * score.accuracy:.1f}"
