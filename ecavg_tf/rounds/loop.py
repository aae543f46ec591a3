"""The round's loop, which does not know how edges are reached."""

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ecavg_tf.config import Config, FleetKind
from ecavg_tf.config.checks import validated
from ecavg_tf.config.presence import present
from ecavg_tf.core.errors import WorkdirError, disk_errors
from ecavg_tf.core.messages.reply import NoReply, Reply
from ecavg_tf.core.messages.request import EXCHANGE, Shipped
from ecavg_tf.core.scores import Decision
from ecavg_tf.core.seeds import permutation
from ecavg_tf.core.template import Array, Template
from ecavg_tf.data.consent import consenting
from ecavg_tf.data.dataset import concatenated
from ecavg_tf.data.federated import FederatedData, counted, federated_data
from ecavg_tf.data.given import with_given_data
from ecavg_tf.data.pooled import pooled_by_edge, still_pooled
from ecavg_tf.epochs import EpochsFile
from ecavg_tf.events import (
    Detail,
    Event,
    Listener,
    Note,
    RunPlanned,
    StageStarted,
    shown,
    silent,
)
from ecavg_tf.kernels import kernels_event
from ecavg_tf.models.batchnorm import variance_positions
from ecavg_tf.models.builders import template_of
from ecavg_tf.narrate import LogFile
from ecavg_tf.report.words import decided
from ecavg_tf.results import RunResults
from ecavg_tf.rounds.baselines import train_baselines, wants_baselines
from ecavg_tf.rounds.costs import Costs
from ecavg_tf.rounds.ending import complete_page, draw_page
from ecavg_tf.rounds.examining import Examiner
from ecavg_tf.rounds.fleets import FLEETS
from ecavg_tf.rounds.measuring import Measurer
from ecavg_tf.rounds.one_accuracy import check_one_accuracy
from ecavg_tf.rounds.process_fleet import ProcessFleet
from ecavg_tf.rounds.registries import check_names
from ecavg_tf.rounds.round_models import RoundModels
from ecavg_tf.rounds.server_start import begins_random, first_start, tools_of
from ecavg_tf.rounds.spending import privacy_of, spent
from ecavg_tf.rounds.told_before import planned_examples, told_before
from ecavg_tf.rounds.whose_task import check_edges, task_of_run
from ecavg_tf.rundir import RunDirectory
from ecavg_tf.task import Task
from ecavg_tf.training.resuming import drop_checkpoints
from export.jobs.run import check_exportable, export_at_end, wants_export
from export.making.converting_process import warm_up
from server.collect import Collected, check_quorum, collect
from server.tune import WHO, make_global


def run(
    config: Config, workdir: str | Path, *, listener: Listener = silent, data: Any = None
) -> RunResults:
    """Runs the configured rounds, or what is left of them.

    Args:
        config: what to run.
        workdir: the run directory. One that holds the same config is resumed.
        listener: told of stages, epochs and refusals; ``ecavg_tf.progress()`` shows them.
        data: instead of ``data.name``: what ``with_given_data`` takes, such as
            ``((x_train, y_train), (x_test, y_test))``. It is kept in the run directory.

    Returns:
        The results, as they are in ``workdir/results.json``.

    Raises:
        ECAvgError: with one line that says how to mend it.
        KeyboardInterrupt: passed on, once results.json says "interrupted".
    """
    check_names(validated(config))
    if data is not None:
        config = with_given_data(config, workdir, data)
    directory = RunDirectory(workdir, config)
    done = directory.finished()
    if done is not None and not (wants_export(config, done) or wants_baselines(config, done)):
        complete_page(directory, done, listener)
        return done
    told = LogFile(directory.path / "log.txt"), EpochsFile(directory.path), listener

    def tell(event: Event) -> None:
        for each in told:
            each(event)

    with shown(listener), disk_errors(directory.path):
        try:
            check_fleet = FLEETS[config.fleet.kind].check
            if check_fleet is not None and not directory.exists:
                check_fleet(config)
            said = task_of_run(config, directory, tell)
            data = federated_data(config, said)
            task = Task(counted(config, data), data.spec, directory.path, tell)
            task.check()
            check_exportable(task)
            check_edges(config, data.edges)
            template = template_of(task.server_trainer.model)
            directory.open()
            for note in directory.notes:
                tell(Note(note))
            tell(kernels_event())
            task.tell_notes(data.notes)
            results = Loop(directory, task, data, directory.template(template)).run()
            if config.export.enabled and not len(data.test):
                tell(Note("no file is exported: the server has no test set to compare it on"))
            elif config.export.enabled:
                results = export_at_end(directory, task, data, results)
            draw_page(results, directory.path, tell)
            return results
        finally:
            directory.close()


class Loop:
    """The rounds of one run.

    Args:
        directory: the opened run directory.
        task: what the participants share.
        data: asked for the data of edges that live in this process, and of no other.
        template: the run's template.
    """

    def __init__(
        self, directory: RunDirectory, task: Task, data: FederatedData, template: Template
    ) -> None:
        self._config = task.config
        self._directory = directory
        self._task = task
        self._data = data
        self._template = template
        self._listener = task.listener
        self._warmed_up = 0  # examples, before round 1
        self._scorer = task.scorer(task.server_trainer, data.test)
        self._models = RoundModels(directory, task, template)
        self._examiner = Examiner(task, template, self._scorer)
        self._fleet = FLEETS[task.config.fleet.kind].make(task, data, directory, template)
        self._costs = Costs(task.config, directory.run_id, template)

    def run(self) -> RunResults:
        """Plays the rounds that are left; results.json tells the truth at any moment."""
        classes = self._task.spec.classes
        self._directory.write_results("interrupted", classes)
        try:
            self._play()
        except BaseException as error:
            status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            # What went wrong is what the user must read, not that the disk is full too.
            with contextlib.suppress(OSError, WorkdirError):
                results = self._directory.write_results(status, classes)
                draw_page(results, self._directory.path, self._listener)
            raise
        finally:
            if isinstance(self._fleet, ProcessFleet):
                self._fleet.close()
        drop_checkpoints(self._directory.path, (*self._fleet.edges, WHO))
        return self._directory.write_results("finished", classes)

    def _play(self) -> None:
        rounds = self._config.rounds
        finished = self._directory.rounds()
        first = len(finished) + 1
        model = self._models.load(finished[-1]) if finished else self._first_start()
        planned = planned_examples(self._config, self._data, first, self._participants)
        self._listener(RunPlanned(rounds, first, planned))
        for line in told_before(self._config, self._template, self._data):
            self._listener(Note(line))
        for number in range(first, rounds + 1):
            model = self._round(number, model)
            self._directory.write_results("interrupted", self._task.spec.classes)
        if set(self._directory.decisions(rounds)) != set(self._fleet.edges):
            answers = self._fleet.finish(rounds, model)
            self._keep_decisions(rounds, answers)
            self._costs.keep_finish(self._directory.round(rounds), rounds, model, answers)
        self._models.tidy(finished=rounds, decided=rounds)
        if self._config.fleet.kind is FleetKind.LOCAL:
            folders = [self._directory.edges / edge for edge in self._fleet.edges]
            check_one_accuracy(self._task, folders, self._data.test)
        train_baselines(self._task, self._data, self._directory, self._fleet.edges, self._scorer)

    def _first_start(self) -> Shipped:
        weights, self._warmed_up = first_start(self._task, self._data)
        return Shipped(weights)

    def _round(self, number: int, start: Shipped) -> Shipped:
        participants = self._participants(number)
        own_start = number == 1 and self._config.model.init == "independent"
        there = still_pooled(self._directory.pooled, participants)
        wanted = [
            edge
            for edge in participants
            if edge not in there and consenting(self._config.server, edge)
        ]
        sent = Shipped(None) if own_start else start
        replies = self._fleet.exchange(number, sent, participants, wanted)
        if number > 1:
            self._keep_decisions(number - 1, [r for r in replies if isinstance(r, Reply)])
        collected = self._collect(number, replies, start.weights or ())
        parts = pooled_by_edge(self._directory.pooled, self._fleet.edges, self._task.spec)
        base = sent.weights or ()
        collected, parts = self._examiner.examined(number, collected, base, parts)
        check_quorum(number, collected, self._config.fleet.quorum)
        self._get_export_ready(number)
        pooled = concatenated(list(parts.values())) if parts else None
        if pooled is not None and self._config.server.epochs > 0:
            self._examiner.warn_of_forgetting(number, collected.updates, pooled)
        model = make_global(
            collected.updates,
            self._template,
            start.weights or (),
            pooled,
            config=self._config.server,
            trainer=self._task.server_trainer,
            round_number=number,
            listener=self._listener,
            tools=tools_of(self._task, self._scorer, number),
            random_start=number == 1 and begins_random(self._config),
        )
        self._models.save(number, model.averaged, model.weights)
        self._listener(StageStarted(number, "evaluate", WHO))
        measurer = Measurer(self._scorer, self._template, self._data.own_test, self._listener)
        begun = start.weights or ()
        result = measurer.result(number, participants, replies, collected, begun, model, pooled)
        privacy = privacy_of(self._config, self._directory.rounds(), participants)
        if privacy is not None:
            self._listener(Note(f"round {number}: {spent(privacy)}"))
        costs = self._costs.of(EXCHANGE, number, sent, wanted, replies)
        self._directory.finish_round(
            replace(result, warmed_up=self._warmed_up, privacy=privacy, costs=costs)
        )
        self._warmed_up = 0
        self._models.tidy(finished=number, decided=number - 1)
        return Shipped(model.weights, model.trained_on)

    def _get_export_ready(self, number: int) -> None:
        """The converter's process takes seconds to start: it does so while the server works."""
        last = number == self._config.rounds
        if last and self._config.export.enabled and len(self._data.test):
            warm_up()

    def _participants(self, number: int) -> tuple[str, ...]:
        there, wanted = self._fleet.present(number), self._config.edges_per_round
        edges = present(self._config.fleet.presence, there, number)
        if wanted == 0 or wanted >= len(edges):
            return edges
        order = permutation(len(edges), self._config.seed, "participants", number)
        return tuple(edges[index] for index in sorted(order[:wanted]))

    def _collect(
        self, number: int, replies: Sequence[Reply | NoReply], base: Sequence[Array]
    ) -> Collected:
        collected = collect(
            replies,
            self._template,
            self._task.spec,
            round_number=number,
            updates_folder=self._directory.round(number) / "updates",
            pooled_folder=self._directory.pooled,
            config=self._config.server,
            base=base,
            variances=variance_positions(self._task.server_trainer.model),
            links=self._config.fleet.kind is FleetKind.LOCAL,
        )
        for note in collected.notes:
            self._listener(Note(f"round {number}: {note}"))
        for refusal in collected.refused:
            self._listener(Note(f"round {number}: refused {refusal.edge}: {refusal.reason}"))
        for missing in collected.absent:
            self._listener(Note(f"round {number}: {missing.edge} is absent: {missing.reason}"))
        return collected

    def _keep_decisions(self, number: int, answers: Sequence[Reply | NoReply]) -> None:
        sound: list[Decision] = []
        for answer in answers:
            if isinstance(answer, NoReply):
                self._listener(Note(f"{answer.edge} made no last decision: {answer.reason}"))
            elif (decision := answer.decision) is None:
                continue
            elif len(decision.class_counts) != self._task.spec.num_classes:
                self._listener(Note(f"{decision.edge} counts {len(decision.class_counts)} classes"))
            else:
                sound.append(decision)
                self._listener(Detail(decided(decision)))
        for other in self._directory.add_decisions(number, sound):
            self._listener(
                Note(
                    f"{other} decided otherwise on the model of round {number} before: that "
                    f"decision stays recorded; was the folder of {other} changed or emptied?"
                )
            )
