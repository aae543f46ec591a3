"""Edges in other processes or places, reached through a folder."""

import contextlib
import errno
import shlex
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ecavg_tf.core.errors import WorkdirError, brief
from ecavg_tf.core.files import remove_leftovers
from ecavg_tf.core.messages.inputs import Inputs
from ecavg_tf.core.messages.mailbox import POLL_S, Mailbox
from ecavg_tf.core.messages.owner import Owner, remember
from ecavg_tf.core.messages.probe import Probe
from ecavg_tf.core.messages.reply import NoReply, Reply
from ecavg_tf.core.messages.request import EXCHANGE, FINISH, Request, Shipped
from ecavg_tf.core.messages.signature import EdgeKeys
from ecavg_tf.core.messages.update_file import largest_pooled_file, largest_update
from ecavg_tf.core.paths import user_path
from ecavg_tf.core.template import Array, Template
from ecavg_tf.events import Listener, Note, StageStarted
from ecavg_tf.rounds.exchange_folder import how_to_start, take_exchange_folder

_MOST_NAMED = 8


class FolderFleet:
    """Edges that exchange files with the server; each runs ``ecavg edge``.

    Args:
        folder: the exchange folder; every edge has a mailbox in it.
        edges: names of the edges.
        run_id: names the run.
        template: the run's template.
        config: what edges must agree with, fields by dotted names.
        timeout_s: seconds from a request until edges that have not answered are absent.
        quorum: with fewer answers, edges that are absent already are waited for, too.
        inputs: what the model takes, for edges without a config; None: they need one.
        owners: the file that keeps which state folder first answered for each edge; None: any
            may answer.
        keys: the edges' public keys: replies that they did not sign are refused; None: any counts.
        takes_more: whether edges may come that nobody knows yet; see ``add``.
        network: whether a network carries the folder to other machines.
        listener: told who is waited for, and who answered.
        bundle_for: gives the training bundle of a model, which goes along with it; None: none.
        probe_of: gives a model's answers to ``core.probe``'s inputs, by which an edge that
            brings its own training bundle sees that it is of this model; None, and where it
            gives None: it can't.

    Attributes:
        idle: called again and again while answers are waited for.

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
        quorum: int = 1,
        inputs: Inputs | None = None,
        owners: Path | None = None,
        keys: EdgeKeys | None = None,
        takes_more: bool = False,
        network: bool = False,
        listener: Listener,
        bundle_for: Callable[[Sequence[Array]], Path] | None = None,
        probe_of: Callable[[Sequence[Array]], Probe | None] | None = None,
    ) -> None:
        self._folder = folder = user_path(folder)
        self._bundle_for = bundle_for
        self._probe_of = probe_of
        self._keys = keys
        request = Request("", run_id, 0, template, Shipped(None), config=config, inputs=inputs)
        self._request = replace(request, signed=keys is not None)
        self._timeout_s = timeout_s
        self._quorum = quorum
        self._owners = owners
        self._missed: dict[str, list[Request]] = {}  # of those that are absent
        self._how_to_start = ""  # edges that come by themselves run already
        if not takes_more:
            uses_file = bundle_for is not None
            self._how_to_start = how_to_start(
                folder, training_file=uses_file, network=network, signed=keys is not None
            )
        self._largest_update = largest_update(template)
        self._listener = listener
        self._boxes: dict[str, Mailbox] = {}
        self.idle: Callable[[], None] = _nothing
        take_exchange_folder(folder, run_id, takes_more=takes_more)
        self.add(edges)

    @property
    def edges(self) -> tuple[str, ...]:
        """Names of all edges, in order."""
        return tuple(self._boxes)

    def add(self, edges: Iterable[str]) -> None:
        """Takes edges up, if they are new.

        Raises:
            WorkdirError: the exchange folder can't be written.
        """
        try:
            for edge in set(edges) - self._boxes.keys():
                self._boxes[edge] = _mailbox(self._folder / edge, self._keys)
                # The run directory's lock keeps other servers away.
                if not self._boxes[edge].inbox.is_symlink():
                    remove_leftovers(self._boxes[edge].inbox)
        except OSError as error:
            raise WorkdirError(f"{self._folder} can't be written: {error.strerror}") from error
        self._boxes = dict(sorted(self._boxes.items()))

    def close_to_others(self) -> None:
        """Says to edges that come from now on that this run takes no more."""
        take_exchange_folder(self._folder, self._request.run_id, takes_more=False)

    def present(self, round_number: int) -> tuple[str, ...]:
        """All edges; whether they are there shows when they are asked."""
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
                box.check_boxes()
                box.drop_pooled(replace(self._request, kind=kind, round=round_number))
        requests: dict[str, Request] = {}
        unreached: dict[str, NoReply] = {}
        for edge in participants:
            try:
                box = self._boxes[edge]
                box.check_boxes()
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
                if error.errno in (errno.ENOSPC, errno.EDQUOT) and self._is_ours(edge):
                    raise  # our own disk: no fault of the edge
                reason = f"its folder can't be used: {brief(error)}"
                unreached[edge] = NoReply(edge, reason, sizes=(0, 0))
                requests.pop(edge, None)
        needed = min(self._quorum, len(requests)) if kind == EXCHANGE else 0
        waited = self._wait(round_number, requests, needed)
        answers = {answer.edge: self._weighed(answer, requests) for answer in waited} | unreached
        return [answers[edge] for edge in participants]

    def _weighed(self, answer: Reply | NoReply, requests: Mapping[str, Request]) -> Reply | NoReply:
        """An answer with the bytes that were written for it."""
        hashes = answer.hashes if isinstance(answer, Reply) else {}
        sizes = self._boxes[answer.edge].sizes(requests[answer.edge], hashes)
        return replace(answer, sizes=sizes)

    def _wait(
        self, round_number: int, requests: Mapping[str, Request], needed: int
    ) -> list[Reply | NoReply]:
        """One answer a request, in their order.

        Waits for edges that are not absent, and for absent ones where fewer than ``needed``
        would answer.
        """
        answers: dict[str, Reply | NoReply] = {}
        told: tuple[str, ...] = ()
        deadline = time.monotonic() + self._timeout_s
        while True:
            answers |= self._fresh(requests, answers)
            missing = tuple(edge for edge in requests if edge not in answers)
            awaited = tuple(edge for edge in missing if not self._is_absent(edge))
            if not awaited and sum(isinstance(a, Reply) for a in answers.values()) < needed:
                awaited = missing
            if not awaited or time.monotonic() >= deadline:
                break
            if awaited != told:
                self._tell_awaited(round_number, awaited)
                told = awaited
            self.idle()
            time.sleep(POLL_S)
        return [answers.get(edge) or self._gave_up(edge, requests[edge]) for edge in requests]

    def _fresh(
        self, requests: Mapping[str, Request], known: Collection[str]
    ) -> dict[str, Reply | NoReply]:
        """What came since the last look; whoever answers is not absent any more."""
        fresh: dict[str, Reply | NoReply] = {}
        for edge, request in requests.items():
            if edge not in known and (answer := self._look(edge, request)):
                fresh[edge] = answer
                self._missed.pop(edge, None)
                self._listener(Note(f"round {request.round}: {edge} answered"))
        return fresh

    def _is_absent(self, edge: str) -> bool:
        """Whether an edge missed a deadline and has answered nothing since, however late."""
        for request in self._missed.get(edge, ()):
            if self._look(edge, request):
                text = f"{edge} answered too late, and its answer is dropped"
                self._listener(Note(f"round {request.round}: {text}"))
                del self._missed[edge]
                break
        return edge in self._missed

    def _gave_up(self, edge: str, request: Request) -> NoReply:
        """An edge that gave no whole answer: later rounds don't wait for it."""
        before = self._missed.setdefault(edge, [])
        if before:
            reason = f"no answer since round {before[0].round}; it may come back at any time"
        else:
            reason = f"no whole answer within {self._timeout_s:g} s (fleet.timeout_s)"
        # Weights are large; whether a late reply is signed is told by their hash.
        kept = replace(request, model=Shipped(None), weights_sha256=request.model.sha256)
        before.append(kept)
        return NoReply(edge, reason, absent=True)

    def _tell_awaited(self, round_number: int, awaited: Sequence[str]) -> None:
        more = f" and {len(awaited) - _MOST_NAMED} more" if len(awaited) > _MOST_NAMED else ""
        names = ", ".join(awaited[:_MOST_NAMED]) + more
        self._listener(StageStarted(round_number, "wait", names))
        if self._how_to_start:
            command = self._how_to_start.format(edge=shlex.quote(awaited[0]))
            self._listener(Note(f"an edge that is not running yet is started with: {command}"))
            self._how_to_start = ""  # told once

    def _look(self, edge: str, request: Request) -> Reply | NoReply | None:
        try:
            self._boxes[edge].check_boxes()
            pooled = largest_pooled_file(len(self._boxes))
            answer = self._boxes[edge].answer(
                request, {"update": self._largest_update, "pooled": pooled}
            )
            if isinstance(answer, Reply) and (refusal := self._foreign(edge, answer.owner)):
                return NoReply(edge, refusal)
            return answer
        except (ValueError, OSError) as error:
            return NoReply(edge, str(error))

    def _is_ours(self, edge: str) -> bool:
        """Whether an edge's folder lies on the disk of all; else a full one is its own trouble."""
        try:
            return self._boxes[edge].inbox.stat().st_dev == self._folder.stat().st_dev
        except OSError:
            return True

    def _foreign(self, edge: str, owner: Owner | None) -> str | None:
        """Why this state folder may not answer for an edge; None: it may, and is remembered."""
        if owner is None or self._owners is None:
            return None
        return remember(self._owners, edge, owner)


def _nothing() -> None:
    """What a fleet does beside waiting, unless it is told otherwise."""


def _mailbox(folder: Path, keys: EdgeKeys | None) -> Mailbox:
    """A mailbox; where something lies in its place, that edge can't be reached, others can."""
    try:
        return Mailbox(folder, keys=keys)
    except (FileExistsError, NotADirectoryError):
        return Mailbox(folder, make=False, keys=keys)
