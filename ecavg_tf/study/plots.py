"""A study's pictures, by matplotlib: every seed's point, the mean and its 95 % interval."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ecavg_tf.report.figure import Theme, blank
from ecavg_tf.study.analysis import Cells, Interval, Setting, own, server
from ecavg_tf.study.tables import OURS

_ROW = 0.24  # inches


def gains(cells: Cells, theme: Theme) -> Figure | None:
    """What edges deploy against each edge alone, by setting; None: there is nothing to show."""
    rows = [
        (str(setting), found)
        for setting in cells.settings
        if (found := cells.difference(setting, OURS, OURS, own("accepted"), own("alone")))
    ]
    return _forest(rows, "accepted − alone, own accuracy, points", theme)


def against_arms(cells: Cells, settings: Sequence[Setting], theme: Theme) -> Figure | None:
    """The server's model against every arm's, in the settings of one place."""
    rows = [
        (f"{arm}, {100 * setting.pool:g} % pooled", found)
        for setting in settings
        for arm in cells.arms
        if arm != OURS and (found := cells.difference(setting, OURS, arm, server))
    ]
    return _forest(rows, "ours − arm, accuracy on all, points", theme)


def _forest(rows: Sequence[tuple[str, Interval]], what: str, theme: Theme) -> Figure | None:
    if not rows:
        return None
    figure, axes = blank(theme, height=1.0 + _ROW * len(rows))
    axes.axvline(0, color=theme.ink, lw=0.8)
    for at, (_, found) in enumerate(reversed(rows)):
        _row(axes, at, found, theme)
    axes.set_yticks(range(len(rows)), [name for name, _ in reversed(rows)], fontsize=8)
    axes.set_ylim(-0.7, len(rows) - 0.3)
    axes.set_xlabel(what)
    axes.grid(axis="x", color=theme.faint, lw=0.6)
    return figure


def _row(axes: Axes, at: int, found: Interval, theme: Theme) -> None:
    color = theme.won if found.above else theme.lost if found.below else theme.ink
    if found.half is not None:
        ends = (found.mean - found.half, found.mean + found.half)
        axes.plot(ends, (at, at), color=color, lw=2.2, solid_capstyle="butt")
    axes.scatter(found.values, [at] * len(found.values), s=9, color=color, alpha=0.45, zorder=3)
    axes.plot(found.mean, at, marker="D", ms=4.5, color=color, zorder=4)
