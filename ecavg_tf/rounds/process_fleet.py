"""Edges of this machine in several processes, which the standard library's pool holds.

Each trains with one thread, so the bits of an edge do not depend on how many processes there are.
"""

import contextlib
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.process import BaseProcess
from typing import Any

from ecavg_tf.core.errors import ECAvgError, RoundError
from ecavg_tf.core.messages.reply import NoReply, Reply
from ecavg_tf.core.messages.request import EXCHANGE, FINISH, Request, Shipped
from ecavg_tf.core.template import Template
from ecavg_tf.data.dataset import EdgeData
from ecavg_tf.events import Detail, Listener, Note
from ecavg_tf.rounds.edge_process import Begun, Failed, Shared, answer, begin

_POLL_S = 0.1  # how often events are passed on while edges work
_AHEAD = 2  # requests a process that are on their way; more would only lie in memory

Pending = dict[Future[Reply | Failed], str]


class ProcessFleet:
    """Edges that answer in a pool of processes.

    Args:
        shared: what all edges have in common.
        data: each edge's data, by name.
        run_id: names the run.
        template: the run's template.
        listener: told, in this process, what the edges tell.
    """

    def __init__(
        self,
        shared: Shared,
        data: Mapping[str, EdgeData],
        run_id: str,
        template: Template,
        listener: Listener,
    ) -> None:
        self._shared = shared
        self._data = data
        self._run_id = run_id
        self._template = template
        self._listener = listener
        self._pool: ProcessPoolExecutor | None = None
        self._events: Any = None
        self._notes: set[str] = set()
        self._begun: dict[int, tuple[str, BaseProcess | None]] = {}

    @property
    def edges(self) -> tuple[str, ...]:
        """Names of all edges, in order."""
        return tuple(self._data)

    def present(self, round_number: int) -> tuple[str, ...]:
        """All edges: they live here."""
        del round_number
        return self.edges

    def exchange(
        self,
        round_number: int,
        start: Shipped,
        participants: Sequence[str],
        pooled_wanted: Collection[str],
    ) -> Sequence[Reply | NoReply]:
        """One exchange with each participant; see ``Fleet``."""
        requests = {
            edge: self._request(EXCHANGE, round_number, start, edge in pooled_wanted)
            for edge in participants
        }
        return self._ask(requests)

    def finish(self, round_number: int, global_model: Shipped) -> Sequence[Reply | NoReply]:
        """Lets every edge decide on the last global model."""
        request = self._request(FINISH, round_number, global_model, pooled=False)
        return self._ask(dict.fromkeys(self._data, request))

    def close(self) -> None:
        """Ends the processes, whatever they are at."""
        if self._pool is None:
            return
        for pid in self._begun:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool = None
        self._begun.clear()

    def _request(self, kind: str, round_number: int, model: Shipped, pooled: bool) -> Request:
        return Request(kind, self._run_id, round_number, self._template, model, pooled)

    def _ask(self, requests: Mapping[str, Request]) -> list[Reply | NoReply]:
        """The answers of edges in their order, whoever is ready first."""
        pool, workers = self._start(), self._shared.config.fleet.workers
        waiting = deque(requests)
        pending: Pending = {}
        replies: dict[str, Reply] = {}
        try:
            while waiting or pending:
                while waiting and len(pending) < _AHEAD * workers:
                    edge = waiting.popleft()
                    pending[pool.submit(answer, self._data[edge], requests[edge])] = edge
                done, _ = wait(pending, _POLL_S, FIRST_COMPLETED)
                self._pass_on()
                for future in done:
                    replies[pending.pop(future)] = _taken(future)
            self._pass_on()
        except BrokenProcessPool as error:
            raise RoundError(self._obituary()) from error
        except BaseException:
            self.close()
            raise
        return [replies[edge] for edge in requests]

    def _start(self) -> ProcessPoolExecutor:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._events = context.SimpleQueue()
            self._pool = ProcessPoolExecutor(
                self._shared.config.fleet.workers,
                context,
                initializer=begin,
                initargs=(self._shared, self._events),
            )
        return self._pool

    def _pass_on(self) -> None:
        """Tells what the edges have told, in this process; the same note once."""
        while not self._events.empty():
            event = self._events.get()
            if isinstance(event, Begun):
                known = {child.pid: child for child in multiprocessing.active_children()}
                before = self._begun.get(event.pid)
                self._begun[event.pid] = event.edge, before[1] if before else known.get(event.pid)
            elif not isinstance(event, Note | Detail):
                self._listener(event)
            elif event.text not in self._notes:
                self._notes.add(event.text)
                self._listener(event)

    def _obituary(self) -> str:
        """Who died; the pool ends the others by itself."""
        with contextlib.suppress(OSError, EOFError):
            self._pass_on()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None
        ended = {
            edge: process.exitcode
            for edge, process in self._begun.values()
            if process is not None and process.exitcode not in (None, 0, -signal.SIGTERM)
        }
        self._begun.clear()
        if not ended:
            return (
                "a process of fleet.workers ended as it started; a script that calls ecavg_tf.run "
                "with it needs 'if __name__ == \"__main__\":' around the call"
            )
        named = " and ".join(f"{edge} ({_how(code)})" for edge, code in sorted(ended.items()))
        return (
            f"the process that served {named} died; if it was for lack of memory, lower "
            "fleet.workers; the same command goes on with this round"
        )


def _taken(future: Future[Reply | Failed]) -> Reply:
    result = future.result()
    if isinstance(result, Failed):
        raise _again(result)
    return result


def _again(failed: Failed) -> ECAvgError:
    try:
        return failed.error(failed.text)
    except TypeError:  # a class that is made from more than a line
        return RoundError(failed.text)


def _how(code: int | None) -> str:
    """An exit code in words."""
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"
