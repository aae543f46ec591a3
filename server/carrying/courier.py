"""Brings the files of an exchange folder to edges across a network, and theirs back.

The round knows a folder and nothing else: quorum, deadlines, presence and refusals are those of
the folder fleet. The courier runs beside it and keeps the two ends of each mailbox alike.
"""

import re
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ecavg_tf.core.errors import WorkdirError, brief, one_line
from ecavg_tf.core.fields import Fields
from ecavg_tf.core.files import read_json, write_json
from ecavg_tf.core.messages.letters import (
    Letter,
    Piece,
    Shelf,
    decode_letter,
    encode_letter,
    parts_told,
)
from ecavg_tf.core.messages.mail_files import is_cut
from ecavg_tf.core.messages.mailbox import POLL_S, Mailbox
from ecavg_tf.core.messages.update_file import TensorFile, largest_pooled_file, largest_update
from ecavg_tf.core.template import Template
from ecavg_tf.events import Listener, Note

_RUN = "run.json"
_CARRIED = "carried.json"  # what came from an edge: what is gone of it was taken
_FROM_EDGE = re.compile(
    r"owner\.json|(\d{4,})-(?:(?:hello|exchange|finish)\.json|(?:update|pooled)\.safetensors)"
)
_SMALL = 2**20  # bytes of a JSON file
_SLOWEST = 100_000  # bytes a second: a letter that takes longer is given up and sent again
_USUAL = 4 * 2**20  # bytes of an answer; one that takes longer gets twice the time, and so on
_PATIENCE_S = 60.0  # for a node to look for letters and to start its process
_NODES_S = 2.0
_LONGEST_PAUSE_S = 60.0


@dataclass(frozen=True)
class Node:
    """A machine that is connected.

    Attributes:
        id: its number.
        name: the name that its key was registered under; empty: it has no key.
        since: when it came; another time: it was started anew.
    """

    id: int
    name: str
    since: str


@dataclass(frozen=True)
class Answer:
    """What came back for a letter.

    Attributes:
        id: the letter's.
        text: its JSON.
        data: its bytes.
        error: why there is neither; empty: there are.
    """

    id: str
    text: str = ""
    data: bytes = b""
    error: str = ""


class Post(Protocol):
    """A network that takes letters to nodes."""

    def nodes(self) -> Iterable[Node]:
        """The nodes that are connected now."""

    def send(self, node: int, text: str, data: bytes, ttl_s: float) -> str:
        """Sends a letter; gives its id."""

    def answers(self, ids: Iterable[str]) -> Iterable[Answer]:
        """What has come back for letters; never waits."""


@dataclass
class _Route:
    """What is known of one node."""

    node: Node
    edge: str = ""
    have: Mapping[str, object] = field(default_factory=dict)
    parts: dict[str, tuple[str, int]] = field(default_factory=dict)
    left: bool = False
    sent: str = ""
    due: float = 0.0
    forgets: tuple[str, ...] = ()
    losses: int = 0
    pause_s: float = 0.0
    not_before: float = 0.0


def _most(inbox: Path, name: str, edges: int) -> int:
    """Most bytes of a file that comes from an edge; below 0: nobody asked for it."""
    match = _FROM_EDGE.fullmatch(name)
    if match is None or (match[1] and not any(inbox.glob(f"{match[1]}-*.safetensors"))):
        return -1
    if name.endswith(".json"):
        return _SMALL
    try:
        asked = TensorFile(inbox / f"{match[1]}-exchange.safetensors").metadata
        if name.endswith("-update.safetensors"):
            return largest_update(Template.from_json(asked.get("template", {})))
        return largest_pooled_file(edges) if asked.get("pooled_wanted") else -1
    except ValueError:
        return -1  # no such request


class Courier:
    """Carries between an exchange folder and the nodes of a network.

    Args:
        post: the network.
        exchange: the exchange folder, which the run makes.
        listener: told who is connected, and what is wrong.
        wait_s: how long a letter may wait at an edge for an answer.
    """

    def __init__(
        self, post: Post, exchange: Path, listener: Listener, wait_s: float = 60.0
    ) -> None:
        self._post = post
        self._exchange = exchange
        self._listener = listener
        self._wait_s = wait_s
        self._routes: dict[int, _Route] = {}
        self._shelves: dict[Path, Shelf] = {}
        self._told: set[str] = set()
        self._look_for_nodes = 0.0

    def run(self, stop: threading.Event) -> None:
        """Carries until it is told to stop; a network that fails is tried again."""
        while not stop.wait(POLL_S):
            try:
                self.look()
            except Exception as error:  # whatever the network raises: the round has its deadlines
                self._tell(f"the network can't be used: {type(error).__name__}: {brief(error)}")
                stop.wait(5.0)

    def look(self) -> None:
        """Takes what has come, and sends what there is to send; never waits."""
        now = time.monotonic()
        if now >= self._look_for_nodes:
            self._see_nodes()
            self._look_for_nodes = now + _NODES_S
        routes = {route.sent: route for route in self._routes.values() if route.sent}
        for answer in self._post.answers(routes) if routes else ():
            if answer.id in routes:
                self._hear(routes[answer.id], answer)
        if not (self._exchange / _RUN).exists():
            return  # the run has not begun
        run = read_json(self._exchange / _RUN)
        for route in self._routes.values():
            if route.sent and now >= route.due:
                route.sent, route.losses = "", route.losses + 1  # what it brought comes again
            if not route.sent and now >= route.not_before:
                self._send(route, run)

    def _see_nodes(self) -> None:
        seen = {node.id: node for node in self._post.nodes()}
        for gone in self._routes.keys() - seen.keys():
            if self._routes[gone].edge:
                self._tell(f"{self._routes[gone].edge} is not connected any more", again=True)
            del self._routes[gone]
        for number, node in seen.items():
            if number not in self._routes or self._routes[number].node != node:
                self._routes[number] = _Route(node)

    def _send(self, route: _Route, run: Mapping[str, Any]) -> None:
        try:
            letter = self._letter(route, run)
        except OSError as error:
            fault = f"{error.filename or 'its folder'} can't be read ({error.strerror})"
            self._delay(route, f"{fault}; its letters wait")
            return
        except WorkdirError as error:  # what is remembered of this edge is damaged
            self._delay(route, f"{error}; its letters wait")
            return
        if letter is None:
            return
        text, data = encode_letter(letter)
        transfer_s = _PATIENCE_S + (len(data) + _USUAL) / _SLOWEST
        patience = float(letter.told.get("wait_s", 0)) + transfer_s * 2 ** min(route.losses, 6)
        route.forgets = tuple(letter.told.get("forget", ()))
        route.sent = self._post.send(route.node.id, text, data, patience)
        route.due = time.monotonic() + patience

    def _letter(self, route: _Route, run: Mapping[str, Any]) -> Letter | None:
        """What there is to bring or to fetch; None: nothing."""
        if not route.edge:
            return Letter({"run": None})
        folder = self._exchange / route.edge
        if not folder.is_dir() and not run.get("open"):
            self._tell(f"{route.edge} is connected, and is no edge of this run")
            return None
        box = Mailbox(folder)
        outbox = self._shelf(box.outbox)
        files, came = outbox.files(), self._carried(route.edge)
        request, companion = box.newest()
        reply = None if request is None else f"{Path(request).stem}.json"
        pieces, more = self._lacking(route, box, [name for name in (companion, request) if name])
        forget = {name: sha256 for name, sha256 in came.items() if name not in files}
        waits = reply is not None and (reply not in files or is_cut(box.outbox / reply))
        if not (pieces or forget or waits or route.left):
            return None
        sizes = {name: (outbox.folder / name).stat().st_size for name in files}
        there = {name: (sha256, sizes[name]) for name, sha256 in files.items()} | outbox.parts()
        told = {
            "run": run,
            "forget": forget,
            "there": there,
            "wait_s": self._wait_s if waits and not more else 0.0,
        }
        return Letter(told, pieces)

    def _lacking(
        self, route: _Route, box: Mailbox, names: Iterable[str]
    ) -> tuple[list[Piece], bool]:
        """Pieces of the newest request and its file that the edge has not got yet."""
        inbox = self._shelf(box.inbox)
        files = inbox.files()
        lacking = [name for name in names if route.have.get(name) != files.get(name)]
        return inbox.cut(lacking, route.parts)

    def _hear(self, route: _Route, answer: Answer) -> None:
        route.sent = ""
        try:
            if answer.error:
                raise ValueError(answer.error)
            self._take(route, decode_letter(answer.text, answer.data))
            route.pause_s, route.losses = 0.0, 0
        except Exception as error:  # whatever an edge says
            self._delay(route, one_line(str(error)))

    def _delay(self, route: _Route, why: str) -> None:
        """What is wrong with an edge delays its own letters alone."""
        who = route.edge or route.node.name or f"node {route.node.id}"
        self._tell(f"{who}: {why}")
        route.pause_s = min(max(2 * route.pause_s, 3.0), _LONGEST_PAUSE_S)
        route.not_before = time.monotonic() + route.pause_s

    def _take(self, route: _Route, letter: Letter) -> None:
        fields = Fields(letter.told)
        edge = fields.text("edge")
        if fields.maybe("error", Fields.line) is not None:
            raise ValueError(fields.line("error"))
        if route.node.name and edge != route.node.name:
            raise ValueError(
                f"it says that it is {edge!r}, and its key was registered as {route.node.name!r}"
            )
        if not route.edge:
            self._meet(route, edge)
            return
        route.have = fields.inner("have").values
        route.parts = parts_told(fields.inner("parts"))
        route.left = fields.flag("left")
        if route.forgets:
            came = self._carried(route.edge)
            kept = {name: came[name] for name in came if name not in route.forgets}
            write_json(self._exchange / route.edge / _CARRIED, kept)
        box = Mailbox(self._exchange / route.edge)
        for piece in letter.pieces:
            self._keep(route.edge, box, piece)

    def _meet(self, route: _Route, edge: str) -> None:
        if Path(edge).name != edge or edge.startswith(".") or not edge.isprintable():
            raise ValueError(f"{edge!r} is no name of an edge")
        twin = any(other.edge == edge for other in self._routes.values())
        if twin:
            raise ValueError(f"the name {edge} is another node's; give each edge its own")
        route.edge = edge
        self._tell(f"{edge} is connected", again=True)

    def _keep(self, edge: str, box: Mailbox, piece: Piece) -> None:
        """Keeps a piece of a file that belongs into an outbox."""
        if piece.size > _most(box.inbox, piece.name, len(self._routes)):
            raise ValueError(f"it sent {piece.name} of {piece.size} bytes, which nobody asked for")
        if self._shelf(box.outbox).take(piece):
            path = self._exchange / edge / _CARRIED
            write_json(path, self._carried(edge) | {piece.name: piece.sha256})

    def _carried(self, edge: str) -> dict[str, str]:
        path = self._exchange / edge / _CARRIED
        if not path.exists():
            return {}
        try:
            return {name: str(sha) for name, sha in read_json(path).items()}
        except WorkdirError as error:
            raise WorkdirError(
                f"{path} is damaged; remove it (at worst, {edge} sends its files once more)"
            ) from error

    def _shelf(self, folder: Path) -> Shelf:
        return self._shelves.setdefault(folder, Shelf(folder))

    def _tell(self, text: str, *, again: bool = False) -> None:
        """Says something, once unless it may happen again."""
        if again or text not in self._told:
            self._told.add(text)
            self._listener(Note(text))
