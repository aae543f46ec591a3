"""One edge, with any trainer: it decides, pre-trains and answers."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ecavg_tf.config import Config, decision_level
from ecavg_tf.core.by_class import compared, to_evidence
from ecavg_tf.core.errors import ModelError, WorkdirError
from ecavg_tf.core.files import canonical_json
from ecavg_tf.core.messages.reply import Reply
from ecavg_tf.core.messages.request import EXCHANGE, Request
from ecavg_tf.core.messages.update_file import Update, UpdateInfo, write_update
from ecavg_tf.core.privacy import private_weights
from ecavg_tf.core.scores import Accepted, Decision, Rung, Scores
from ecavg_tf.core.template import Array, Template, weights_sha256
from ecavg_tf.data.consent import consented
from ecavg_tf.data.dataset import EdgeData
from ecavg_tf.data.pooled import write_pooled
from ecavg_tf.events import Listener, StageStarted, silent
from edge.deciding.bench import EdgeBench
from edge.deciding.policies import choose
from edge.participating.protocols import Scorer, Trainer
from edge.participating.store import EdgeStore
from edge.policy import Candidate, Situation


class EdgeWorker:
    """One edge in a run.

    Args:
        config: the run's config.
        data: what the edge has.
        num_classes: how many classes the data set has.
        trainer: trains; may serve other edges too.
        scorer: scores on the test sets; may serve other edges too.
        own_start: gives the edge's own initial weights, for independent inits.
        open_store: gives the edge's folder for a run.
        listener: told of stages.
        simulated: whether the server's process knows the edge's data anyhow:
            the noise of its updates is then drawn from the run's seed, so that the run can be
            repeated, and not from a key of its own.
        many: whether it is one of so many edges here that nobody looks at each: the model that it
            deploys becomes no Keras file, and of its candidates the others get no test scores.
    """

    def __init__(
        self,
        config: Config,
        data: EdgeData,
        *,
        num_classes: int,
        trainer: Trainer,
        scorer: Scorer,
        own_start: Callable[[], list[Array]],
        open_store: Callable[[str], EdgeStore],
        listener: Listener = silent,
        simulated: bool = False,
        many: bool = False,
    ) -> None:
        self._simulated = simulated
        self._config = config
        self._many = many
        self._data = data
        self._class_counts = data.train.class_counts(num_classes)
        self._trainer = trainer
        self._scorer = scorer
        self._own_start = own_start
        self._open_store = open_store
        self._listener = listener

    @property
    def edge(self) -> str:
        """The edge's name."""
        return self._data.edge

    def answer(self, request: Request) -> Reply:
        """Answers a request.

        One that was answered before is answered the same way, from the store.

        Raises:
            ECAvgError: it does not fit this edge, or the edge's folder is damaged.
        """
        store = self._open_store(request.run_id)
        self._check_template(request.template)
        if request.kind == EXCHANGE:
            return self._exchange(store, request)
        return Reply(self.edge, request.round, None, None, self._finish(store, request), seconds={})

    def _exchange(self, store: EdgeStore, request: Request) -> Reply:
        """Decides on the global model of the round before, then trains."""
        sent = request.model.weights
        start = self._own_start() if sent is None else list(sent)
        start_sha256 = request.model.sha256  # of all edges of a round, computed once
        reply = store.reply(request.round, start_sha256, request.work_sha256)
        if reply is None:
            # Asked again in other words: what it had decided from is gone, so the decision stands.
            decision = store.decided(request.round)
            if request.round > 1 and decision is None:
                decision, _ = self._decide(store, request.round - 1, request)
            reply = self._train(store, request, start, decision)
            store.commit(reply, start_sha256, request.work_sha256)
        return replace(reply, pooled=self._pooled(store, request))

    def _finish(self, store: EdgeStore, request: Request) -> Decision:
        """Decides on the last global model."""
        if request.model.weights is None:
            raise ModelError(f"{self._data.edge}: the run's end came without a global model")
        known = store.finished(request.round)
        if known is not None:
            return known
        decision, accepted = self._decide(store, request.round, request)
        if not self._many:
            self._trainer.save(accepted, store.folder, "accepted")
        store.save_finished(decision)
        return decision

    def _train(
        self, store: EdgeStore, request: Request, start: list[Array], decision: Decision | None
    ) -> Reply:
        edge, examples = self._data.edge, self._data.train
        self._listener(StageStarted(request.round, "pretrain", edge))
        began = time.monotonic()
        local = self._trainer.fit(start, examples, round_number=request.round, who=edge)
        if self._config.edge.recalibrate:
            local = self._trainer.recalibrate(local, examples, round_number=request.round, who=edge)
        trained = time.monotonic()
        metrics = {
            "start": asdict(self._scores(start)),
            "local": asdict(self._scores(local)),
        }
        evaluated = time.monotonic()
        path = store.update_path(request.round)
        info = UpdateInfo(
            round=request.round,
            edge=edge,
            examples=len(examples),
            class_counts=self._class_counts,
            template_sha256=request.template.sha256,
            metrics=metrics,
        )
        if self._config.edge.dp_clip:
            # Its own model stays here, without noise: it is what the edge decides with.
            write_update(store.local_path(request.round), info, self._sent(request.template, local))
            local = self._private(store, request, start, local)
        write_update(path, info, self._sent(request.template, local))
        seconds = {"pretrain": trained - began, "evaluate": evaluated - trained}
        return Reply(edge, request.round, path, None, decision, seconds)

    def _private(
        self, store: EdgeStore, request: Request, start: list[Array], local: list[Array]
    ) -> list[Array]:
        settings = self._config.edge
        seed = canonical_json(["noise", self._config.seed, self.edge])
        return private_weights(
            request.template,
            start,
            local,
            clip=settings.dp_clip,
            noise_multiplier=settings.dp_noise_multiplier,
            key=seed.encode() if self._simulated else store.noise_key(),
            place=("update", "" if self._simulated else request.run_id, self.edge, request.round),
        )

    def _sent(self, template: Template, local: list[Array]) -> dict[str, Array]:
        """What of the local model is uploaded: all but what may be left out and is not trained."""
        held = self._trainer.held
        return {
            spec.key: array
            for position, (spec, array) in enumerate(zip(template.weights, local, strict=True))
            if held is None or position in held or not spec.omittable
        }

    def _pooled(self, store: EdgeStore, request: Request) -> Path | None:
        """The file with what the edge uploads, made when it is asked for."""
        if not request.pooled_wanted:
            return None
        shared = consented(self._data.train, self._data.edge, self._config)
        if shared is None:
            return None
        write_pooled(store.pooled_path, self._data.edge, shared)
        return store.pooled_path

    def _decide(
        self, store: EdgeStore, round_number: int, request: Request
    ) -> tuple[Decision, Sequence[Array]]:
        """Decides on the request's model as the global model of ``round_number``."""
        edge = self._data.edge
        self._listener(StageStarted(round_number, "update", edge))
        began = time.monotonic()
        situation = self._situation(store, round_number, request)
        choice = choose(self._config.update.policy, situation)
        decided = time.monotonic()
        accepted = choice.accepted
        scores = self._scores(accepted.weights)
        by_class = self._by_class(situation.local, accepted.weights)
        rungs = tuple(
            self._rung(each, scored=each is accepted or not self._many)
            for each in choice.candidates
        )
        decision = Decision(
            round=round_number,
            edge=edge,
            examples=len(self._data.train),
            class_counts=self._class_counts,
            rungs=rungs,
            accepted=Accepted(
                rung=accepted.rung,
                alpha=accepted.alpha,
                own=scores.own,
                all=scores.all,
                weights_sha256=weights_sha256(accepted.weights),
                evidence={**choice.evidence, **by_class},
            ),
            seconds=decided - began,
            evaluate_seconds=time.monotonic() - decided,
        )
        store.save_accepted(decision, request.template.named(accepted.weights))
        return decision, accepted.weights

    def _situation(self, store: EdgeStore, round_number: int, request: Request) -> Situation:
        template, global_model = request.template, list(request.model.weights or ())
        trained_on, classes = request.model.trained_on, len(self._class_counts)
        if trained_on is not None and len(trained_on) != classes:
            raise ModelError(
                f"{self._data.edge}: the server counts {len(trained_on)} classes, this edge "
                f"{classes}; give both the same config"
            )
        last_update = store.last_update(before=round_number + 1)
        local = None
        if last_update is not None:
            try:
                named = {spec.key: array for spec, array in Update(last_update).items(template)}
                local = template.listed(named, global_model)
            except (ValueError, KeyError) as error:
                raise WorkdirError(
                    f"{last_update} is damaged ({error}); restore it from a "
                    "copy, or begin again with an empty folder"
                ) from error
        return Situation(
            global_model=global_model,
            local=local,
            previous=store.last_accepted(round_number, template, global_model),
            bench=EdgeBench(self._data, self._trainer, self._scorer, round_number),
            edge=self._data.edge,
            seed=self._config.seed,
            class_counts=self._class_counts,
            trained_on=trained_on,
            level=decision_level(self._config),
            rule=self._config.update.rule,
        )

    def _rung(self, candidate: Candidate, *, scored: bool) -> Rung:
        scores = self._scores(candidate.weights) if scored else Scores(None, None)
        return Rung(
            candidate.rung,
            candidate.alpha,
            scores.own,
            scores.all,
            candidate.select,
            candidate.certify,
        )

    def _scores(self, weights: Sequence[Array]) -> Scores:
        return self._scorer.scores(weights, self._class_counts, self._data.test)

    def _by_class(self, local: Sequence[Array] | None, accepted: Sequence[Array]) -> dict[str, Any]:
        """How the local and the accepted model do on each class; no part in the decision.

        Who adds noise to its updates tells no more of its own model than before.
        """
        if local is None or (self._config.edge.dp_clip and not self._simulated):
            return {}
        before, after = (
            self._scorer.hits(weights, self._class_counts, self._data.test)
            for weights in (local, accepted)
        )
        if before is None or after is None:
            return {}
        return to_evidence(compared(before, after, many=self._many))

    def _check_template(self, template: Template) -> None:
        """Both ends map by position: shapes, dtypes and roles must agree, keys need not."""
        mine = self._trainer.template
        theirs = [(spec.shape, spec.dtype, spec.role) for spec in template.weights]
        if theirs != [(spec.shape, spec.dtype, spec.role) for spec in mine.weights]:
            raise ModelError(
                f"{self._data.edge}: the server's model has {len(theirs)} weights that are not "
                f"those of this edge's {len(mine.weights)}; give both the same config"
            )
