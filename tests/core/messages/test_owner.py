"""One name, two state folders: the second is refused by a line that says whose the name is."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from messages_for_tests import TEMPLATE, asked, decided, weights

from ecavg_tf.core.errors import WorkdirError
from ecavg_tf.core.files import read_json
from ecavg_tf.core.messages.mailbox import Mailbox
from ecavg_tf.core.messages.owner import Owner
from ecavg_tf.core.messages.reply import NoReply, Reply
from ecavg_tf.core.messages.request import FINISH, Request, Shipped
from ecavg_tf.events import silent
from ecavg_tf.rounds.folder_fleet import FolderFleet
from edge.cli import main
from edge.participating.serving import Served, serve

REFUSED = r"the name north belongs to .*one, which answered first \(20.*two is another state folder"


def last_words(request: Request) -> Reply:
    return Reply("north", request.round, None, None, decided("north", request.round), {})


def test_a_state_folder_keeps_its_own_name(tmp_path: Path) -> None:
    first, again, other = (Owner.of(tmp_path / name) for name in ("one", "one", "two"))
    assert first.state == again.state != other.state


def test_the_second_device_is_refused_before_it_trains(tmp_path: Path) -> None:
    box = Mailbox(tmp_path / "exchange" / "north")
    box.send(asked(1, FINISH))
    one, two = Owner.of(tmp_path / "one"), Owner.of(tmp_path / "two")
    serve([Served(box, last_words, one)], timeout_s=5, hint="", listener=silent)
    before = {path.name: path.read_bytes() for path in box.outbox.iterdir()}

    def never(request: Request) -> Reply:
        raise AssertionError(request)

    box.send(asked(2, FINISH))
    with pytest.raises(WorkdirError, match=REFUSED):
        serve([Served(box, never, two)], timeout_s=5, hint="", listener=silent)
    assert {path.name: path.read_bytes() for path in box.outbox.iterdir()} == before
    serve([Served(box, last_words, one)], timeout_s=5, hint="", listener=silent)


@pytest.mark.parametrize("links", [True, False])
def test_two_that_claim_a_name_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    """The second looked before the first had written."""
    box = Mailbox(tmp_path / "north")
    one, two = Owner.of(tmp_path / "one"), Owner.of(tmp_path / "two")
    real, first = os.link, [True]

    def link(source: Any, target: Any) -> None:
        if first.pop() if first else False:
            Mailbox(tmp_path / "north").claim(one)
        if not links:
            raise PermissionError(1, "no links here")
        real(source, target)

    monkeypatch.setattr(os, "link", link)
    with pytest.raises(WorkdirError, match=REFUSED):
        box.claim(two)
    assert [path.name for path in box.outbox.iterdir()] == ["owner.json"]


def test_the_server_refuses_a_reply_from_elsewhere(tmp_path: Path) -> None:
    """Each device may have a copy of the folder of its own, which a memory stick brings."""
    owners = tmp_path / "owners.json"
    fleet = FolderFleet(
        tmp_path / "exchange", ("north",), run_id="run-a", template=TEMPLATE, config={},
        timeout_s=5, owners=owners, listener=silent,
    )  # fmt: skip
    one, two = Owner.of(tmp_path / "one"), Owner.of(tmp_path / "two")
    for number, owner in ((1, one), (2, two), (3, one)):
        box = Mailbox(tmp_path / "exchange" / "north")
        (box.outbox / "owner.json").unlink(missing_ok=True)
        box.claim(owner)
        request = Request(FINISH, "run-a", number, TEMPLATE, Shipped(weights()))
        box.reply(request, last_words(request))
        (answer,) = fleet.finish(number, Shipped(weights()))
        if owner is one:
            assert answer == replace(last_words(request), owner=one)
        else:
            assert isinstance(answer, NoReply)
            assert not answer.absent
            assert "belongs to" in answer.reason
    assert read_json(owners)["north"]["state"] == one.state


def test_a_device_must_say_who_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "data.npz", x_train=np.zeros(1))
    words = [f"--data={tmp_path / 'data.npz'}", f"--state={tmp_path / 'state'}"]
    with pytest.raises(SystemExit):
        main(["train", *words])
    assert "the following arguments are required: --edge" in capsys.readouterr().err
