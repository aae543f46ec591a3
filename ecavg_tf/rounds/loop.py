"""The round, once: it does not know how edges are reached."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ecavg_tf.config import Config, FleetKind
from ecavg_tf.config.checks import validated
from ecavg_tf.config.fields import shared_fields
from ecavg_tf.core.errors import RoundError, WorkdirError, disk_errors
from ecavg_tf.core.messages.probe import Probe
from ecavg_tf.core.scores import Decision
from ecavg_tf.core.seeds import permutation
from ecavg_tf.core.template import Array, Template, weights_sha256
from ecavg_tf.data.consent import consented_count, consenting
from ecavg_tf.data.dataset import Examples, concatenated
from ecavg_tf.data.pooled import read_pooled
from ecavg_tf.events import Event, Listener, Note, RunPlanned, StageStarted, silent
from ecavg_tf.fleet import Fleet, NoReply, Reply, Shipped
from ecavg_tf.models.builders import template_of
from ecavg_tf.models.saving import load_weights, save_model
from ecavg_tf.narrate import LogFile
from ecavg_tf.report.page import write_page
from ecavg_tf.results import RoundResult, RunResults
from ecavg_tf.rounds.folder_fleet import FolderFleet, check_free
from ecavg_tf.rounds.local_fleet import LocalFleet
from ecavg_tf.rounds.measuring import Measurer
from ecavg_tf.rounds.one_accuracy import check_one_accuracy
from ecavg_tf.rounds.workers import make_workers
from ecavg_tf.rundir import RunDirectory
from ecavg_tf.task import Assembly
from export.jobs.run import export_at_end, wants_export
from export.jobs.training_files import TrainingFiles, wants_training_files
from server.collect import Collected, collect
from server.tune import WHO, make_global


def run(config: Config, workdir: str | Path, *, listener: Listener = silent) -> RunResults:
    """Runs the configured rounds, or what is left of them.

    Args:
        config: what to run.
        workdir: the run directory. One that holds the same config is resumed after its
            last finished round.
        listener: told of stages, epochs and refusals.

    Returns:
        The results, as they are in ``workdir/results.json``.

    Raises:
        ECAvgError: with one line that says how to mend it.
        KeyboardInterrupt: passed on, once results.json says "interrupted".
    """
    directory = RunDirectory(workdir, validated(config))
    done = directory.finished()
    if done is not None and not wants_export(config, done):
        return done
    log = LogFile(directory.path / "log.txt")

    def tell(event: Event) -> None:
        log(event)
        listener(event)

    assembly = Assembly(config, directory.path, tell)
    assembly.check()
    if config.fleet.kind is FleetKind.FOLDER and not directory.exists:
        check_free(Path(config.fleet.folder), None)
    template = template_of(assembly.server_trainer.model)
    with disk_errors(directory.path):
        try:
            for change in directory.open():
                tell(Note(f"since this run began, bits may differ: {change}"))
            loop = Loop(config, directory, assembly, directory.template(template), tell)
            results = loop.run()
            if config.export.enabled:
                results = export_at_end(config, directory, assembly, results, tell)
            _write_page(results, directory.path, tell)
            return results
        finally:
            directory.close()


def _write_page(results: RunResults, folder: Path, listener: Listener) -> None:
    """Writes the page; whatever is wrong with it, the run's own outcome comes first."""
    try:
        write_page(results, folder)
    except Exception as error:  # results.json is whole, and 'ecavg report' draws it again
        listener(Note(f"report.html could not be written: {type(error).__name__}: {error}"))


class Loop:
    """The rounds of one run.

    Args:
        config: a validated config.
        directory: the opened run directory.
        assembly: data and models.
        template: the run's template.
        listener: told of stages and refusals.
    """

    def __init__(
        self,
        config: Config,
        directory: RunDirectory,
        assembly: Assembly,
        template: Template,
        listener: Listener,
    ) -> None:
        self._config = config
        self._directory = directory
        self._assembly = assembly
        self._template = template
        self._listener = listener
        self._fleet = self._make_fleet()

    def run(self) -> RunResults:
        """Plays the rounds that are left; results.json tells the truth at any moment."""
        classes = self._assembly.dataset.spec.classes
        self._directory.write_results("interrupted", classes)
        try:
            self._play()
        except BaseException as error:
            status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            # What went wrong is what the user must read, not that the disk is full too.
            with contextlib.suppress(OSError, WorkdirError):
                results = self._directory.write_results(status, classes)
                _write_page(results, self._directory.path, self._listener)
            raise
        return self._directory.write_results("finished", classes)

    def _make_fleet(self) -> Fleet:
        config, directory = self._config, self._directory
        if config.fleet.kind is FleetKind.FOLDER:
            files = None
            if wants_training_files(config):
                folder = directory.path / "training"
                files = TrainingFiles(config, self._assembly, folder, run_id=directory.run_id)
            return FolderFleet(
                Path(config.fleet.folder),
                tuple(data.edge for data in self._assembly.edges),
                run_id=directory.run_id,
                template=self._template,
                config=shared_fields(config),
                timeout_s=config.fleet.timeout_s,
                listener=self._listener,
                bundle_for=None if files is None else files.bundle_for,
                probe_of=self._probe if files is None else None,
            )
        workers = make_workers(self._config, self._assembly, directory.edges, self._listener)
        return LocalFleet(workers, directory.run_id, self._template)

    def _probe(self, weights: Sequence[Array]) -> Probe:
        return self._assembly.server_evaluator.probe(weights, self._assembly.dataset.spec)

    def _play(self) -> None:
        rounds = self._config.rounds
        finished = self._directory.rounds()
        first = len(finished) + 1
        model = self._load_global(finished[-1]) if finished else Shipped(self._assembly.initial)
        self._listener(RunPlanned(rounds, first, self._planned_examples(first)))
        for number in range(first, rounds + 1):
            model = self._round(number, model)
            self._directory.write_results("interrupted", self._assembly.dataset.spec.classes)
        if set(self._directory.decisions(rounds)) != set(self._fleet.edges):
            answers = self._fleet.finish(rounds, model)
            self._keep_decisions(rounds, answers)
        if self._config.fleet.kind is FleetKind.LOCAL:
            folders = [self._directory.edges / edge for edge in self._fleet.edges]
            trained, test = self._assembly.edge_trainer.model, self._assembly.dataset.test
            check_one_accuracy(trained, folders, test)

    def _round(self, number: int, start: Shipped) -> Shipped:
        participants = self._participants(number)
        own_start = number == 1 and self._config.model.init == "independent"
        wanted = [
            edge
            for edge in participants
            if consenting(self._config.server, edge) and not self._pooled_path(edge).exists()
        ]
        sent = Shipped(None) if own_start else start
        replies = self._fleet.exchange(number, sent, participants, wanted)
        decisions = [r.decision for r in replies if isinstance(r, Reply) and r.decision]
        if number > 1:
            self._keep_decisions(number - 1, decisions)
        collected = self._collect(number, replies)
        pooled = self._pooled()
        self._warn_of_forgetting(number, collected, pooled)
        model = make_global(
            collected.updates,
            self._template,
            start.weights or (),
            pooled,
            config=self._config.server,
            trainer=self._assembly.server_trainer,
            round_number=number,
            listener=self._listener,
        )
        folder = self._directory.round(number)
        self._save(folder, "averaged", model.averaged)
        self._save(folder, "global", model.weights)
        self._listener(StageStarted(number, "evaluate", WHO))
        measurer = Measurer(self._assembly.server_evaluator, self._listener)
        result = measurer.result(number, participants, replies, collected, model, pooled)
        self._directory.finish_round(result)
        return Shipped(model.weights, model.trained_on)

    def _warn_of_forgetting(
        self, number: int, collected: Collected, pooled: Examples | None
    ) -> None:
        """Fine-tuning on data that lacks an edge's classes makes the model forget them."""
        if pooled is None or self._config.server.epochs == 0:
            return
        classes = self._assembly.dataset.spec.classes
        held = np.sum([update.info.class_counts for update in collected.updates], axis=0)
        lacking = np.flatnonzero((held > 0) & (np.asarray(pooled.class_counts(len(classes))) == 0))
        if len(lacking):
            named = ", ".join(classes[index] for index in lacking[:8])
            more = f" and {len(lacking) - 8} more" if len(lacking) > 8 else ""
            self._listener(
                Note(
                    f"round {number}: no edge pools examples of {named}{more}: fine-tuning will "
                    "make the global model forget them; pool some (server.pool_edges, --pool on "
                    "a device), or set server.epochs=0"
                )
            )

    def _participants(self, number: int) -> tuple[str, ...]:
        edges, wanted = self._fleet.edges, self._config.edges_per_round
        if wanted == 0:
            return edges
        order = permutation(len(edges), self._config.seed, "participants", number)
        return tuple(edges[index] for index in sorted(order[:wanted]))

    def _collect(self, number: int, replies: Sequence[Reply | NoReply]) -> Collected:
        collected = collect(
            replies,
            self._template,
            self._assembly.dataset.spec,
            round_number=number,
            updates_folder=self._directory.round(number) / "updates",
            pooled_folder=self._directory.pooled,
            config=self._config.server,
        )
        for refusal in collected.refused:
            self._listener(Note(f"round {number}: refused {refusal.edge}: {refusal.reason}"))
        if not collected.updates:
            reasons = "; ".join(f"{r.edge}: {r.reason}" for r in collected.refused)
            raise RoundError(f"round {number}: no update was accepted ({reasons})")
        return collected

    def _pooled(self) -> Examples | None:
        """All pooled data so far, in edge-id order."""
        spec = self._assembly.dataset.spec
        parts = [
            read_pooled(path, edge, spec)
            for edge in self._fleet.edges
            if (path := self._pooled_path(edge)).exists()
        ]
        return concatenated(parts) if parts else None

    def _pooled_path(self, edge: str) -> Path:
        return self._directory.pooled / f"{edge}.safetensors"

    def _keep_decisions(self, number: int, answers: Sequence[Decision | NoReply]) -> None:
        sound: list[Decision] = []
        for answer in answers:
            if isinstance(answer, NoReply):
                self._listener(Note(f"{answer.edge} made no last decision: {answer.reason}"))
            elif len(answer.class_counts) != self._assembly.dataset.spec.num_classes:
                self._listener(Note(f"{answer.edge} counts {len(answer.class_counts)} classes"))
            else:
                sound.append(answer)
        self._directory.add_decisions(number, sound)

    def _save(self, folder: Path, name: str, weights: Sequence[Array]) -> None:
        model = self._assembly.server_trainer.model
        model.set_weights(weights)
        save_model(model, folder, name)

    def _load_global(self, result: RoundResult) -> Shipped:
        folder = self._directory.round(result.round)
        model = self._assembly.server_trainer.model
        load_weights(model, folder, "global")
        weights: list[Array] = model.get_weights()
        if weights_sha256(weights) != result.server.global_.weights_sha256:
            raise WorkdirError(
                f"the model in {folder} is not the global model that round {result.round} recorded"
            )
        return Shipped(weights, result.server.global_.trained_on)

    def _planned_examples(self, first: int) -> int:
        """Examples that all epochs of the rounds left will see."""
        config = self._config
        sizes = {data.edge: len(data.train) for data in self._assembly.edges}
        each = self._assembly.dataset.train.images[:1].nbytes
        pooled = sum(consented_count(config.server, e, n, each) for e, n in sizes.items())
        total = 0
        for number in range(first, config.rounds + 1):
            total += config.edge.epochs * sum(sizes[name] for name in self._participants(number))
            total += config.server.epochs * pooled
        return total
