"""Serving mailboxes: waits for requests, has them answered, and ends with the run."""

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ecavg_tf.core.errors import (
    ConfigError,
    ECAvgError,
    RoundError,
    WorkdirError,
    disk_fault,
    full_disk,
)
from ecavg_tf.core.messages.mailbox import POLL_S, Mailbox
from ecavg_tf.core.messages.owner import Owner
from ecavg_tf.core.messages.reply import NoReply, Reply
from ecavg_tf.core.messages.request import HELLO, Request
from ecavg_tf.events import Listener, Note
from edge.participating.store import run_of


@dataclass(frozen=True)
class Served:
    """An edge that lives in this process.

    Attributes:
        mailbox: the edge's.
        answer: gives the reply to a request; None: a file that belongs to the request has not
            come yet.
        owner: the state folder that answers for the edge; None: nobody else can.
        begun: hash of the settings that the edge began a run with, by the run's name.
    """

    mailbox: Mailbox
    answer: Callable[[Request], Reply | None]
    owner: Owner | None = None
    begun: dict[str, str] = field(default_factory=dict)


def serve(edges: Sequence[Served], *, timeout_s: float, hint: str, listener: Listener) -> None:
    """Answers requests until every edge has decided on the run's last global model.

    Args:
        edges: the edges that live in this process.
        timeout_s: seconds without a new request before giving up.
        hint: what sets ``timeout_s``, and what to look at when nothing comes.
        listener: told what was answered.

    Raises:
        ECAvgError: no request came in time, or one can't be answered.
    """
    for served in edges:
        if served.owner is not None:
            served.mailbox.check_owner(served.owner)
    waiting = list(edges)
    deadline = time.monotonic() + timeout_s
    while waiting:
        answered = [answer_newest(served, listener) for served in waiting]
        # Also one that was answered by a process that was killed after it.
        waiting = [served for served in waiting if not served.mailbox.over()]
        if any(answered):
            deadline = time.monotonic() + timeout_s
        elif waiting and time.monotonic() > deadline:
            names = ", ".join(served.mailbox.edge for served in waiting)
            raise RoundError(f"no request for {names} within {timeout_s:g} s {hint}")
        elif waiting:
            time.sleep(POLL_S)


def answer_newest(served: Served, listener: Listener) -> bool:
    """Answers the newest request, where there is one that can be answered.

    Returns:
        Whether it was.

    Raises:
        ECAvgError: it can't be answered; the server is told so.
    """
    mailbox = served.mailbox
    try:
        request = mailbox.unanswered()
    except ValueError as error:
        raise RoundError(f"{mailbox.edge}: {error}") from error
    if request is None:
        return False
    if served.owner is not None:
        mailbox.claim(served.owner)  # before anything is trained or written in its name
    try:
        _check_asked(served, request)
        reply = served.answer(request)
        if reply is not None:
            mailbox.reply(request, reply)
    except Exception as error:  # whatever it is, the server is told why there is no answer
        known = isinstance(error, ECAvgError)
        text = str(error) if known else f"unforeseen {type(error).__name__}: {error}"
        if isinstance(error, OSError) and full_disk(error) is not None:
            text = str(disk_fault(error))
        with contextlib.suppress(OSError):  # what went wrong is what the user must read
            mailbox.reply(request, NoReply(mailbox.edge, text))
        raise
    if reply is not None:
        when = "" if request.kind == HELLO else f"round {request.round}: "
        listener(Note(f"{when}{mailbox.edge} answered '{request.kind}'"))
    return reply is not None


def _check_asked(served: Served, request: Request) -> None:
    """Before an edge trains for nothing, or with settings that somebody changed on their way.

    A worker is made by the first request that asks for training, and goes on with its settings.

    Raises:
        ConfigError: the reply must be signed, and this edge has no key.
        RoundError: the settings are not those that the run began with.
    """
    edge = served.mailbox.edge
    if request.signed and not served.mailbox.signs:
        raise ConfigError(
            f"the server takes signed replies only; start {edge} with --sign={edge}.key, the key "
            f"that its public half {edge}.pub belongs to"
        )
    if request.kind == HELLO:
        return
    if served.begun.setdefault(request.run_id, request.task_sha256) != request.task_sha256:
        raise RoundError(
            f"round {request.round} comes with other settings than {edge} began this run with: "
            "one of the two requests was changed on its way; start the edge again"
        )


def check_took_part(mailbox: Mailbox, folder: Path, flag: str) -> None:
    """Where all is answered already, who serves from another folder has no model in it.

    Args:
        mailbox: the edge's.
        folder: what the edge keeps.
        flag: what the user gives the folder with.

    Raises:
        RoundError: the run is over, and its last reply can't be read.
        WorkdirError: the run is over, and the folder is not the one that served it.
    """
    try:
        run = mailbox.finished_run()
    except ValueError as error:
        raise RoundError(f"{mailbox.edge}: {error}") from error
    if run is not None and run != run_of(folder):
        raise WorkdirError(
            f"the run in {mailbox.inbox.parent.parent} is over and {folder} took no part in it; "
            f"if it should have, give the {flag} that {mailbox.edge} used"
        )
