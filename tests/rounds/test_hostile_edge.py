"""What one edge puts into its folder stops neither the server nor the other edges."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from messages_for_tests import lay_reply, reply

from ecavg_tf.core.bundles.bundle import label_bytes
from ecavg_tf.core.errors import DataError, ExportError, WorkdirError
from ecavg_tf.core.files import read_regular, regular_sha256
from ecavg_tf.core.messages.mailbox import Mailbox
from ecavg_tf.core.messages.reply import NoReply
from ecavg_tf.core.messages.request import EXCHANGE, FINISH, NamedFile, Request, Shipped
from ecavg_tf.core.scores import Accepted, Decision, Rung, Score, Scores
from ecavg_tf.core.template import Role, Template, WeightSpec
from ecavg_tf.decided import with_decisions
from ecavg_tf.results import (
    EdgeResult,
    RoundResult,
    Samples,
    ServerResult,
    ServerScore,
)
from edge.participating.store import EdgeStore

TEMPLATE = Template((WeightSpec("w", (2,), "float32", Role.TRAINABLE),))


def asked(kind: str = EXCHANGE, file: NamedFile | None = None) -> Request:
    model = Shipped([np.zeros(2, np.float32)])
    return Request(kind, "run", 1, TEMPLATE, model, training_file=file)


@pytest.mark.parametrize("value", [[], "x", 5, None, {"own": [], "all": None}])
def test_scores_that_are_none(value: Any) -> None:
    with pytest.raises(ValueError, match=r"scores.* expected an object"):
        Scores.from_json(value)


def test_a_reply_that_is_a_pipe_a_link_or_huge(tmp_path: Path) -> None:
    box = Mailbox(tmp_path)
    path = box.outbox / "0001-exchange.json"
    os.mkfifo(path)
    with pytest.raises(ValueError, match="not a regular file"):
        box.answer(asked())
    box.send(asked())  # looks whether an old error lies there
    path.unlink()
    (tmp_path / "secret").write_text("secret")
    path.symlink_to(tmp_path / "secret")
    with pytest.raises(ValueError, match="is a link, expected a regular file"):
        box.answer(asked())
    path.unlink()
    with path.open("wb") as stream:
        stream.truncate(2**25)
    with pytest.raises(ValueError, match="at most 1048576 are allowed"):
        box.answer(asked())
    path.write_text('{"run_id": "run", "error": {"a": 1}, "files": {}, "body": {}}')
    with pytest.raises(ValueError, match=r"error is .* expected a text"):
        box.answer(asked())


def test_a_huge_update_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    box = Mailbox(tmp_path)
    lay_reply(box, asked(), {"decision": None, "seconds": {}}, b"update")
    read: list[Path] = []
    monkeypatch.setattr(
        "ecavg_tf.core.messages.mailbox.regular_sha256",
        lambda path, most: (read.append(path), regular_sha256(path, most))[1],
    )
    assert box.answer(asked(), {"update": 6}) is not None
    assert box.answer(asked(), {"update": 6}) is not None
    assert len(read) == 1
    with (box.outbox / "0001-update.safetensors").open("wb") as stream:
        stream.truncate(2**40)
    with pytest.raises(ValueError, match="has 1099511627776 bytes, at most 6 are allowed"):
        box.answer(asked(), {"update": 6})


def test_a_regular_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert read_regular(tmp_path / "a", 3) == b"abc"
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "b", 3)


def test_an_answered_finish_is_the_end(tmp_path: Path) -> None:
    """An edge that was killed after its last answer finds nothing more to wait for."""
    box = Mailbox(tmp_path)
    assert not box.over()
    box.send(asked())
    reply(box, asked(), tmp_path)
    assert not box.over()
    last = asked(FINISH)
    box.send(last)
    assert not box.over()
    box.reply(last, NoReply(box.edge, "no"))
    assert not box.over()
    reply(box, last, tmp_path)
    assert box.over()


def test_an_unanswered_request_follows_its_training_file(tmp_path: Path) -> None:
    box = Mailbox(tmp_path)
    box.send(asked(file=NamedFile("t.zip", "a" * 64)))
    box.send(asked(file=NamedFile("t.zip", "b" * 64)))
    waiting = box.unanswered()
    assert waiting is not None and waiting.training_file is not None
    assert waiting.training_file.sha256 == "b" * 64
    reply(box, waiting, tmp_path)
    box.send(asked(file=NamedFile("t.zip", "c" * 64)))
    assert box.unanswered() is None


def test_a_damaged_accepted_model_is_one_line(tmp_path: Path) -> None:
    store = EdgeStore(tmp_path, "edge-00", "run")
    accepted = Accepted("local", None, None, None, "abc")
    decision = Decision(1, "edge-00", 4, (2, 2), (), accepted, 0.1)
    store.save_accepted(decision, {"w": np.ones(2, np.float32)})
    (path,) = tmp_path.glob("accepted-*")
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(WorkdirError, match="is damaged"):
        store.last_accepted(2, TEMPLATE, [np.zeros(2, np.float32)])
    with pytest.raises(WorkdirError, match="a device --state"):
        EdgeStore(tmp_path, "edge-00", "another")


def test_the_servers_scores_stay_where_an_edge_has_none() -> None:
    measured = Scores(Score(0.5, 1.0, 10), Score(0.4, 1.2, 20))
    edge = EdgeResult("edge-00", 4, (2, 2), None, None, measured)
    none = ServerScore(None)
    server = ServerResult(none, none, none)
    result = RoundResult(
        1, ("edge-00",), 0, Samples(4, 4), {"evaluate": 0.0}, server, (edge,), ()
    )  # fmt: skip
    rungs = (Rung("global", None, None, None, -1.0, None),)
    accepted = Accepted("local", None, None, None, "abc")
    decision = Decision(1, "edge-00", 4, (2, 2), rungs, accepted, 0.1)
    (shown,) = with_decisions(result, {"edge-00": decision}).edges
    assert shown.global_ == measured
    own = Rung("global", None, Score(0.9, 0.1, 5), None, -1.0, None)
    (shown,) = with_decisions(result, {"edge-00": replace(decision, rungs=(own,))}).edges
    assert shown.global_ == Scores(Score(0.9, 0.1, 5), measured.all)  # what it can't measure


def test_a_label_with_a_line_break() -> None:
    assert label_bytes(("a", "ß c")) == "a\nß c\n".encode()
    with pytest.raises(ExportError, match="holds a line break"):
        label_bytes(("a\nb",))


def test_rescaled_images_are_not_cut_to_whole_numbers(tmp_path: Path) -> None:
    from device_for_tests import local_arrays, training_bundle

    from ecavg_tf.core.bundles.training_bundle import read_training_bundle
    from edge.device.local_data import load_local

    info = read_training_bundle(training_bundle(tmp_path / "t.zip")).info
    arrays = local_arrays()
    arrays["x_train"] = arrays["x_train"] / 16
    np.savez(tmp_path / "data.npz", **arrays)
    with pytest.raises(DataError, match=r"x_train holds fractions, .* don't rescale inputs"):
        load_local(tmp_path / "data.npz", info, edge="edge-00", guard_fraction=0.2, seed=0)
