"""The report's pictures, by matplotlib."""

import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from ecavg_tf.core.scores import Accepted, Scores
from ecavg_tf.report.words import TIE, gain
from ecavg_tf.results import EdgeResult, RoundResult, RunResults

NAMED = 12  # edges that a picture can name one by one
WIDTH = 7.2  # inches


@dataclass(frozen=True)
class Theme:
    """Colours of one mode; the hues are Okabe and Ito's, told apart by everybody.

    Attributes:
        ink: text and axes.
        paper: the background.
        faint: grid lines and what is not in focus.
        won: an edge that gained.
        lost: an edge that lost.
        server: the server's models.
        scale: matplotlib's colour map for counts.
    """

    ink: str
    paper: str
    faint: str
    won: str
    lost: str
    server: str
    scale: str


LIGHT = Theme("#1f2328", "#ffffff", "#d0d7de", "#009e73", "#d55e00", "#0072b2", "Blues")
DARK = Theme("#e6edf3", "#0d1117", "#3d444d", "#2ec4a0", "#ff8c42", "#56b4e9", "cividis")


def own_accuracy(results: RunResults, theme: Theme) -> Figure:
    """Each edge's own accuracy: local, then the global model, then what it accepted."""
    edges = [edge for edge in results.rounds[-1].edges if gain(edge) is not None]
    figure, axes = _figure(theme, height=4.2)
    for edge in edges:
        change = gain(edge) or 0.0
        color = theme.won if change > TIE else theme.lost if change < -TIE else theme.ink
        stages = [_percent(scores) for scores in (edge.local, edge.global_, edge.accepted)]
        axes.plot(stages, color=color, marker="o", lw=2, alpha=1 if len(edges) <= NAMED else 0.5)
    if len(edges) <= NAMED:
        _label_ends(axes, edges)
    axes.set_xticks(
        range(3), ["local\nits own training", "global\nthe server's", "accepted\ndeployed"]
    )
    axes.set_xlim(-0.25, 2.2 + 1.0 * (len(edges) <= NAMED))
    axes.set_ylabel("own accuracy, %")
    return figure


def data(results: RunResults, theme: Theme) -> Figure:
    """Who has what: training examples of each class on each edge."""
    edges = _everybody(results)
    counts = np.array([edge.class_counts for edge in edges])
    figure, axes = _figure(theme, height=min(1.4 + 0.32 * len(edges), 9))
    shown = axes.imshow(counts, aspect="auto", cmap=theme.scale, vmin=0)
    if counts.shape[1] <= 20:
        names = [_label(name) for name in results.classes]
        turned = max(map(len, names)) > 3
        axes.set_xticks(
            range(counts.shape[1]),
            names,
            rotation=45 * turned,
            ha="right" if turned else "center",
        )
        if len(edges) <= 20:
            _write_counts(axes, counts, theme)
    else:
        axes.set_xlabel(f"class, 0 to {counts.shape[1] - 1}")
    if len(edges) <= 40:
        axes.set_yticks(range(len(edges)), [_label(edge.edge) for edge in edges])
    else:
        axes.set_ylabel("edge")
    axes.tick_params(length=0)
    axes.grid(visible=False)
    bar = figure.colorbar(shown, ax=axes, pad=0.02)
    bar.ax.tick_params(colors=theme.ink)
    bar.set_label("training examples", color=theme.ink)
    return figure


def stages(results: RunResults, theme: Theme) -> Figure:
    """Accuracy on the whole test set, stage by stage and round by round."""
    figure, axes = _figure(theme, height=3.6)
    ticks: list[str] = []
    where: list[int] = []
    server: list[float] = []
    local: list[tuple[int, float]] = []
    for result in results.rounds:
        at = len(ticks)
        local += [
            (at, 100 * edge.local.all.accuracy)
            for edge in result.edges
            if edge.local and edge.local.all
        ]
        ticks += [f"r{result.round} {stage}" for stage in _STAGES]
        models = result.server.averaged, result.server.recalibrated, result.server.global_
        for offset, model in enumerate(models, start=1):
            if model.all is not None:
                where.append(at + offset)
                server.append(100 * model.all.accuracy)
    axes.plot(where, server, color=theme.server, marker="s", lw=2, label="the server's model")
    if local:
        at_local, accuracies = zip(*local, strict=True)
        axes.scatter(
            at_local, accuracies, s=16, color=theme.ink, alpha=0.6, label="each edge's local model"
        )
    names = ticks if len(results.rounds) > 1 else [tick[3:] for tick in ticks]
    crowded = len(ticks) > 6
    axes.set_xticks(
        range(len(ticks)), names, rotation=90 if crowded else 0, fontsize=7 + 2 * (not crowded)
    )
    axes.set_ylabel("accuracy on all classes, %")
    figure.legend(loc="outside upper left", frameon=False, labelcolor=theme.ink, ncols=2)
    return figure


_STAGES = ("local", "averaged", "recalibrated", "global")


def by_round(results: RunResults, theme: Theme) -> Figure:
    """Own accuracy of what each edge deploys, round by round.

    A bar under a point ends at the guard's lower bound for that change of accuracy.
    """
    figure, axes = _figure(theme, height=3.6)
    series = _accepted_by_round(results.rounds)
    colors = matplotlib.colormaps["tab10" if len(series) <= 10 else "viridis"]
    for number, (name, accepted) in enumerate(series.items()):
        color = colors(number / max(1, len(series) - 1) if len(series) > 10 else number)
        shift = 0.04 * (number - (len(series) - 1) / 2) if len(series) <= NAMED else 0
        rounds = [r + shift for r, _ in accepted]
        values = [_percent(each) for _, each in accepted]
        axes.plot(rounds, values, color=color, marker="o", lw=1.5, label=_label(name))
        for at, before, (_, each) in zip(rounds[1:], values, accepted[1:], strict=False):
            floor = _floor(each)
            if floor is not None:
                axes.vlines(at, before + 100 * floor, _percent(each), color=color, alpha=0.35, lw=4)
    if len(series) <= NAMED:
        axes.legend(frameon=False, labelcolor=theme.ink, ncols=3, fontsize=8)
    axes.set_xticks([result.round for result in results.rounds])
    axes.set_xlabel("round")
    axes.set_ylabel("own accuracy of the\ndeployed model, %")
    return figure


def pictures(results: RunResults) -> dict[str, Callable[[RunResults, Theme], Figure]]:
    """The pictures that this run has something for, in the page's order."""
    if not results.rounds:
        return {}
    found: dict[str, Callable[[RunResults, Theme], Figure]] = {}
    if any(gain(edge) is not None for edge in results.rounds[-1].edges):
        found["own-accuracy"] = own_accuracy
    if len(results.rounds) > 1 and _accepted_by_round(results.rounds):
        found["by-round"] = by_round
    if any(result.edges for result in results.rounds):
        found["data"] = data
    return {**found, "stages": stages}


def render(figure: Figure, kind: str) -> bytes:
    """A figure as ``png`` or ``svg`` bytes, the same for the same figure."""
    stream = io.BytesIO()
    with (
        warnings.catch_warnings(),
        matplotlib.rc_context({"svg.hashsalt": "ecavg", "svg.fonttype": "path"}),
    ):
        # A script that the font lacks becomes boxes; the page has the names as text, too.
        warnings.filterwarnings("ignore", message="Glyph")
        # Not savefig, which draws everything twice.
        if kind == "svg":
            FigureCanvasSVG(figure).print_svg(stream, metadata={"Date": None})
        else:
            figure.set_dpi(160)
            FigureCanvasAgg(figure).print_png(stream, metadata={"Software": None})
    return stream.getvalue()


def _figure(theme: Theme, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, height), facecolor=theme.paper, layout="constrained")
    axes = figure.subplots()
    axes.set_facecolor(theme.paper)
    axes.tick_params(colors=theme.ink, which="both")
    axes.xaxis.label.set_color(theme.ink)
    axes.yaxis.label.set_color(theme.ink)
    axes.grid(axis="y", color=theme.faint, lw=0.6)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(theme.faint)
    return figure, axes


def _label_ends(axes: Axes, edges: Sequence[EdgeResult]) -> None:
    """Names lines at their right ends, pushed apart where they would overlap."""
    ends = sorted(((_percent(e.accepted), e) for e in edges), key=lambda end: end[0])
    low, high = axes.get_ylim()
    least = 0.055 * (high - low)
    places: list[float] = []
    for value, _ in ends:
        places.append(max(value, places[-1] + least) if places else value)
    # Pushed upwards only, they would leave their points: share the way.
    surplus = (places[-1] - ends[-1][0]) / 2
    places = [place - surplus for place in places]
    for place, (value, edge) in zip(places, ends, strict=True):
        change = 100 * (gain(edge) or 0.0)
        taken = edge.accepted.rung if edge.accepted else ""
        axes.annotate(
            _label(f"{edge.edge}: {value:.1f} ({change:+.1f}, {taken})", 40),
            (2, value),
            (2.12, place),
            color=axes.xaxis.label.get_color(),
            fontsize=9,
            va="center",
            arrowprops={"arrowstyle": "-", "lw": 0.5, "color": axes.xaxis.label.get_color()},
        )
    axes.set_ylim(min(low, places[0] - least), max(high, places[-1] + least))
    axes.set_yticks([tick for tick in axes.get_yticks() if 0 <= tick <= 100.001])


def _label(text: str, most: int = 20) -> str:
    """A name as matplotlib shall show it: not too long, and no mathematics."""
    short = text if len(text) <= most else text[: most - 1] + "…"
    return short.replace("$", r"\$")


def _write_counts(axes: Axes, counts: np.ndarray, theme: Theme) -> None:
    middle = counts.max() / 2
    for row, column in np.ndindex(*counts.shape):
        n = int(counts[row, column])
        light_cell = (n > middle) == (theme is DARK)
        if n:
            axes.text(column, row, f"{n:,}", ha="center", va="center", fontsize=7,
                      color="#111111" if light_cell else "#ffffff")  # fmt: skip


def _everybody(results: RunResults) -> list[EdgeResult]:
    """Every edge that any round saw, in order of names."""
    found = {edge.edge: edge for result in results.rounds for edge in result.edges}
    return [found[name] for name in sorted(found)]


def _accepted_by_round(rounds: Sequence[RoundResult]) -> dict[str, list[tuple[int, Accepted]]]:
    series: dict[str, list[tuple[int, Accepted]]] = {}
    for result in rounds:
        for edge in result.edges:
            if edge.accepted is not None and edge.accepted.own is not None:
                series.setdefault(edge.edge, []).append((result.round, edge.accepted))
    return dict(sorted(series.items()))


def _floor(accepted: Accepted) -> float | None:
    evidence = accepted.evidence.get("since_previous")
    bound = evidence.get("accuracy_bound") if isinstance(evidence, Mapping) else None
    return bound if isinstance(bound, float) else None


def _percent(scores: Scores | Accepted | None) -> float:
    return np.nan if scores is None or scores.own is None else 100 * scores.own.accuracy
