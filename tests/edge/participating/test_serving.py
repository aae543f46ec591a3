"""The serve loop: one for edges of any kind, alone or several in a process."""

from pathlib import Path

import pytest
from messages_for_tests import asked, decided

from ecavg_tf.core.errors import RoundError
from ecavg_tf.core.messages.mailbox import Mailbox
from ecavg_tf.core.messages.reply import NoReply, Reply
from ecavg_tf.core.messages.request import FINISH, Request
from ecavg_tf.events import Event, Note, silent
from edge.participating.serving import Served, serve


def last_words(box: Mailbox, request: Request) -> Reply:
    return Reply(box.edge, request.round, None, None, decided(box.edge, request.round), {})


def nothing_yet(request: Request) -> None:
    del request


def test_several_edges_are_served_until_each_has_decided(tmp_path: Path) -> None:
    boxes = [Mailbox(tmp_path / f"edge-0{number}") for number in range(3)]
    told: list[Event] = []
    for box in boxes:
        box.send(asked(2, FINISH))
    boxes[2].reply(asked(2, FINISH), last_words(boxes[2], asked(2, FINISH)))  # and was killed

    def answers(box: Mailbox) -> Served:
        return Served(box, lambda request: last_words(box, request))

    serve([answers(box) for box in boxes], timeout_s=5, hint="", listener=told.append)
    assert [event.text for event in told if isinstance(event, Note)] == [
        "round 2: edge-00 answered 'finish'",
        "round 2: edge-01 answered 'finish'",
    ]
    for box in boxes:
        assert box.answer(asked(2, FINISH)) == last_words(box, asked(2, FINISH))


def test_a_request_waits_for_the_file_that_belongs_to_it(tmp_path: Path) -> None:
    box = Mailbox(tmp_path / "edge-00")
    box.send(asked(1, FINISH))
    looks = []

    def answer(request: Request) -> Reply | None:
        looks.append(request.round)
        return last_words(box, request) if len(looks) == 3 else None

    serve([Served(box, answer)], timeout_s=5, hint="", listener=silent)
    assert looks == [1, 1, 1]
    with pytest.raises(RoundError, match=r"no request for edge-01 within 0 s \(--timeout\)"):
        late = Mailbox(tmp_path / "edge-01")
        late.send(asked())
        nothing = Served(late, nothing_yet)
        serve([nothing], timeout_s=0, hint="(--timeout)", listener=silent)


def test_those_that_nobody_asks_are_named(tmp_path: Path) -> None:
    served = [Served(Mailbox(tmp_path / name), nothing_yet) for name in ("edge-00", "edge-01")]
    with pytest.raises(RoundError, match=r"no request for edge-00, edge-01 within 0 s \(why\)"):
        serve(served, timeout_s=0, hint="(why)", listener=silent)


def test_the_server_is_told_why_there_is_no_answer(tmp_path: Path) -> None:
    box = Mailbox(tmp_path / "edge-00")
    box.send(asked())

    def answer(request: Request) -> Reply:
        del request
        raise RoundError("the data is gone")

    with pytest.raises(RoundError, match="the data is gone"):
        serve([Served(box, answer)], timeout_s=5, hint="", listener=silent)
    assert box.answer(asked()) == NoReply("edge-00", "the data is gone")


def test_a_request_that_is_damaged_names_its_edge(tmp_path: Path) -> None:
    box = Mailbox(tmp_path / "edge-00")
    box.send(asked(1))
    (box.inbox / "0001-exchange.safetensors").rename(box.inbox / "0002-exchange.safetensors")
    with pytest.raises(RoundError, match=r"edge-00: 0002-exchange.* it was renamed"):
        serve([Served(box, nothing_yet)], timeout_s=5, hint="", listener=silent)
