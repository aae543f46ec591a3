"""An edge that is reached through a folder: waits for requests, answers them, ends."""

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecavg_tf.core.errors import ConfigError, ECAvgError, RoundError, WorkdirError
from ecavg_tf.core.messages.letter import Letter
from ecavg_tf.core.messages.mailbox import EXCHANGE, FINISH, POLL_S, Mailbox
from ecavg_tf.events import Listener, Note
from ecavg_tf.fleet import Request, Shipped
from edge.participating.store import run_of
from edge.participating.worker import EdgeWorker


@dataclass(frozen=True)
class Post:
    """An edge and its mailbox."""

    worker: EdgeWorker
    mailbox: Mailbox


def serve(
    posts: Mapping[str, Post],
    *,
    config: Mapping[str, Any],
    timeout_s: float,
    listener: Listener,
) -> None:
    """Answers requests until every edge has decided on the run's last global model.

    Args:
        posts: the edges that live in this process, by name.
        config: what this edge and the server must agree on, fields by dotted names.
        timeout_s: seconds without a new request before giving up.
        listener: told what was answered.

    Raises:
        RoundError: no request came in time.
    """
    waiting = dict(posts)
    deadline = time.monotonic() + timeout_s
    while waiting:
        answered = False
        for edge, post in list(waiting.items()):
            letter = _next(edge, post.mailbox)
            if letter is None:
                if post.mailbox.over():  # answered by a process that was killed after it
                    del waiting[edge]
                continue
            answer(post, letter, config, listener)
            answered = True
            if letter.kind == FINISH:
                del waiting[edge]
        if answered:
            deadline = time.monotonic() + timeout_s
        elif time.monotonic() > deadline:
            raise RoundError(
                f"no request for {', '.join(waiting)} within {timeout_s:g} s "
                "(fleet.timeout_s); is 'ecavg run' up with the same fleet.folder?"
            )
        else:
            time.sleep(POLL_S)


def check_took_part(mailbox: Mailbox, edge: str, folder: Path, flag: str) -> None:
    """Where all is answered already, who serves from another folder has no model in it.

    Args:
        mailbox: the edge's.
        edge: its name.
        folder: what it keeps.
        flag: what the user gives the folder with.

    Raises:
        WorkdirError: the run is over, and the folder is not the one that served it.
    """
    if not mailbox.over():
        return
    try:
        run = mailbox.finished_run()
    except ValueError as error:
        raise RoundError(f"{edge}: {error}") from error
    if run is None or run != run_of(folder):
        raise WorkdirError(
            f"the run in {mailbox.inbox.parent.parent} is over and {folder} took no part in it; "
            f"if it should have, give the {flag} that {edge} used"
        )


def _next(edge: str, mailbox: Mailbox) -> Letter | None:
    try:
        return mailbox.unanswered()
    except ValueError as error:
        raise RoundError(f"{edge}: {error}") from error


@contextlib.contextmanager
def errors_told(mailbox: Mailbox, letter: Letter) -> Iterator[None]:
    """Tells the server why there is no answer, whatever it is, before the error goes on."""
    try:
        yield
    except Exception as error:
        known = isinstance(error, ECAvgError)
        text = str(error) if known else f"unforeseen {type(error).__name__}: {error}"
        with contextlib.suppress(OSError):  # what went wrong is what the user must read
            mailbox.reply(letter, {}, error=text)
        raise


def _check_config(edge: str, theirs: Mapping[str, Any], mine: Mapping[str, Any]) -> None:
    for name in sorted(theirs.keys() | mine.keys()):
        if theirs.get(name) != mine.get(name):
            raise ConfigError(
                f"{edge} has {name}={mine.get(name)!r}, the server {theirs.get(name)!r}; "
                "give both the same config"
            )


def answer(post: Post, letter: Letter, config: Mapping[str, Any], listener: Listener) -> None:
    """Answers one request; what a user could mend goes back to the server as text."""
    request = Request(
        letter.run_id,
        letter.round,
        letter.template,
        Shipped(letter.weights, letter.trained_on),
        letter.pooled_wanted,
    )
    edge = post.worker.edge
    with errors_told(post.mailbox, letter):
        _check_config(edge, letter.config, config)
        if letter.kind == EXCHANGE:
            reply = post.worker.exchange(request)
            decision = None if reply.decision is None else reply.decision.to_json()
            body = {"decision": decision, "seconds": dict(reply.seconds)}
            post.mailbox.reply(letter, body, update=reply.update, pooled=reply.pooled)
        else:
            body = {"decision": post.worker.finish(request).to_json()}
            post.mailbox.reply(letter, body)
    listener(Note(f"round {letter.round}: {edge} answered '{letter.kind}'"))
