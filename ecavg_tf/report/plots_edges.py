"""The report's pictures of what edges deploy."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import repeat

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from ecavg_tf.core.scores import Accepted
from ecavg_tf.report.figure import NAMED, Theme, blank, label, percent
from ecavg_tf.report.gains import TIE, Before, before
from ecavg_tf.report.shown import shown
from ecavg_tf.report.words import signed
from ecavg_tf.results import EdgeResult, RoundResult, RunResults

MARKERS = "osD^vPX*<>ph"  # one an edge, as many as can be named; colour says who gained


def own_accuracy(results: RunResults, theme: Theme) -> Figure:
    """Each edge's own accuracy: alone or local, then the global model, then what it accepted."""
    first = before(results)
    edges = [e for e in shown(results.rounds[-1].edges) if first.change(e) is not None]
    figure, axes = blank(theme, height=4.2)
    named = len(edges) <= NAMED
    for edge, marker in zip(edges, MARKERS if named else repeat("o"), strict=False):
        stages = [percent(scores) for scores in (edge.global_, edge.accepted)]
        stages.insert(0, 100 * first.own[edge.edge])
        axes.plot(
            stages,
            color=outcome_color(first.change(edge), theme),
            marker=marker,
            ms=7,
            lw=2,
            alpha=1 if named else 0.5,
        )
    if named:
        _label_ends(axes, edges, first, theme)
    points = [first.label, ("global", "the server's"), ("accepted", "deployed")]
    axes.set_xticks(range(3), [point[0] if theme.narrow else "\n".join(point) for point in points])
    axes.set_xlim(-0.25, 2.2 + (1.7 if theme.narrow else 1.0) * named)
    axes.set_ylabel("own accuracy, %")
    return figure


def distribution(results: RunResults, theme: Theme) -> Figure:
    """How many edges of the last round gained how much, all of them."""
    first = before(results)  # for a thousand edges at once
    changes = [first.change(edge) for edge in results.rounds[-1].edges]
    points = 100 * np.array([change for change in changes if change is not None])
    figure, axes = blank(theme, height=3.0)
    level = np.abs(points) <= 100 * TIE
    edges = np.histogram_bin_edges(points, bins=40)
    parts = [points[level], points[~level & (points > 0)], points[~level & (points < 0)]]
    colors = [theme.ink, theme.won, theme.lost]
    axes.hist(parts, bins=edges.tolist(), stacked=True, color=colors)
    axes.set_xlabel("gain of own accuracy, points")
    axes.set_ylabel("edges")
    return figure


def by_round(results: RunResults, theme: Theme) -> Figure:
    """Own accuracy of what each edge deploys, round by round, from what it trained alone.

    A bar under a point ends at the guard's lower bound for that change of accuracy.
    """
    figure, axes = blank(theme, height=3.6)
    series = accepted_by_round(
        [replace(result, edges=tuple(shown(result.edges))) for result in results.rounds]
    )
    first, last = results.rounds[0].round, results.rounds[-1].round
    ends = before(results).own if results.alone else {}
    alone = {edge.edge: percent(edge.local) for edge in results.rounds[0].edges}
    gained = outcome_colors(results, theme)
    colors = matplotlib.colormaps["tab10" if len(series) <= 10 else "viridis"]
    for number, (name, accepted) in enumerate(series.items()):
        color = to_hex(colors(number / max(1, len(series) - 1) if len(series) > 10 else number))
        if len(series) > NAMED:  # no legend could tell whose a colour is
            color = gained.get(name, theme.ink)
        shift = 0.04 * (number - (len(series) - 1) / 2) if len(series) <= NAMED else 0
        rounds = [r + shift for r, _ in accepted]
        values = [percent(each) for _, each in accepted]
        axes.plot(rounds, values, color=color, marker="o", lw=1.5, label=label(name))
        if name in alone and accepted[0][0] == first:
            line = [rounds[0] - 1, rounds[0]], [alone[name], values[0]]
            axes.plot(*line, color=color, marker="o", mfc=theme.paper, lw=1.5, ls=":", zorder=1.5)
        for at, start, (_, each) in zip(rounds[1:], values, accepted[1:], strict=False):
            floor = _floor(each)
            if floor is not None:
                axes.vlines(at, start + 100 * floor, percent(each), color=color, alpha=0.35, lw=4)
        if name in ends:
            axes.plot(last + shift, 100 * ends[name], color=color, marker="x", ms=7, mew=2)
    if len(series) <= NAMED:
        axes.legend(frameon=False, labelcolor=theme.ink, ncols=3 - theme.narrow, fontsize=8)
    numbers = [result.round for result in results.rounds]
    axes.set_xticks([first - 1, *numbers], ["alone", *map(str, numbers)])
    axes.set_xlabel("round")
    axes.set_ylabel("own accuracy of the\ndeployed model, %")
    return figure


def outcome_color(change: float | None, theme: Theme) -> str:
    """Tells by a colour whether an edge gained, lost or did neither."""
    change = change or 0.0
    return theme.won if change > TIE else theme.lost if change < -TIE else theme.ink


def outcome_colors(results: RunResults, theme: Theme) -> dict[str, str]:
    """The colour of each edge of the last round, by ``outcome_color``."""
    if not results.rounds:
        return {}
    first = before(results)
    return {e.edge: outcome_color(first.change(e), theme) for e in results.rounds[-1].edges}


def _label_ends(axes: Axes, edges: Sequence[EdgeResult], first: Before, theme: Theme) -> None:
    """Names lines at their right ends, pushed apart where they would overlap."""
    ends = sorted(
        ((percent(e.accepted), e, m) for e, m in zip(edges, MARKERS, strict=False)),
        key=lambda end: end[0],
    )
    low, high = axes.get_ylim()
    least = 0.055 * (high - low)
    places: list[float] = []
    for value, *_ in ends:
        places.append(max(value, places[-1] + least) if places else value)
    # Pushed upwards only, they would leave their points: share the way.
    surplus = (places[-1] - ends[-1][0]) / 2
    places = [place - surplus for place in places]
    for place, (value, edge, marker) in zip(places, ends, strict=True):
        taken = edge.accepted.rung if edge.accepted else ""
        change = signed(first.change(edge) or 0.0)
        axes.plot([2, 2.16], [value, place], color=theme.ink, lw=0.5)
        axes.plot(2.16, place, color=outcome_color(first.change(edge), theme), marker=marker, ms=6)
        axes.annotate(
            label(f"{edge.edge}: {value:.1f} ({change}{'' if theme.narrow else ', ' + taken})", 40),
            (2.22, place),
            color=theme.ink,
            fontsize=9,
            va="center",
        )
    axes.set_ylim(min(low, places[0] - least), max(high, places[-1] + least))
    axes.set_yticks([tick for tick in axes.get_yticks() if 0 <= tick <= 100.001])


def accepted_by_round(rounds: Sequence[RoundResult]) -> dict[str, list[tuple[int, Accepted]]]:
    """What each edge accepted, with the round, where its own accuracy is known."""
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
