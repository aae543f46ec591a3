"""The courier and an edge's mailroom, with a network of this process between them."""

import errno
import itertools
import json
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from messages_for_tests import asked, reply

from ecavg_tf.core.files import read_json, write_json
from ecavg_tf.core.messages import letters
from ecavg_tf.core.messages.mailbox import Mailbox
from ecavg_tf.core.messages.reply import NoReply, Reply
from ecavg_tf.events import Event, Note
from edge.carrying.mailroom import Mailroom
from edge.carrying.places import Places
from server.carrying.courier import Answer, Courier, Node


class Wire:
    """A network in this process; what it loses and how it cheats, a test says."""

    def __init__(self, rooms: dict[str, Mailroom]) -> None:
        self.rooms = rooms
        self.connected = [Node(number, name, "today") for number, name in enumerate(rooms, 1)]
        self.waiting: list[Answer] = []
        self.sent: list[tuple[int, dict[str, object], int]] = []
        self.lose: Iterator[bool] = itertools.repeat(False)
        self._ids = itertools.count()

    def nodes(self) -> Iterable[Node]:
        return self.connected

    def send(self, node: int, text: str, data: bytes, ttl_s: float) -> str:
        assert ttl_s > 0
        number = str(next(self._ids))
        self.sent.append((node, json.loads(text), len(data)))
        name = next(each.name for each in self.connected if each.id == node)
        if not next(self.lose):
            self.waiting.append(Answer(number, *self.rooms[name].answer(text, data)))
        return number

    def answers(self, ids: Iterable[str]) -> Iterable[Answer]:
        found, self.waiting = [a for a in self.waiting if a.id in set(ids)], []
        return found


class Scene:
    """A server's exchange folder and one edge's state, and the courier between."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.exchange, self.state = folder / "exchange", folder / "state"
        self.said: list[str] = []
        self.places = Places("north", self.state)
        self.wire = Wire({"north": Mailroom("north", self.state)})
        write_json(self.exchange / "run.json", {"run_id": "run-a", "open": True})
        self.box = Mailbox(self.exchange / "north")
        self.courier = self.new_courier()
        self.monkeypatch = monkeypatch

    def south(self) -> Mailbox:
        """A second edge, connected as node 2."""
        self.wire.rooms["south"] = Mailroom("south", self.folder / "south's")
        self.wire.connected.append(Node(2, "south", "today"))
        return Mailbox(self.exchange / "south")

    def new_courier(self) -> Courier:
        return Courier(self.wire, self.exchange, self._hear, wait_s=0.0)

    def _hear(self, event: Event) -> None:
        assert isinstance(event, Note)
        self.said.append(event.text)

    def carry(self, looks: int = 8) -> None:
        for _ in range(looks):
            self.courier.look()

    @property
    def far(self) -> Mailbox:
        return self.places.mailbox(self.places.served())


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(tmp_path, monkeypatch)


def test_an_exchange_over_the_wire_is_that_over_a_folder(scene: Scene, tmp_path: Path) -> None:
    scene.box.send(asked())
    scene.carry()
    assert scene.said == ["north is connected"]
    request = scene.far.unanswered()
    assert request is not None
    reply(scene.far, request, tmp_path)
    scene.carry()
    answer = scene.box.answer(asked())
    assert isinstance(answer, Reply)
    assert answer.update is not None
    assert answer.update.read_bytes() == b"update of some bytes"
    quiet = len(scene.wire.sent)
    scene.carry()
    assert len(scene.wire.sent) == quiet  # nothing to do, nothing sent


@pytest.mark.parametrize("room", [100, 1000])
def test_large_files_go_in_pieces_both_ways(
    scene: Scene, tmp_path: Path, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letters.Shelf.cut, "__defaults__", (room,))
    scene.box.send(asked())
    scene.carry(40)
    request = scene.far.unanswered()
    assert request is not None
    assert all(size <= room for _, _, size in scene.wire.sent)
    update = tmp_path / "large"
    update.write_bytes(bytes(5 * room))
    made = Reply("north", 1, update, None, None, {"pretrain": 1.0})
    scene.far.reply(request, made)
    scene.carry(60)
    answer = scene.box.answer(asked())
    assert isinstance(answer, Reply)
    assert answer.update is not None
    assert answer.update.stat().st_size == 5 * room


def test_lost_letters_are_sent_again_and_a_new_courier_goes_on(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = itertools.count(0.0, 1000.0)  # every look is later than any letter's time
    monkeypatch.setattr("server.carrying.courier.time.monotonic", lambda: next(now))
    scene.wire.lose = itertools.cycle([True, False, True])
    scene.box.send(asked())
    scene.carry(30)
    request = scene.far.unanswered()
    assert request is not None
    scene.courier = scene.new_courier()  # the server process was killed
    reply(scene.far, request, tmp_path)
    scene.carry(30)
    assert isinstance(scene.box.answer(asked()), Reply)


def test_what_the_server_removed_is_removed_at_the_edge(scene: Scene, tmp_path: Path) -> None:
    scene.box.send(asked())
    scene.carry()
    request = scene.far.unanswered()
    assert request is not None
    scene.far.reply(request, NoReply("north", "the disk was full"))
    scene.carry()
    answer = scene.box.answer(asked())
    assert answer == NoReply("north", "the disk was full")
    scene.box.send(asked())  # forgets the error
    scene.courier = scene.new_courier()  # also after a restart
    scene.carry()
    assert not (scene.far.outbox / "0001-exchange.json").exists()
    reply(scene.far, request, tmp_path)
    scene.carry()
    assert isinstance(scene.box.answer(asked()), Reply)


def test_an_edge_of_another_version_is_told_so(scene: Scene) -> None:
    class Old(Mailroom):
        def answer(self, text: str, data: bytes) -> tuple[str, bytes]:
            told, rest = super().answer(text, data)
            return json.dumps({**json.loads(told), "version": "0.0.1"}), rest

    scene.wire.rooms["north"] = Old("north", scene.state)
    scene.carry()
    assert scene.said[0].startswith("north: the other end has ecavg-tf 0.0.1 (protocol 1), this")
    assert len(scene.said) == 1  # said once, tried again later


def test_an_edge_must_have_the_name_of_its_key(scene: Scene) -> None:
    scene.wire.rooms["north"] = Mailroom("south", scene.state)
    scene.carry()
    assert scene.said == [
        "north: it says that it is 'south', and its key was registered as 'north'"
    ]


@pytest.mark.parametrize(
    "name", ["0007-update.safetensors", "run.json", "0001-exchange.json", "notes.txt"]
)
def test_files_that_nobody_asked_for_are_not_kept(scene: Scene, name: str) -> None:
    scene.box.send(asked())
    scene.carry()
    size = 2**20 + 1 if name == "0001-exchange.json" else 3
    (scene.far.outbox / name).write_bytes(bytes(size))
    scene.carry()
    assert not (scene.box.outbox / name).exists()
    assert any("which nobody asked for" in text for text in scene.said)


@pytest.mark.parametrize(
    ("name", "size", "kept"),
    [
        ("0001-update.safetensors", 2**24, True),
        ("0001-update.safetensors", 2**25, False),
        ("0001-update.safetensors", 2**50, False),
        ("0001-pooled.safetensors", 2**20, False),  # nobody wanted it
        ("0001-exchange.json", 2**21, False),
    ],
)
def test_an_edge_can_not_fill_the_servers_disk(
    scene: Scene, name: str, size: int, kept: bool
) -> None:
    """It says how large a file is going to be, and sends it in as many letters as it likes."""
    scene.box.send(asked())
    scene.carry()
    piece = letters.Piece(name, "a" * 64, size, 0, b"the beginning")
    honest = scene.wire.rooms["north"]

    class Liar:
        def answer(self, text: str, data: bytes) -> tuple[str, bytes]:
            told = letters.decode_letter(*honest.answer(text, data)).told
            return letters.encode_letter(letters.Letter(told, [piece]))

    scene.wire.rooms["north"] = Liar()  # type: ignore[assignment]
    scene.carry()
    assert bool(list(scene.box.outbox.glob(".*"))) == kept
    assert any("which nobody asked for" in text for text in scene.said) == (not kept)


@pytest.mark.parametrize(
    "changes",
    [
        {"parts": {"a": ["b", None]}},
        {"parts": {"a": ["b", {}]}},
        {"parts": {"a": 5}},
        {"parts": []},
        {"have": 5},
        {"parts": {"0001-exchange.safetensors": ["a" * 64, -1]}},
        {"parts": {"0001-exchange.safetensors": ["a" * 64]}},
        {"left": "x"},
        {"edge": []},
        {"error": {"a": 1}},
    ],
)
def test_a_letter_that_is_nonsense_delays_its_own_edge_alone(
    scene: Scene, changes: dict[str, object]
) -> None:
    scene.box.send(asked())
    scene.carry()
    honest = scene.wire.rooms["north"]

    class Liar:
        def answer(self, text: str, data: bytes) -> tuple[str, bytes]:
            told = json.loads(honest.answer(text, data)[0])
            return json.dumps(told | {"pieces": []} | changes), b""

    reply(scene.far, asked(), scene.folder)  # so that there is something to fetch
    scene.wire.rooms["north"] = Liar()  # type: ignore[assignment]
    scene.carry(1)
    scene.carry(1)  # nothing is raised, which would stop all
    assert any(text.startswith("north: ") for text in scene.said)


def test_what_is_wrong_with_one_edge_stops_no_letter_of_another(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part of −1 bytes was looked for in a file, and nobody got a letter any more."""
    for box in (scene.box, scene.south()):
        box.send(asked())
    cut = letters.Shelf.cut

    def broken(shelf: letters.Shelf, *given: Any) -> Any:
        if "north" in shelf.folder.parts:
            raise OSError(errno.EINVAL, "Invalid argument")
        return cut(shelf, *given)

    monkeypatch.setattr(letters.Shelf, "cut", broken)
    scene.carry()
    assert any(text.startswith("north: ") for text in scene.said)
    assert any(node == 2 and size for node, _, size in scene.wire.sent)


def test_a_damaged_note_of_what_came_stops_its_own_edge_alone(scene: Scene) -> None:
    for box in (scene.box, scene.south()):
        box.send(asked())
    (scene.exchange / "north" / "carried.json").write_text("{")
    scene.carry()
    (said,) = (text for text in scene.said if text.startswith("north: "))
    assert "carried.json is damaged" in said
    assert any(node == 2 and size for node, _, size in scene.wire.sent)
    (scene.exchange / "north" / "carried.json").unlink()
    scene.courier = scene.new_courier()  # else its letters wait for seconds
    scene.carry()
    assert scene.far.unanswered() is not None


def test_a_reply_that_was_cut_is_fetched_again(scene: Scene, tmp_path: Path) -> None:
    scene.box.send(asked())
    scene.carry()
    request = scene.far.unanswered()
    assert request is not None
    reply(scene.far, request, tmp_path)
    path = scene.far.outbox / "0001-exchange.json"
    whole = path.read_bytes()
    path.write_bytes(whole[:50])
    scene.carry()
    assert scene.box.answer(asked()) is None
    path.write_bytes(whole)
    scene.carry()
    assert isinstance(scene.box.answer(asked()), Reply)


def test_an_edge_serves_one_run_after_the_other(scene: Scene) -> None:
    scene.box.send(asked())
    scene.carry()
    first = scene.places.served()
    assert scene.places.run_id(first) == "run-a"
    room = Mailroom("north", scene.state)
    other = {"run": {"run_id": "run-b"}, "forget": {}, "there": {}, "wait_s": 0.0}
    told, _ = room.answer(*letters.encode_letter(letters.Letter(other)))
    assert json.loads(told)["error"] is None
    second = scene.places.served()
    assert second != first
    scene.carry()  # the first run is not over, and asks again
    assert any("north serves run run-b by now" in text for text in scene.said)


def test_a_network_that_fails_is_said_once_and_tried_again(scene: Scene) -> None:
    def fail() -> Iterable[Node]:
        raise OSError("no route")

    scene.monkeypatch.setattr(scene.wire, "nodes", fail)
    scene.monkeypatch.setattr("server.carrying.courier.POLL_S", 0.01)
    stop = threading.Event()
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return len(waits) > 5

    scene.monkeypatch.setattr(stop, "wait", wait)
    scene.courier.run(stop)
    assert scene.said == ["the network can't be used: OSError: no route"]


def test_what_came_is_remembered_on_disk(scene: Scene, tmp_path: Path) -> None:
    scene.box.send(asked())
    scene.carry()
    request = scene.far.unanswered()
    assert request is not None
    reply(scene.far, request, tmp_path)
    scene.carry()
    carried = read_json(scene.exchange / "north" / "carried.json")
    assert set(carried) == {"0001-exchange.json", "0001-update.safetensors"}


def test_a_place_is_the_served_one_before_a_run_has_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the process that serves looked in between, and went on to another place."""
    free, seen = scene.places.served(), []

    def write(path: Path, value: object) -> None:
        write_json(path, value)
        seen.append(scene.places.served())

    monkeypatch.setattr("edge.carrying.places.write_json", write)
    Places("north", scene.state).place_of({"run_id": "run-a"})
    assert seen == [free, free]


def test_a_full_disk_at_the_edge_is_one_line_at_the_server(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def take(shelf: letters.Shelf, piece: letters.Piece) -> bool:
        raise OSError(errno.ENOSPC, "No space left on device", str(shelf.folder / piece.name))

    monkeypatch.setattr(letters.Shelf, "take", take)
    scene.box.send(asked())
    scene.carry()
    assert "0001-exchange.safetensors can't be written: the disk is full" in scene.said[-1]
    assert scene.said[-1].startswith("north: ")
