"""Learning curves: what every epoch of every fit came to."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ecavg_tf.core.scores import Score
from ecavg_tf.epochs import Epoch
from ecavg_tf.report.figure import NAMED, Theme, label, panels
from ecavg_tf.report.plots_edges import MARKERS, outcome_colors
from ecavg_tf.report.shown import shown
from ecavg_tf.results import EdgeResult, RunResults

SERVER = "server"
_WORDS = {
    "pretrain": "own data",
    "alone": "alone, to compare",
    "finetune": "pooled data",
    "warmup": "the shared start",
    "pooled_only": "pooled data, without the edges' weights",
}
_BASELINES = ("alone", "pooled_only")
_MOST_POINTS = 3_000  # of a picture; more would make the page slow
_MOST_ROWS = 200  # of the table of fits


@dataclass(frozen=True)
class Fit:
    """All that is known of one fit.

    Attributes:
        round: the round that it belongs to; 0: before the first.
        who: an edge, or ``server``.
        stage: as ``Epoch.stage``.
        epochs: those that are known, in order.
        test: its score on test examples once it was over: of an edge on its own.
    """

    round: int
    who: str
    stage: str
    epochs: tuple[Epoch, ...]
    test: Score | None

    @property
    def what(self) -> str:
        """The stage in words."""
        return _WORDS.get(self.stage, self.stage)

    @property
    def first(self) -> Epoch:
        """The first epoch that is known."""
        return self.epochs[0]

    @property
    def last(self) -> Epoch:
        """The last epoch that is known."""
        return self.epochs[-1]

    @property
    def seconds(self) -> float:
        """Of all epochs that are known."""
        return sum(each.seconds for each in self.epochs)


def fits(results: RunResults, epochs: Sequence[Epoch]) -> tuple[Fit, ...]:
    """The fits of the server and of those edges that a report shows one by one, in order.

    Args:
        results: the run's; its last round says which edges are shown.
        epochs: of all fits.
    """
    apart: dict[tuple[int, str, str], list[Epoch]] = {}
    names = _named(results, epochs)
    for epoch in epochs:
        if epoch.who in names:
            apart.setdefault((epoch.round, epoch.who, epoch.stage), []).append(epoch)
    tests = _tests(results)
    order = sorted(apart, key=lambda key: (key[2] in _BASELINES, key[0], key[1] == SERVER, key[1]))
    return tuple(
        Fit(*key, tuple(sorted(apart[key], key=lambda each: each.epoch)), tests.get(key))
        for key in order
    )


def tabled(all_fits: Sequence[Fit]) -> Sequence[Fit]:
    """The fits that a table names: of very many those of the last round and of the server."""
    if len(all_fits) <= _MOST_ROWS:
        return all_fits
    last = max(each.round for each in all_fits)
    return [each for each in all_fits if each.round == last or each.who == SERVER][:_MOST_ROWS]


def learning(results: RunResults, theme: Theme, epochs: Sequence[Epoch]) -> Figure:
    """Accuracy and loss on the training data, epoch by epoch, of edges, baselines and server."""
    figure, axes = panels(theme, height=5.2, rows=2)
    known = _thinned(fits(results, epochs))
    names = sorted({fit.who for fit in known if fit.who != SERVER})
    named = len(names) <= NAMED
    shared = {"alpha": 0.9, "lw": 1.6} if named else {"alpha": max(0.15, 3 / len(names)), "lw": 0.9}
    shared |= {"ms": 4}
    colors = outcome_colors(results, theme)
    for loss, axis in zip((False, True), axes, strict=True):
        for at, name in enumerate(names):
            look = shared | {"color": colors.get(name, theme.ink)}
            look["marker"] = MARKERS[at] if named else ""
            own = [fit for fit in known if fit.who == name]
            trained = [fit for fit in own if fit.stage == "pretrain"]
            alone = [fit for fit in own if fit.stage == "alone"]
            _draw(axis, trained, look | {"label": label(name)}, loss=loss)
            _draw(axis, alone, look | {"ls": ":", "marker": ""}, loss=loss)
        look = {"color": theme.server, "lw": 2.4, "marker": "s", "ms": 4, "label": SERVER}
        own = [fit for fit in known if fit.who == SERVER]
        trained = [fit for fit in own if fit.stage not in _BASELINES]
        other = [fit for fit in own if fit.stage in _BASELINES]
        _draw(axis, trained, look, loss=loss)
        _draw(axis, other, look | {"ls": ":", "marker": "", "label": None}, loss=loss)
    _finish(figure, axes, known, theme, named=named)
    return figure


def _thinned(known: Sequence[Fit]) -> Sequence[Fit]:
    """The same with fewer epochs where there are very many: the first and the last stay."""
    step = -(-sum(len(fit.epochs) for fit in known) // _MOST_POINTS)
    if step < 2:
        return known
    return [
        replace(fit, epochs=tuple(dict.fromkeys((*fit.epochs[:-1:step], fit.last))))
        for fit in known
    ]


def _draw(axis: Axes, drawn: Sequence[Fit], look: Mapping[str, Any], *, loss: bool) -> None:
    """Some fits of one participant as one line, which breaks where another fit begins."""
    xs: list[float] = []
    ys: list[float] = []
    for fit in drawn:
        for epoch in fit.epochs:
            share = None if epoch.accuracy is None else 100 * epoch.accuracy
            value = epoch.loss if loss else share
            xs.append(fit.round - 1 + epoch.epoch / epoch.epochs)
            ys.append(math.nan if value is None else value)
        xs.append(math.nan)
        ys.append(math.nan)
    longest = max((len(fit.epochs) for fit in drawn), default=0)
    if not all(map(math.isnan, ys)):
        axis.plot(xs, ys, markevery=1 + longest // 6, **look)


def _finish(
    figure: Figure, axes: Sequence[Axes], known: Sequence[Fit], theme: Theme, *, named: bool
) -> None:
    """Rounds along the bottom, what is measured at the left, names above."""
    first = min((fit.round for fit in known), default=1)
    last = max((fit.round for fit in known), default=1)
    for axis, what in zip(axes, ("training\naccuracy, %", "training\nloss, nats"), strict=True):
        axis.set_ylabel(what)
        axis.set_xlim(min(first, 1) - 1.05, last + 0.05)
        axis.set_xticks(range(min(first, 1) - 1, last + 1), [])
        axis.grid(axis="x", color=theme.faint, lw=0.6)
    middles = [number - 0.5 for number in range(min(first, 1), last + 1)]
    step = max(1, len(middles) // (6 if theme.narrow else 15))
    axes[-1].set_xticks(middles[::step], [_round_word(m) for m in middles[::step]], minor=True)
    axes[-1].tick_params(which="minor", length=0)
    axes[-1].set_xlabel("round; its epochs from left to right")
    lines, names = axes[0].get_legend_handles_labels()
    if not lines:
        lines, names = axes[1].get_legend_handles_labels()
    kept = [pair for pair in zip(lines, names, strict=True) if named or pair[1].startswith(SERVER)]
    if kept:
        figure.legend(
            *zip(*kept, strict=True),
            loc="outside upper left",
            frameon=False,
            labelcolor=theme.ink,
            fontsize=8,
            ncols=2 if theme.narrow else 4,
        )


def _round_word(middle: float) -> str:
    return str(round(middle + 0.5)) if middle > 0 else "warm-up"


def _last_edges(results: RunResults) -> Sequence[EdgeResult]:
    return results.rounds[-1].edges if results.rounds else ()


def _named(results: RunResults, epochs: Sequence[Epoch]) -> set[str]:
    """Who is shown: of a run without a finished round, the first to come."""
    edges = _last_edges(results)
    if edges:
        return {edge.edge for edge in shown(edges)} | {SERVER}
    return {*list(dict.fromkeys(each.who for each in epochs))[:50], SERVER}


def _tests(results: RunResults) -> dict[tuple[int, str, str], Score | None]:
    """What the models of fits came to on test examples, as far as it was measured."""
    found: dict[tuple[int, str, str], Score | None] = {}
    for result in results.rounds:
        found[result.round, SERVER, "finetune"] = result.server.global_.all
        for edge in result.edges:
            found[result.round, edge.edge, "pretrain"] = edge.local.own if edge.local else None
    for alone in results.alone:
        found[alone.rounds[-1], alone.edge, "alone"] = alone.own
    if results.pooled_only is not None:
        only = results.pooled_only
        found[only.rounds[-1], only.edge, "pooled_only"] = only.all
    return found
