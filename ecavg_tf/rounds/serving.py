"""Serves a run over a folder, on the edges' side."""

import contextlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ecavg_tf.config import Config, LevelFor
from ecavg_tf.config.fields import is_shared, shared_fields
from ecavg_tf.core.errors import ConfigError, WorkdirError, disk_errors
from ecavg_tf.core.files import remove_leftovers
from ecavg_tf.core.messages.mailbox import Mailbox
from ecavg_tf.core.messages.owner import Owner
from ecavg_tf.core.messages.reply import Reply
from ecavg_tf.core.messages.request import HELLO, Request
from ecavg_tf.core.paths import user_path
from ecavg_tf.data.federated import counted, federated_data
from ecavg_tf.events import Listener, silent
from ecavg_tf.rounds.one_accuracy import check_one_accuracy
from ecavg_tf.rounds.registries import check_names
from ecavg_tf.rounds.workers import make_workers
from ecavg_tf.task import Task
from ecavg_tf.training.resuming import drop_checkpoints
from edge.device.checkpoint import locked
from edge.participating.serving import Served, serve
from edge.participating.worker import EdgeWorker
from export.jobs.run import export_edges, raise_if_failed


def serve_edges(
    config: Config, edges: Sequence[str], workdir: str | Path, *, listener: Listener = silent
) -> None:
    """Serves edges from this process until the run ends.

    Args:
        config: a validated config, the server's.
        edges: names of the edges that live here.
        workdir: where they keep their files.
        listener: told of stages and answers.

    Raises:
        ECAvgError: with one line that says how to mend it.
    """
    workdir, exchange = user_path(workdir), user_path(config.fleet.folder)
    check_names(config)
    data = federated_data(config)
    config = counted(config, data)
    for edge in edges:
        if edge not in data.edges:
            raise ConfigError(f"no edge {edge!r} in this config; valid: {', '.join(data.edges)}")
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        boxes = {edge: Mailbox(exchange / edge) for edge in edges}
    except OSError as error:
        raise WorkdirError(f"{error.filename} can't be written: {error.strerror}") from error
    task = Task(config, data.spec, workdir, listener)
    task.check()
    task.tell_notes(data.notes)
    workers = make_workers(task, data, edges, workdir)
    mine = shared_fields(config)
    with contextlib.ExitStack() as stack:
        stack.enter_context(disk_errors(workdir))
        for edge in edges:
            stack.enter_context(locked(workdir / edge, "--workdir"))
            remove_leftovers(boxes[edge].outbox)
        serve(
            [
                Served(
                    boxes[worker.edge],
                    partial(_answer, worker, mine),
                    Owner.of(workdir / worker.edge),
                )
                for worker in workers
            ],
            timeout_s=config.fleet.edge_timeout_s,
            hint="(fleet.edge_timeout_s); is 'ecavg run' up with the same fleet.folder?",
            listener=listener,
        )
        drop_checkpoints(workdir, edges)
        folders = [workdir / edge for edge in edges]
        check_one_accuracy(task, folders, data.test)
        if config.export.enabled:
            raise_if_failed(export_edges(workdir, task, data, edges), "'ecavg export' of the run")


def _answer(worker: EdgeWorker, mine: Mapping[str, Any], request: Request) -> Reply:
    """Answers a server that has the same config."""
    if request.kind == HELLO:
        raise ConfigError(
            f"the server has no data to give {worker.edge} a share of; serve data of your own: "
            "ecavg edge --edge=NAME --exchange=DIR --data=FILE --state=DIR"
        )
    theirs = request.config
    for name in sorted(filter(is_shared, theirs.keys() | mine.keys())):
        # How many rounds there will be does not matter to an edge, unless its level depends on it.
        if name == "rounds" and theirs.get("update.level_for") == LevelFor.DECISION.value:
            continue
        if theirs.get(name) != mine.get(name):
            raise ConfigError(
                f"{worker.edge} has {name}={mine.get(name)!r}, the server {theirs.get(name)!r}; "
                "give both the same config"
            )
    return worker.answer(request)
