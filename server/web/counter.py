"""One edge's mailbox as its tab reaches it: what is asked, and what is handed in."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ecavg_tf.core.bundles.training_bundle import TRAINING_FILES
from ecavg_tf.core.errors import WorkdirError
from ecavg_tf.core.fields import Fields
from ecavg_tf.core.files import load_json, read_json, regular_sha256
from ecavg_tf.core.messages.letters import Shelf
from ecavg_tf.core.messages.mailbox import Mailbox
from ecavg_tf.core.messages.owner import Owner
from ecavg_tf.core.messages.reply import FILES, NoReply, Reply, decode_reply
from ecavg_tf.core.messages.request import EXCHANGE, Request, Shipped
from ecavg_tf.core.messages.update_file import largest_pooled_file, largest_update

_RUN = "run.json"  # what a server writes first into its exchange folder
_ID = 16  # digits of a request's hash


class Refused(Exception):
    """What a tab asked or sent is not taken.

    Args:
        status: as HTTP counts.
        reason: one line.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True)
class Waiting:
    """A request that waits for its reply.

    Attributes:
        id: names it, and tells it from the same request when that is asked anew.
        request: what is asked, without the weights.
        files: SHA-256 of the files that belong to it, by their names in the inbox.
    """

    id: str
    request: Request
    files: Mapping[str, str]


class Counter:
    """Where one edge's tab is served.

    Args:
        exchange: the exchange folder.
        edge: the edge's name.
        uploads: a folder for what is handed in before the reply that names it.
    """

    def __init__(self, exchange: Path, edge: str, uploads: Path) -> None:
        self.edge = edge
        self._exchange = exchange
        self._box = Mailbox(exchange / edge)
        self._inbox = Shelf(self._box.inbox)
        self._uploads = uploads
        self._lock = threading.Lock()
        self._known: tuple[str, Request] | None = None  # by the hash of its file

    def run(self) -> dict[str, Any]:
        """Which run this is, as far as it is known, and whether it is over."""
        path = self._exchange / _RUN
        run_id = read_json(path).get("run_id") if path.exists() else None
        return {"run_id": run_id, "edge": self.edge, "over": self._box.over()}

    def waiting(self) -> Waiting | None:
        """The newest request, once all its files are there and while it has no reply.

        Raises:
            ValueError: it is not one of ours, or was changed on its way.
            OSError: the folder can't be read.
        """
        with self._lock:
            return self._waiting()

    def _waiting(self) -> Waiting | None:
        self._box.check_boxes()
        path = self._box.waiting()
        hashes = {} if path is None else self._inbox.files()
        if path is None or path.name not in hashes:
            return None
        sha256 = hashes[path.name]
        if self._known is None or self._known[0] != sha256:
            request = self._box.unanswered()
            if request is None:
                return None
            self._known = sha256, replace(request, model=Shipped(None))  # weights are large
        request = self._known[1]
        files, training = {path.name: sha256}, request.training_file
        if training is not None:
            if hashes.get(training.name) != training.sha256:
                return None
            files[training.name] = training.sha256
        return Waiting(f"{path.stem}-{sha256[:_ID]}", request, files)

    def listed(self, waiting: Waiting) -> list[dict[str, Any]]:
        """The files of a request, as a tab is told of them."""
        inbox = self._box.inbox
        return [
            {"name": name, "bytes": (inbox / name).stat().st_size, "sha256": sha256}
            for name, sha256 in waiting.files.items()
        ]

    def file(self, name: str) -> Path:
        """A file that belongs to the request, or a training file of an earlier one.

        Raises:
            Refused: there is none of this name.
        """
        with self._lock:
            waiting = self._waiting()
            known = self._inbox.files()
        path = Path(name)
        if name in known and (path.match(TRAINING_FILES) or (waiting and name in waiting.files)):
            return self._box.inbox / name
        raise Refused(404, f"{self.edge} has no file {name!r}")

    def current(self, request_id: str) -> Waiting:
        """The request that is answered, which must be the one that waits.

        Raises:
            Refused: it is not.
        """
        waiting = self.waiting()
        if waiting is None or waiting.id != request_id:
            raise Refused(409, _stale(self.edge, request_id))
        return waiting

    def largest(self, waiting: Waiting, name: str) -> int:
        """Most bytes of a file that a reply brings along.

        Raises:
            Refused: the request wants no such file.
        """
        request = waiting.request
        if name not in FILES:
            raise Refused(404, f"a reply brings {' and '.join(FILES)}, not {name!r}")
        if request.kind != EXCHANGE or (name == "pooled" and not request.pooled_wanted):
            raise Refused(400, f"the request {waiting.id} asks for no {name} file")
        if name == "update":
            return largest_update(request.template)
        return largest_pooled_file(sum(1 for _ in self._exchange.glob("*/inbox")))

    def upload(self, waiting: Waiting, name: str) -> Path:
        """Where a file is kept until the reply comes; what came for other requests is removed."""
        self._uploads.mkdir(parents=True, exist_ok=True)
        for path in self._uploads.glob("*.safetensors"):
            if not path.name.startswith(f"{waiting.id}-"):
                path.unlink(missing_ok=True)
        return self._uploads / f"{waiting.id}-{name}.safetensors"

    def answer(self, request_id: str, content: bytes) -> None:
        """Puts a reply, and the files that it names, into the outbox.

        Args:
            request_id: what it answers.
            content: its JSON.

        Raises:
            Refused: the request is not the current one, the reply is not what it should be, or
                somebody else answers for this edge.
            OSError: the outbox can't be written.
        """
        with self._lock:
            waiting = self._waiting()
            if waiting is None or waiting.id != request_id:
                raise Refused(409, _stale(self.edge, request_id))
            try:
                reply, owner = self._read(waiting, content)
            except ValueError as error:
                raise Refused(400, f"this is no reply to {request_id}: {error}") from error
            try:
                self._box.claim(owner)
            except WorkdirError as error:
                raise Refused(409, str(error)) from error
            self._box.reply(waiting.request, reply)
            for name in FILES:
                self.upload(waiting, name).unlink(missing_ok=True)

    def _read(self, waiting: Waiting, content: bytes) -> tuple[Reply | NoReply, Owner]:
        fields = Fields.of(load_json(content))
        owner = Owner.field(fields, "owner")
        files = {name: self.upload(waiting, name) for name in FILES}
        reply, hashes = decode_reply(fields.values, waiting.request, self.edge, files)
        largest = {name: self.largest(waiting, name) for name in hashes}
        for name, expected in hashes.items():
            if not files[name].exists():
                raise ValueError(f"its {name} file has not come; send it first")
            if regular_sha256(files[name], largest[name]) != expected:
                raise ValueError(f"its {name} file has another SHA-256 than it names")
        return reply, owner


def _stale(edge: str, request_id: str) -> str:
    return (
        f"{request_id!r} does not wait for a reply of {edge}: it has one, or the server asks for "
        "something else by now"
    )
