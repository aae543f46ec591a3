"""The server's choice of what its fine-tuning starts from (``server.combine=auto``).

Averaging helps from a start that the edges share and that has learned something, and can lose
where they have little in common. So evidence decides, round by round: each candidate is
fine-tuned shortly on the pooled data, and the log-likelihood of examples that were held out of
it says which one to go on with. After the fine-tuning, the midpoint between its start and its
end is a candidate, too (weight interpolation: Wortsman et al., WiSE-FT, arXiv 2109.01903).

A probe is not asked where it misleads or knows nothing: from a random start (what learns fastest
in a short probe is not what ends best), and with few held-out examples. And a candidate takes
the average's place only if it is better by more than a standard error.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.config import ServerConfig
from ecavg_tf.core.deciding.guard import close_to_best, smoothed
from ecavg_tf.core.deciding.predictions import Predictions
from ecavg_tf.core.messages.update_file import Update
from ecavg_tf.core.template import Array, Template
from ecavg_tf.data.dataset import Examples, stratified
from ecavg_tf.results import StartChoice
from ecavg_tf.training.trainer import KerasTrainer
from server.pool_size import for_pool
from server.soup import SOUP, greedy_soup

AUTO = "auto"
AVERAGED, START, MIDPOINT = "averaged", "start", "midpoint"
WHO = "server-probe"  # the same for all candidates: they see the same batches
_HELD_OUT = 0.1  # of the pool
_MOST_HELD_OUT = 1000
_FEWEST_HELD_OUT = 50  # with fewer, a standard error is a guess itself

Predict = Callable[[Examples, Sequence[Array]], Predictions]


@dataclass(frozen=True)
class Chosen:
    """What the fine-tuning starts from, and on what.

    Attributes:
        weights: the start, in template order.
        rest: pooled examples to train on.
        held_out: those that judge; None: nobody is asked.
        record: what was asked and answered, for the results.
        edges: whose models it is the uniform mean of, where it is not the averaged model.
    """

    weights: Sequence[Array]
    rest: Examples
    held_out: Examples | None
    record: StartChoice
    edges: tuple[str, ...] = ()


class Chooser:
    """Chooses for one round.

    Args:
        trainer: the server's.
        predict: what a model says of examples.
        config: the server's part of the config.
        num_classes: how many classes there are.
        seed: the run's seed.
        round_number: the round, from 1.
    """

    def __init__(
        self,
        trainer: KerasTrainer,
        predict: Predict,
        config: ServerConfig,
        *,
        num_classes: int,
        seed: int,
        round_number: int,
    ) -> None:
        self._trainer = trainer
        self._predict = predict
        self._config = config
        self._classes = num_classes
        self._seed = seed
        self._round = round_number
        self._processed = 0

    def start(
        self,
        averaged: Sequence[Array],
        updates: Sequence[Update],
        template: Template,
        base: Sequence[Array],
        pooled: Examples,
        *,
        random_start: bool,
    ) -> Chosen:
        """Chooses what to fine-tune.

        Args:
            averaged: the averaged model, recalibrated.
            updates: what it is the average of.
            template: the run's template.
            base: what the round started from: from round 2, the global model before.
            pooled: the combined data of the edges.
            random_start: whether ``base`` has learned nothing.
        """
        held_out_count = min(_MOST_HELD_OUT, round(_HELD_OUT * len(pooled)))
        foresees = self._config.epochs > 0
        cooks = self._config.combine == SOUP
        why = _why_not(held_out_count, random_start and foresees and not cooks)
        if why is not None:
            return Chosen(averaged, pooled, None, StartChoice(AVERAGED, why))
        rest, held_out = self._held_out(pooled, held_out_count)
        if cooks:
            return self._soup(updates, template, base, rest, held_out)
        edge, weights = self._best_edge(updates, template, base, held_out)
        of_edge = f"edge {edge}"
        candidates = {AVERAGED: averaged, of_edge: weights, START: base}
        probe = replace(for_pool(self._config, len(rest), updates), epochs=1, callbacks="")
        said = {name: self._tried(each, probe, rest, held_out) for name, each in candidates.items()}
        taken = _preferred(said, AVERAGED)
        record = StartChoice(
            taken,
            None,
            {name: float(each.mean()) for name, each in said.items()},
            held_out=held_out_count,
            processed=self._processed,
        )
        whose = (edge,) if taken == of_edge else ()
        return Chosen(candidates[taken], rest, held_out, record, whose)

    def _soup(
        self,
        updates: Sequence[Update],
        template: Template,
        base: Sequence[Array],
        rest: Examples,
        held_out: Examples,
    ) -> Chosen:
        soup = greedy_soup(
            updates,
            template,
            base,
            judge=lambda weights: float(self._said(weights, held_out).mean()),
            recalibrated=lambda weights: self._recalibrated(weights, rest),
        )
        taken = f"{SOUP} of {', '.join(soup.edges)}"
        record = StartChoice(
            taken, None, soup.scores, held_out=len(held_out), processed=self._processed
        )
        return Chosen(soup.weights, rest, held_out, record, soup.edges)

    def end(self, chosen: Chosen, tuned: Sequence[Array]) -> tuple[Sequence[Array], StartChoice]:
        """The fine-tuned model, or the midpoint between it and its start if that is better."""
        if chosen.held_out is None or self._config.combine == SOUP:
            return tuned, chosen.record
        middle = [
            ((np.asarray(one, np.float64) + other) / 2).astype(other.dtype)
            if np.issubdtype(other.dtype, np.floating)
            else other
            for one, other in zip(chosen.weights, tuned, strict=True)
        ]
        middle = list(self._recalibrated(middle, chosen.rest))
        said = {
            "tuned": self._said(tuned, chosen.held_out),
            MIDPOINT: self._said(middle, chosen.held_out),
        }
        taken = _preferred(said, "tuned")
        scores = {f"then {name}": float(each.mean()) for name, each in said.items()}
        record = replace(
            chosen.record,
            scores={**chosen.record.scores, **scores},
            midpoint=taken == MIDPOINT,
            processed=self._processed,
        )
        return (middle if taken == MIDPOINT else tuned), record

    def _held_out(self, pooled: Examples, count: int) -> tuple[Examples, Examples]:
        """The pool without the examples that judge, and these; the same in every round."""
        judging = stratified(pooled.labels, count, self._seed, "choose")
        rest = np.setdiff1d(np.arange(len(pooled)), judging)
        return pooled.take(rest), pooled.take(judging)

    def _best_edge(
        self,
        updates: Sequence[Update],
        template: Template,
        base: Sequence[Array],
        held_out: Examples,
    ) -> tuple[str, list[Array]]:
        """The edge whose model is the best as it is; two models in memory, however many edges."""
        best: tuple[float, str, list[Array]] | None = None
        for update in updates:
            named = {spec.key: array for spec, array in update.items(template)}
            weights = template.listed(named, base)
            mean = float(self._said(weights, held_out).mean())
            if best is None or mean > best[0]:
                best = mean, update.info.edge, weights
        assert best is not None  # a round has at least one update
        return best[1], best[2]

    def _tried(
        self, weights: Sequence[Array], probe: ServerConfig, rest: Examples, held_out: Examples
    ) -> NDArray[np.float64]:
        """What a short fine-tuning makes of a candidate: one epoch over a part of the pool.

        Without fine-tuning in this run there is nothing to foresee: it is judged as it is.
        """
        if self._config.epochs > 0:
            count = min(len(rest), self._config.probe_examples)
            part = rest.take(stratified(rest.labels, count, self._seed, "probe", self._round))
            weights = self._trainer.aside(probe).fit(
                weights, part, round_number=self._round, who=WHO
            )
            self._processed += len(part)
            weights = self._recalibrated(weights, part)
        return self._said(weights, held_out)

    def _recalibrated(self, weights: Sequence[Array], examples: Examples) -> Sequence[Array]:
        if not self._config.recalibrate:
            return weights
        self._processed += len(examples)
        return self._trainer.recalibrate(weights, examples, round_number=self._round, who=WHO)

    def _said(self, weights: Sequence[Array], held_out: Examples) -> NDArray[np.float64]:
        self._processed += len(held_out)
        return smoothed(self._predict(held_out, weights), self._classes)


def _why_not(held_out: int, random_start: bool) -> str | None:
    """Why no probe is asked; None: it is."""
    if random_start:
        return "the round started from random weights, from which a short probe misleads"
    if held_out < _FEWEST_HELD_OUT:
        return (
            f"a tenth of the pool is {held_out} examples, and fewer than {_FEWEST_HELD_OUT} "
            "can't judge"
        )
    return None


def _preferred(said: dict[str, NDArray[np.float64]], preferred: str) -> str:
    """The best one, unless the preferred one is within a standard error of it."""
    best = max(said, key=lambda name: float(said[name].mean()))
    return preferred if close_to_best(said[preferred], said[best]) else best
