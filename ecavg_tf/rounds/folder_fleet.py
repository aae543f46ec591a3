"""Edges in other processes or places, reached through a folder."""

import contextlib
import errno
import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ecavg_tf.core.errors import WorkdirError, brief
from ecavg_tf.core.files import TEMPORARY_PREFIX, read_json, remove_leftovers, write_json
from ecavg_tf.core.messages.mailbox import POLL_S, Mailbox
from ecavg_tf.core.messages.probe import Probe
from ecavg_tf.core.messages.reply import NoReply, Reply
from ecavg_tf.core.messages.request import EXCHANGE, FINISH, Request, Shipped
from ecavg_tf.core.paths import user_path
from ecavg_tf.core.template import Array, Template
from ecavg_tf.events import Listener, Note, StageStarted

_UPDATE_HEADER = 2**24  # names, shapes and metadata; more than any model needs


class FolderFleet:
    """Edges that exchange files with the server; each runs ``ecavg edge``.

    Args:
        folder: the exchange folder; every edge has a mailbox in it.
        edges: names of the edges.
        run_id: names the run.
        template: the run's template.
        config: what edges must agree with, fields by dotted names.
        timeout_s: seconds without any new answer before the missing ones are given up.
        listener: told who is waited for, and who answered.
        bundle_for: gives the training bundle of a model, which goes along with it; None: none.
        probe_of: gives a model's answers to ``core.probe``'s images, by which an edge that
            brings its own training bundle sees that it is of this model; None: it can't.

    Raises:
        WorkdirError: the folder holds the files of another run, or can't be written.
    """

    def __init__(
        self,
        folder: str | Path,
        edges: tuple[str, ...],
        *,
        run_id: str,
        template: Template,
        config: Mapping[str, Any],
        timeout_s: float,
        listener: Listener,
        bundle_for: Callable[[Sequence[Array]], Path] | None = None,
        probe_of: Callable[[Sequence[Array]], Probe] | None = None,
    ) -> None:
        folder = user_path(folder)
        self._bundle_for = bundle_for
        self._probe_of = probe_of
        self._request = Request("", run_id, 0, template, Shipped(None), config=config)
        self._timeout_s = timeout_s
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        self._largest = {"update": 8 * template.size + _UPDATE_HEADER, "pooled": memory}
        self._listener = listener
        try:
            check_exchange_folder(folder, run_id)
            write_json(folder / "run.json", {"run_id": run_id})
            self._boxes = {edge: _mailbox(folder / edge) for edge in edges}
            for box in self._boxes.values():  # the run directory's lock keeps other servers away
                remove_leftovers(box.inbox)
        except OSError as error:
            raise WorkdirError(f"{folder} can't be written: {error.strerror}") from error

    @property
    def edges(self) -> tuple[str, ...]:
        """Names of all edges, in order."""
        return tuple(self._boxes)

    def exchange(
        self,
        round_number: int,
        start: Shipped,
        participants: Sequence[str],
        pooled_wanted: Collection[str],
    ) -> Sequence[Reply | NoReply]:
        """One exchange with each participant; see ``Fleet``."""
        return self._ask(EXCHANGE, round_number, start, participants, pooled_wanted)

    def finish(self, round_number: int, global_model: Shipped) -> Sequence[Reply | NoReply]:
        """Lets every edge decide on the last global model."""
        return self._ask(FINISH, round_number, global_model, self.edges)

    def _ask(
        self,
        kind: str,
        round_number: int,
        model: Shipped,
        participants: Sequence[str],
        pooled_wanted: Collection[str] = (),
    ) -> list[Reply | NoReply]:
        bundle = probe = None
        if model.weights is not None and self._bundle_for is not None:
            bundle = self._bundle_for(model.weights)
        if model.weights is not None and self._probe_of is not None:
            probe = self._probe_of(model.weights)
        for box in self._boxes.values():
            with contextlib.suppress(OSError):  # not ours to remove, or no folder at all
                box.drop_pooled(replace(self._request, kind=kind, round=round_number))
        requests: dict[str, Request] = {}
        unreached: dict[str, NoReply] = {}
        for edge in participants:
            try:
                box = self._boxes[edge]
                requests[edge] = replace(
                    self._request,
                    kind=kind,
                    round=round_number,
                    model=model,
                    pooled_wanted=edge in pooled_wanted,
                    training_file=None if bundle is None else box.put_file(bundle),
                    probe=probe,
                )
                box.send(requests[edge])
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise  # our own disk: no fault of the edge
                unreached[edge] = NoReply(edge, f"its folder can't be used: {brief(error)}")
                requests.pop(edge, None)
        self._listener(StageStarted(round_number, "wait", "server"))
        answers = {answer.edge: answer for answer in self._wait(requests)} | unreached
        return [answers[edge] for edge in participants]

    def _wait(self, requests: Mapping[str, Request]) -> list[Reply | NoReply]:
        """One answer a request, in their order."""
        answers: dict[str, Reply | NoReply] = {}
        deadline = time.monotonic() + self._timeout_s
        while len(answers) < len(requests) and time.monotonic() < deadline:
            fresh = {
                edge: answer
                for edge, request in requests.items()
                if edge not in answers and (answer := self._look(edge, request))
            }
            if not fresh:
                time.sleep(POLL_S)
                continue
            answers |= fresh
            deadline = time.monotonic() + self._timeout_s
            for edge in fresh:
                self._listener(Note(f"round {requests[edge].round}: {edge} answered"))
        silent = f"no whole answer within {self._timeout_s:g} s (fleet.timeout_s)"
        return [answers.get(edge) or NoReply(edge, silent) for edge in requests]

    def _look(self, edge: str, request: Request) -> Reply | NoReply | None:
        try:
            return self._boxes[edge].answer(request, self._largest)
        except (ValueError, OSError) as error:
            return NoReply(edge, str(error))


def _mailbox(folder: Path) -> Mailbox:
    """A mailbox; where something lies in its place, that edge can't be reached, others can."""
    try:
        return Mailbox(folder)
    except (FileExistsError, NotADirectoryError):
        return Mailbox(folder, make=False)


def check_exchange_folder(folder: str | Path, run_id: str | None) -> None:
    """An exchange folder belongs to one run: stale replies are never taken for new ones.

    Args:
        folder: the exchange folder.
        run_id: the run that wants it; None: one that has no name yet.

    Raises:
        WorkdirError: it is another run's, or holds something else.
    """
    folder = user_path(folder)
    owner = folder / "run.json"
    if not owner.exists():
        # Edges that were started before the server have made their empty mailboxes.
        files = (path for path in folder.rglob("*") if path.is_file())
        strangers = sorted(p.name for p in files if not p.name.startswith(TEMPORARY_PREFIX))
        if strangers:
            raise WorkdirError(
                f"{folder} holds {strangers[0]}; give the run an exchange folder of its own"
            )
        return
    found = read_json(owner).get("run_id")
    if found != run_id:
        raise WorkdirError(
            f"{folder} is the exchange folder of run {found}; give this run a folder of its own"
        )
