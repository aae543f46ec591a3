"""Edges in other processes or places, reached through a folder."""

import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from ecavg_tf.core.errors import WorkdirError
from ecavg_tf.core.files import TEMPORARY_PREFIX, read_json, write_json
from ecavg_tf.core.messages.letter import Letter
from ecavg_tf.core.messages.mailbox import EXCHANGE, FINISH, POLL_S, Answer, Mailbox
from ecavg_tf.core.messages.probe import Probe
from ecavg_tf.core.paths import user_path
from ecavg_tf.core.scores import Decision, is_number
from ecavg_tf.core.template import Array, Template
from ecavg_tf.events import Listener, Note, StageStarted
from ecavg_tf.fleet import NoReply, Reply, Shipped

T = TypeVar("T")
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
        self._edges = edges
        self._run_id = run_id
        self._template = template
        self._config = config
        self._timeout_s = timeout_s
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        self._largest = {"update": 8 * template.size + _UPDATE_HEADER, "pooled": memory}
        self._listener = listener
        try:
            check_free(folder, run_id)
            write_json(folder / "run.json", {"run_id": run_id})
            self._boxes = {edge: Mailbox(folder / edge) for edge in edges}
        except OSError as error:
            raise WorkdirError(f"{folder} can't be written: {error.strerror}") from error

    @property
    def edges(self) -> tuple[str, ...]:
        """Names of all edges, in order."""
        return self._edges

    def exchange(
        self,
        round_number: int,
        start: Shipped,
        participants: Sequence[str],
        pooled_wanted: Collection[str],
    ) -> Sequence[Reply | NoReply]:
        """One exchange with each participant; see ``Fleet``."""
        answers = self._ask(EXCHANGE, round_number, start, participants, pooled_wanted)
        return [_read(_reply, edge, round_number, answer) for edge, answer in answers]

    def finish(self, round_number: int, global_model: Shipped) -> Sequence[Decision | NoReply]:
        """Lets every edge decide on the last global model."""
        answers = self._ask(FINISH, round_number, global_model, self._edges)
        return [_read(_decision, edge, round_number, answer) for edge, answer in answers]

    def _ask(
        self,
        kind: str,
        round_number: int,
        model: Shipped,
        participants: Sequence[str],
        pooled_wanted: Collection[str] = (),
    ) -> Iterator[tuple[str, Answer | NoReply]]:
        listed = None if model.weights is None else list(model.weights)
        bundle = probe = None
        if listed is not None and self._bundle_for is not None:
            bundle = self._bundle_for(listed)
        if listed is not None and self._probe_of is not None:
            probe = self._probe_of(listed)
        for edge in participants:
            letter = Letter(
                kind,
                round_number,
                self._run_id,
                self._template,
                listed,
                self._config,
                edge in pooled_wanted,
                model.trained_on,
                None if bundle is None else self._boxes[edge].put_file(bundle),
                probe,
            )
            self._boxes[edge].send(letter)
        self._listener(StageStarted(round_number, "wait", "server"))
        answers: dict[str, Answer | NoReply] = {}
        deadline = time.monotonic() + self._timeout_s
        while len(answers) < len(participants) and time.monotonic() < deadline:
            fresh = {
                edge: answer
                for edge in participants
                if edge not in answers and (answer := self._look(edge, round_number, kind))
            }
            if not fresh:
                time.sleep(POLL_S)
                continue
            answers |= fresh
            deadline = time.monotonic() + self._timeout_s
            for edge in fresh:
                self._listener(Note(f"round {round_number}: {edge} answered"))
        silent = f"no whole answer within {self._timeout_s:g} s (fleet.timeout_s)"
        return ((edge, answers.get(edge) or NoReply(edge, silent)) for edge in participants)

    def _look(self, edge: str, round_number: int, kind: str) -> Answer | NoReply | None:
        try:
            answer = self._boxes[edge].answer(round_number, kind, self._largest)
        except (ValueError, OSError) as error:
            return NoReply(edge, str(error))
        if answer is not None and answer.run_id != self._run_id:
            return NoReply(edge, f"its reply belongs to run {answer.run_id}")
        return answer


def check_free(folder: str | Path, run_id: str | None) -> None:
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


def _read(
    make: Callable[[str, int, Answer], T], edge: str, round_number: int, answer: Answer | NoReply
) -> T | NoReply:
    if isinstance(answer, NoReply):
        return answer
    if answer.error is not None:
        return NoReply(edge, answer.error)
    try:
        return make(edge, round_number, answer)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return NoReply(edge, f"its reply can't be read: {error}")


def _reply(edge: str, round_number: int, answer: Answer) -> Reply:
    if answer.update is None:
        raise ValueError("its reply has no update")
    decision = answer.body["decision"]
    seconds = dict(answer.body["seconds"])
    if not all(is_number(value) for value in seconds.values()):
        raise ValueError(f"its times are {seconds}")
    return Reply(
        edge=edge,
        round=round_number,
        update=answer.update,
        pooled=answer.pooled,
        decision=None if decision is None else _own(edge, round_number - 1, decision),
        seconds=seconds,
    )


def _decision(edge: str, round_number: int, answer: Answer) -> Decision:
    return _own(edge, round_number, answer.body["decision"])


def _own(edge: str, round_number: int, fields: Any) -> Decision:
    """An edge decides for itself, on the round that it was asked about."""
    decision = Decision.from_json(fields)
    if (decision.edge, decision.round) != (edge, round_number):
        raise ValueError(f"it decided for {decision.edge!r} in round {decision.round}")
    return decision
