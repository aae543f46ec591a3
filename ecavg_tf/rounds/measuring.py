"""A round's results: every stage scored, by the server or as the edges reported it."""

import time
from collections.abc import Callable, Sequence

from ecavg_tf.core.messages.reply import NoReply, Reply
from ecavg_tf.core.messages.update_file import Update
from ecavg_tf.core.scores import Scores
from ecavg_tf.core.template import Array, Template, weights_sha256
from ecavg_tf.data.dataset import Examples
from ecavg_tf.events import Detail, Listener, Measured, Note
from ecavg_tf.report.round_words import at_chance, measured, scored
from ecavg_tf.results import EdgeResult, RoundResult, Samples, ServerResult, ServerScore
from ecavg_tf.training.evaluation import KerasScorer
from server.collect import Collected
from server.tune import GlobalModel


class Measurer:
    """Makes a round's entry in results.json.

    Args:
        scorer: scores models on the server's test set, if it has one.
        template: the run's template.
        own_test: gives an edge's own test set, or None.
        listener: told of scores that an edge did not report.
    """

    def __init__(
        self,
        scorer: KerasScorer,
        template: Template,
        own_test: Callable[[str], Examples | None],
        listener: Listener,
    ) -> None:
        self._scorer = scorer
        self._template = template
        self._own_test = own_test
        self._listener = listener

    def result(
        self,
        number: int,
        participants: tuple[str, ...],
        replies: Sequence[Reply | NoReply],
        collected: Collected,
        start: Sequence[Array],
        model: GlobalModel,
        pooled: Examples | None,
    ) -> RoundResult:
        """The round's figures; what edges decide comes later.

        Args:
            number: the round, from 1.
            participants: names of the edges that were asked.
            replies: what they answered.
            collected: what of it was accepted.
            start: the model that the round started from; empty: each edge had its own.
            model: the server's stages.
            pooled: what the server was fine-tuned on; None: nothing.
        """
        began = time.monotonic()
        server = self._server(model)
        edges = tuple(self._edge(update, start, model) for update in collected.updates)
        answered = [reply for reply in replies if isinstance(reply, Reply)]
        evaluating = time.monotonic() - began
        made = RoundResult(
            round=number,
            participants=participants,
            pooled_bytes=collected.pooled_bytes,
            samples=Samples(
                edges=sum(update.info.examples for update in collected.updates),
                server=0 if pooled is None else len(pooled),
            ),
            seconds={
                "pretrain": sum(r.seconds.get("pretrain", 0.0) for r in answered),
                **model.seconds,
                "update": 0.0,
                "evaluate": evaluating + sum(r.seconds.get("evaluate", 0.0) for r in answered),
            },
            server=server,
            edges=edges,
            refused=collected.refused,
            absent=collected.absent,
            influence=collected.influence,
            choice=model.choice,
        )
        self._listener(Detail(scored(made)))
        self._listener(Measured(measured(made)))
        if doubt := at_chance(made):
            self._listener(Note(doubt))
        return made

    def _server(self, model: GlobalModel) -> ServerResult:
        score = self._scorer.all
        return ServerResult(
            averaged=ServerScore(score(model.averaged)),
            recalibrated=ServerScore(score(model.recalibrated)),
            global_=ServerScore(
                score(model.weights), weights_sha256(model.weights), model.trained_on
            ),
        )

    def _edge(self, update: Update, start: Sequence[Array], model: GlobalModel) -> EdgeResult:
        return EdgeResult(
            edge=update.info.edge,
            examples=update.info.examples,
            class_counts=update.info.class_counts,
            start=self._reported(update, "start", start),
            local=self._reported(update, "local", self._sent(update, start or model.weights)),
            global_=self._scorer.scores(
                model.weights, update.info.class_counts, self._own_test(update.info.edge)
            ),
        )

    def _sent(self, update: Update, missing: Sequence[Array]) -> list[Array]:
        """An update's weights; what it omits is as it was."""
        named = {spec.key: array for spec, array in update.items(self._template)}
        return self._template.listed(named, missing)

    def _reported(self, update: Update, stage: str, weights: Sequence[Array]) -> Scores | None:
        """An edge's own scores; what it can't measure, the server does where it has a test set."""
        try:
            reported = Scores.from_json(update.info.metrics[stage])
        except (KeyError, ValueError) as error:
            self._listener(Note(f"{update.info.edge} reported no {stage} scores: {error}"))
            return None
        if not self._scorer.has_test or not weights or None not in (reported.own, reported.all):
            return reported
        return reported.completed(self._scorer.scores(weights, update.info.class_counts))
