"""What was checked is what is used: an edge may change its files, or its folder, at any moment."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from messages_for_tests import lay_reply

from ecavg_tf.config import ServerConfig
from ecavg_tf.core.files import copy_regular
from ecavg_tf.core.messages.mailbox import Mailbox
from ecavg_tf.core.messages.reply import NoReply, Reply
from ecavg_tf.core.messages.request import EXCHANGE, Request, Shipped
from ecavg_tf.core.messages.update_file import UpdateInfo, write_update
from ecavg_tf.core.template import Role, Template, WeightSpec
from ecavg_tf.data.dataset import DataSpec
from ecavg_tf.events import silent
from ecavg_tf.rounds.folder_fleet import FolderFleet
from server.collect import collect

TEMPLATE = Template((WeightSpec("w", (2,), "float32", Role.TRAINABLE),))
SPEC = DataSpec("tiny", (2, 2, 1), "uint8", (0.0, 16.0), ("a", "b"))
START = Shipped([np.zeros(2, np.float32)])


def fleet(folder: Path, edges: tuple[str, ...] = ("a", "b")) -> FolderFleet:
    return FolderFleet(
        folder,
        edges,
        run_id="run",
        template=TEMPLATE,
        config={},
        timeout_s=0.3,
        listener=silent,
    )


def answer(folder: Path, edge: str) -> Path:
    """Lays a sound answer; returns the update's file."""
    sent = folder.parent / "sent.safetensors"
    info = UpdateInfo(1, edge, 4, (2, 2), TEMPLATE.sha256, {})
    write_update(sent, info, {"w": np.ones(2, np.float32)})
    box = Mailbox(folder / edge)
    request = Request(EXCHANGE, "run", 1, TEMPLATE, START)
    lay_reply(box, request, {"decision": None, "seconds": {}}, sent.read_bytes())
    return box.outbox / "0001-update.safetensors"


def link(file: Path) -> None:
    file.symlink_to("/dev/zero")


def loop(file: Path) -> None:
    file.symlink_to(file)


def sparse(file: Path) -> None:
    with file.open("wb") as stream:
        stream.truncate(50 * 2**30)


def other_bytes(file: Path) -> None:
    file.write_bytes(b"other bytes")


def gone(file: Path) -> None:
    assert not file.exists()


def plug(file: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        there = Path.cwd()
        os.chdir(file.parent)  # a socket's path is short
        try:
            bound.bind(file.name)
        finally:
            os.chdir(there)


@pytest.mark.parametrize(
    ("swap", "said"),
    [
        (link, "is a link"),
        (loop, "is a link"),
        (sparse, "has 53687091200 bytes"),
        (other_bytes, "is not the file that its reply names"),
        (os.mkfifo, "is not a regular file"),
        (plug, "is not a regular file"),
        (gone, "can't be read: No such file"),
    ],
)
def test_a_file_that_changes_after_it_was_seen(
    tmp_path: Path, swap: Callable[[Path], None], said: str
) -> None:
    served = fleet(tmp_path / "x")
    swapped = answer(tmp_path / "x", "a")
    answer(tmp_path / "x", "b")
    replies = served.exchange(1, START, ["a", "b"], [])
    assert all(isinstance(reply, Reply) for reply in replies)
    swapped.unlink()
    swap(swapped)
    taken = collect(
        replies,
        TEMPLATE,
        SPEC,
        round_number=1,
        updates_folder=tmp_path / "updates",
        pooled_folder=tmp_path / "pooled",
        config=ServerConfig(),
    )
    assert [update.info.edge for update in taken.updates] == ["b"]
    assert [refusal.edge for refusal in taken.refused] == ["a"]
    assert said in taken.refused[0].reason
    assert [path.name for path in (tmp_path / "updates").iterdir()] == ["b.safetensors"]


@pytest.mark.parametrize("when", ["before the server starts", "while it runs"])
@pytest.mark.parametrize("box", ["a", "a/inbox", "a/outbox"])
def test_a_box_that_is_a_file_refuses_its_edge_alone(tmp_path: Path, when: str, box: str) -> None:
    served = fleet(tmp_path / "x")
    answer(tmp_path / "x", "b")
    place = tmp_path / "x" / box
    place.rename(tmp_path / "moved")
    place.write_text("a file")
    if when == "before the server starts":
        served = fleet(tmp_path / "x")
    lost, sound = served.exchange(1, START, ["a", "b"], [])
    assert isinstance(sound, Reply)
    assert isinstance(lost, NoReply)
    assert lost.edge == "a"


@pytest.mark.parametrize("when", ["before the server starts", "while it runs"])
@pytest.mark.parametrize("box", ["inbox", "outbox"])
def test_a_box_that_is_a_link_leads_the_server_nowhere(tmp_path: Path, when: str, box: str) -> None:
    """Else it would write into, and remove from, a folder that the edge can't reach itself."""
    precious = tmp_path / "precious"
    precious.mkdir()
    for name in ("0000-pooled.safetensors", f".ecavg-{'0a' * 8}-x", "0001-exchange.json"):
        (precious / name).write_text('{"error": "an old one"}')
    before = {path.name: path.read_bytes() for path in precious.iterdir()}
    served = fleet(tmp_path / "x")
    answer(tmp_path / "x", "b")
    (tmp_path / "x" / "a" / box).rmdir()
    (tmp_path / "x" / "a" / box).symlink_to(precious)
    if when == "before the server starts":
        served = fleet(tmp_path / "x")
    lost, sound = served.exchange(1, START, ["a", "b"], [])
    assert isinstance(sound, Reply)
    assert isinstance(lost, NoReply)
    assert lost.reason == f"its folder can't be used: {box} is a link, expected a folder"
    assert {path.name: path.read_bytes() for path in precious.iterdir()} == before


def test_a_box_that_becomes_a_link_while_it_is_waited_for(tmp_path: Path) -> None:
    served = fleet(tmp_path / "x")
    answer(tmp_path / "x", "b")
    outbox = tmp_path / "x" / "a" / "outbox"

    def swap() -> None:
        if not outbox.is_symlink():
            outbox.rmdir()
            outbox.symlink_to(tmp_path / "x" / "b" / "outbox")

    served.idle = swap
    lost, _ = served.exchange(1, START, ["a", "b"], [])
    assert isinstance(lost, NoReply)
    assert lost.reason == "outbox is a link, expected a folder"


def test_an_edge_whose_own_disk_is_full_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder is a mount of its own, which it has filled."""
    served = fleet(tmp_path / "x")
    answer(tmp_path / "x", "b")
    real, send = Path.stat, Mailbox.send

    def full(box: Mailbox, request: Request) -> None:
        if box.edge == "a":
            raise OSError(28, "No space left on device", "a/inbox/0001-exchange.safetensors")
        send(box, request)

    def elsewhere(path: Path, **given: bool) -> os.stat_result:
        found = real(path, **given)
        fields = list(found)
        fields[2] += "a" in path.parts  # st_dev
        return os.stat_result(fields)

    monkeypatch.setattr(Mailbox, "send", full)
    monkeypatch.setattr(Path, "stat", elsewhere)
    lost, sound = served.exchange(1, START, ["a", "b"], [])
    assert isinstance(sound, Reply)
    assert isinstance(lost, NoReply)
    assert "its folder can't be used: [Errno 28] No space left on device" in lost.reason


def test_a_file_that_grows_while_it_is_copied(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="stat grew to more than the 5 bytes allowed"):
        copy_regular(Path("/proc/self/stat"), tmp_path / "copy", 5)  # says that it has 0 bytes
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_of_ones_own_is_no_fault_of_the_edge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object) -> None:
        del given
        raise OSError(28, "No space left on device")

    served = fleet(tmp_path / "x")
    monkeypatch.setattr(Mailbox, "send", full)
    with pytest.raises(OSError, match="No space left"):
        served.exchange(1, START, ["a", "b"], [])


def pooled(folder: Path, edge: str, number: int, request: Request) -> Path:
    """An answer with pooled data."""
    folder.mkdir(exist_ok=True)
    inputs, update = folder / "inputs", folder / "update"
    inputs.write_bytes(b"examples")
    update.write_bytes(b"update")
    box = Mailbox(folder / "x" / edge)
    box.reply(request, Reply(edge, number, update, inputs, None, {"pretrain": 1.0}))
    return box.outbox / f"{number:04d}-pooled.safetensors"


def test_pooled_images_do_not_stay_where_every_edge_can_read_them(tmp_path: Path) -> None:
    served = fleet(tmp_path / "x")
    first = Request(EXCHANGE, "run", 1, TEMPLATE, START, pooled_wanted=True)
    files = [pooled(tmp_path, edge, 1, first) for edge in ("a", "b")]
    (lent,) = served.exchange(1, START, ["a"], ["a"])
    assert isinstance(lent, Reply)
    assert lent.pooled == files[0]
    served.exchange(1, START, ["a"], [])  # a server that was stopped in round 1 goes on
    assert all(file.exists() for file in files)
    second = pooled(tmp_path, "a", 2, Request(EXCHANGE, "run", 2, TEMPLATE, START))
    assert not files[0].exists()  # the edge has removed it
    served.exchange(2, START, ["a"], [])
    assert not files[1].exists()  # the server has, although b has no part in this round
    assert second.exists()
    served.finish(2, START)
    assert not second.exists()


def test_a_reply_whose_images_were_taken_and_removed_is_whole(tmp_path: Path) -> None:
    served = fleet(tmp_path / "x")
    first = Request(EXCHANGE, "run", 1, TEMPLATE, START, pooled_wanted=True)
    pooled(tmp_path, "a", 1, first).unlink()
    (again,) = served.exchange(1, START, ["a"], [])
    assert isinstance(again, Reply)
    assert again.pooled is None
    (waiting,) = served.exchange(1, START, ["a"], ["a"])
    assert isinstance(waiting, NoReply)
