"""The report's pictures, by matplotlib."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ecavg_tf.epochs import Epoch
from ecavg_tf.report.figure import ON_COLOUR, Theme, blank, label
from ecavg_tf.report.gains import before
from ecavg_tf.report.learning import learning
from ecavg_tf.report.plots_edges import (
    accepted_by_round,
    by_round,
    distribution,
    own_accuracy,
)
from ecavg_tf.report.shown import are_many
from ecavg_tf.report.words import has_test
from ecavg_tf.results import EdgeResult, RunResults


def data(results: RunResults, theme: Theme) -> Figure:
    """Who has what: training examples of each class on each edge."""
    edges = _everybody(results)
    counts = np.array([edge.class_counts for edge in edges])
    figure, axes = blank(theme, height=min(1.4 + 0.32 * len(edges), 9))
    shown = axes.imshow(counts, aspect="auto", cmap=theme.scale, vmin=0, interpolation="none")
    if counts.shape[1] <= 20:
        names = [label(name) for name in results.classes]
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
        axes.set_yticks(range(len(edges)), [label(edge.edge) for edge in edges])
    else:
        axes.set_ylabel("edge")
    axes.tick_params(length=0)
    axes.grid(visible=False)
    bar = figure.colorbar(shown, ax=axes, pad=0.02)
    bar.ax.tick_params(colors=theme.ink)
    bar.set_label("training examples", color=theme.ink)
    return figure


def stages(results: RunResults, theme: Theme) -> Figure:
    """Accuracy on the whole test set, stage by stage and round by round.

    Where the server has none, the edges score the global model alone.
    """
    figure, axes = blank(theme, height=3.6)
    tested = any(has_test(result.server) for result in results.rounds)
    shown = [stage for stage in _STAGES if stage != "recalibrated" or results.recalibrates]
    stages = shown if tested else shown[-1:]
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
        ticks += [f"r{result.round} {stage}" for stage in stages]
        models = result.server.averaged, result.server.recalibrated, result.server.global_
        for stage, model in zip(_STAGES[1:], models, strict=True):
            if model.all is not None and stage in stages:
                where.append(at + stages.index(stage))
                server.append(100 * model.all.accuracy)
    axes.plot(where, server, color=theme.server, marker="s", lw=2, label="the server's model")
    if local:
        if are_many(local):  # points that can't be told apart are one
            local = sorted({(at, round(2 * accuracy) / 2) for at, accuracy in local})
        at_local, accuracies = zip(*local, strict=True)
        axes.scatter(
            at_local,
            accuracies,
            s=16,
            color=theme.ink,
            alpha=0.6,
            label="each edge's local model",
        )
    names = ticks if len(results.rounds) > 1 else [tick[3:] for tick in ticks]
    crowded = len(ticks) > (4 if theme.narrow else 6)
    axes.set_xticks(
        range(len(ticks)), names, rotation=90 if crowded else 0, fontsize=7 + 2 * (not crowded)
    )
    axes.set_ylabel(f"accuracy on {'all classes' if tested else 'own test sets'}, %")
    figure.legend(
        loc="outside upper left",
        frameon=False,
        labelcolor=theme.ink,
        ncols=1 if theme.narrow else 2,
    )
    return figure


_STAGES = ("local", "averaged", "recalibrated", "global")


def pictures(
    results: RunResults, epochs: Sequence[Epoch] = ()
) -> dict[str, Callable[[RunResults, Theme], Figure]]:
    """The pictures that this run has data for, in the page's order."""
    curves: dict[str, Callable[[RunResults, Theme], Figure]] = {}
    if epochs:
        curves["learning"] = partial(learning, epochs=epochs)
    if not results.rounds:
        return curves
    found: dict[str, Callable[[RunResults, Theme], Figure]] = {}
    first = before(results)
    if any(first.change(edge) is not None for edge in results.rounds[-1].edges):
        found["own-accuracy"] = own_accuracy
        if are_many(results.rounds[-1].edges):
            found["gains"] = distribution
    if len(results.rounds) > 1 and accepted_by_round(results.rounds):
        found["by-round"] = by_round
    if any(result.edges for result in results.rounds):
        found["data"] = data
    return {**found, "stages": stages, **curves}


def _write_counts(axes: Axes, counts: np.ndarray, theme: Theme) -> None:
    middle = counts.max() / 2
    for row, column in np.ndindex(*counts.shape):
        n = int(counts[row, column])
        if n:
            axes.text(column, row, f"{n:,}", ha="center", va="center", fontsize=7,
                      color=ON_COLOUR if n > middle else theme.ink)  # fmt: skip


def _everybody(results: RunResults) -> list[EdgeResult]:
    """Every edge that any round saw, in order of names."""
    found = {edge.edge: edge for result in results.rounds for edge in result.edges}
    return [found[name] for name in sorted(found)]
