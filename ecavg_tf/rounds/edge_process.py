"""What runs in a process of ``fleet.workers``: one edge after the other, with one thread each.

TensorFlow is imported as the first edge is asked. The process ends with the one that started it.
"""

import multiprocessing
import os
import signal
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from ecavg_tf.config import Config
from ecavg_tf.core.errors import ECAvgError
from ecavg_tf.core.messages.reply import Reply
from ecavg_tf.core.messages.request import Request
from ecavg_tf.data.dataset import DataSpec, EdgeData, Examples
from ecavg_tf.events import Event, Trained

_TELL_S = 0.1  # progress within a stage is told in steps of this


@dataclass(frozen=True)
class Begun:
    """An edge's turn begins in a process."""

    pid: int
    edge: str


@dataclass(frozen=True)
class Failed:
    """An error that the user can mend, on its way out of a process.

    Attributes:
        edge: whose turn it was.
        error: its class.
        text: its line.
    """

    edge: str
    error: type[ECAvgError]
    text: str


@dataclass(frozen=True)
class Shared:
    """What all edges of a run have in common.

    Attributes:
        config: the run's config.
        spec: what the inputs are.
        test: the server's test set.
        workdir: the run directory.
        edges: folder of the edges' own folders.
        saves: whether each accepted model becomes a Keras file.
    """

    config: Config
    spec: DataSpec
    test: Examples
    workdir: Path
    edges: Path
    saves: bool


class _Teller:
    """Sends events out of the process; small steps of progress are gathered."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue
        self._examples = 0
        self._told = time.monotonic()

    def __call__(self, event: Event) -> None:
        if isinstance(event, Trained):
            self._examples += event.examples
            if time.monotonic() - self._told >= _TELL_S:
                self.flush()
            return
        self.flush()
        self._queue.put(event)

    def flush(self) -> None:
        if self._examples:
            self._queue.put(Trained(self._examples))
        self._examples, self._told = 0, time.monotonic()


class _Process:
    """This process' model and how it tells what it does; made once."""

    def __init__(self, shared: Shared, queue: Any) -> None:
        self.shared = shared
        self.queue = queue
        self.tell = _Teller(queue)
        self._task: Any = None

    @property
    def task(self) -> Any:
        if self._task is None:
            from ecavg_tf.quiet import import_tensorflow

            import_tensorflow()
            import tensorflow as tf

            # The bits of a sum depend on the number of threads that it is shared among.
            tf.config.threading.set_intra_op_parallelism_threads(1)
            tf.config.threading.set_inter_op_parallelism_threads(1)
            from ecavg_tf.task import Task

            shared = self.shared
            self._task = Task(shared.config, shared.spec, shared.workdir, self.tell)
        return self._task


_PROCESS: _Process | None = None


def begin(shared: Shared, queue: Any) -> None:
    """Prepares a process of the pool."""
    global _PROCESS
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one that started it says when to stop
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _PROCESS = _Process(shared, queue)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def answer(data: EdgeData, request: Request) -> Reply | Failed:
    """Lets one edge answer."""
    assert _PROCESS is not None
    process = _PROCESS
    process.queue.put(Begun(os.getpid(), data.edge))
    try:
        task = process.task
        from ecavg_tf.rounds.workers import make_worker

        shared = process.shared
        scorer = task.scorer(task.edge_trainer, shared.test)
        folder = shared.edges / data.edge
        worker = make_worker(task, data, scorer, folder, saves=shared.saves, simulated=True)
        return worker.answer(request)
    except ECAvgError as error:
        return Failed(data.edge, type(error), str(error))
    finally:
        process.tell.flush()
