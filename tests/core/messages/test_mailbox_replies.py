"""The mailbox: replies, which come whole or not at all."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from messages_for_tests import answered, asked, decided, lay_reply, reply

from ecavg_tf.core.messages import mail_files
from ecavg_tf.core.messages.mailbox import Mailbox
from ecavg_tf.core.messages.reply import NoReply, Reply
from ecavg_tf.core.messages.request import FINISH


def test_no_reply_is_no_answer(tmp_path: Path) -> None:
    box = Mailbox(tmp_path)
    box.send(asked())
    assert box.answer(asked()) is None


def test_a_reply_with_its_files_is_answered_whole(tmp_path: Path) -> None:
    box = Mailbox(tmp_path / "box")
    pooled = tmp_path / "p.safetensors"
    pooled.write_bytes(b"pooled")
    sent = reply(box, asked(), tmp_path, pooled)
    answer = box.answer(asked())
    assert isinstance(answer, Reply)
    assert replace(answer, update=sent.update, pooled=pooled) == sent
    assert answer.update is not None
    assert answer.pooled is not None
    assert answer.update.read_bytes() == b"update of some bytes"
    assert answer.pooled.read_bytes() == b"pooled"
    assert {answer.update.parent, answer.pooled.parent} == {box.outbox}
    assert pooled.exists()
    assert box.answer(asked(1, FINISH)) is None
    assert box.answer(asked(2)) is None


def test_a_reply_without_files_is_answered_whole(tmp_path: Path) -> None:
    box = Mailbox(tmp_path)
    sent = reply(box, asked(3, FINISH), tmp_path)
    assert sent == Reply(box.edge, 3, None, None, decided(box.edge, 3), {})
    assert box.answer(asked(3, FINISH)) == sent


def test_an_error_comes_back_as_text(tmp_path: Path) -> None:
    box = Mailbox(tmp_path)
    error = NoReply(box.edge, "edge-00: the data is missing")
    box.reply(asked(), error)
    assert box.answer(asked()) == error


def test_a_reply_that_comes_before_its_update_waits_until_that_is_whole(tmp_path: Path) -> None:
    at_edge, at_server = Mailbox(tmp_path / "edge" / "e"), Mailbox(tmp_path / "server" / "e")
    assert answered(at_edge, tmp_path) is not None
    shutil.copy(at_edge.outbox / "0001-exchange.json", at_server.outbox)
    assert at_server.answer(asked()) is None
    content = (at_edge.outbox / "0001-update.safetensors").read_bytes()
    arriving = at_server.outbox / "0001-update.safetensors"
    for length in range(len(content)):
        arriving.write_bytes(content[:length])
        assert at_server.answer(asked()) is None
    arriving.write_bytes(content)
    answer = at_server.answer(asked())
    assert isinstance(answer, Reply)
    assert answer.update == arriving


def test_a_reply_is_no_answer_while_it_is_copied(tmp_path: Path) -> None:
    box = Mailbox(tmp_path / "box")
    assert answered(box, tmp_path) is not None
    arriving = box.outbox / "0001-exchange.json"
    content = arriving.read_bytes()
    whole = len(content.rstrip())
    for length in range(whole):
        arriving.write_bytes(content[:length])
        assert box.answer(asked()) is None
        arriving.write_bytes(content[:length].ljust(whole, b"\0"))  # as Windows shares show it
        assert box.answer(asked()) is None
    arriving.write_bytes(content)
    assert box.answer(asked()) is not None


@pytest.mark.parametrize("text", ["", "garbage", '{"run_id": "run-a", "error'])
def test_a_cut_reply_that_no_longer_grows_is_refused(
    tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(mail_files.time, "monotonic", lambda: now[0])
    box = Mailbox(tmp_path)
    (box.outbox / "0001-exchange.json").write_text(text)
    for now[0] in (0.0, mail_files.COPYING_S - 1):
        assert box.answer(asked()) is None
    (box.outbox / "0001-exchange.json").write_text(text + "g")  # it grows
    for now[0] in (100.0, 100.0 + mail_files.COPYING_S - 1):
        assert box.answer(asked()) is None
    now[0] += 1
    with pytest.raises(ValueError, match=r"0001-exchange\.json is not a reply"):
        box.answer(asked())


def test_an_edge_answers_anew_whose_reply_is_cut(tmp_path: Path) -> None:
    box = Mailbox(tmp_path / "box")
    box.send(asked())
    assert answered(box, tmp_path) is not None
    assert box.unanswered() is None
    path = box.outbox / "0001-exchange.json"
    path.write_bytes(path.read_bytes()[:-9])
    assert box.unanswered() is not None


def test_a_reply_waits_for_each_of_its_files(tmp_path: Path) -> None:
    box, request = Mailbox(tmp_path / "box"), replace(asked(), pooled_wanted=True)
    pooled = tmp_path / "p.safetensors"
    pooled.write_bytes(b"pooled")
    reply(box, request, tmp_path, pooled)
    for name in ("0001-update.safetensors", "0001-pooled.safetensors"):
        hidden = box.outbox / "elsewhere"
        (box.outbox / name).rename(hidden)
        assert box.answer(request) is None
        hidden.rename(box.outbox / name)
        assert box.answer(request) is not None


def test_a_corrupted_update_is_no_answer(tmp_path: Path) -> None:
    box = Mailbox(tmp_path / "box")
    assert answered(box, tmp_path) is not None
    path = box.outbox / "0001-update.safetensors"
    content = bytearray(path.read_bytes())
    content[3] ^= 1
    path.write_bytes(content)
    assert box.answer(asked()) is None


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "null",
        "{}",
        '{"run_id": "run-a", "error": "no", "body": {}}',
        '{"run_id": "run-a", "error": "no", "files": {}}',
        '{"run_id": "run-a", "files": {}, "body": {}}',
        '{"error": "no", "files": {}, "body": {}}',
        '{"run_id": "run-b", "error": "no", "files": {}, "body": {}}',
        '{"run_id": "run-a", "error": "no", "files": 5, "body": {}}',
        '{"run_id": "run-a", "error": "no", "files": {"update": 5}, "body": {}}',
        '{"run_id": "run-a", "error": "no", "files": {}, "body": 5}',
        '{"run_id": "run-a", "error": null, "files": {}, "body": {}}',  # without an update
    ],
)
def test_what_is_no_reply_is_refused_by_name(tmp_path: Path, text: str) -> None:
    box = Mailbox(tmp_path)
    (box.outbox / "0001-exchange.json").write_text(text)
    with pytest.raises(ValueError, match=r"0001-exchange\.json is not a reply"):
        box.answer(asked())


def test_a_reply_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    box = Mailbox(tmp_path)
    (box.outbox / "0001-exchange.json").write_bytes(b'{"run_id": "\xff"}')
    with pytest.raises(ValueError, match="not a reply"):
        box.answer(asked())


def test_a_reply_that_is_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    """One edge's strange file must not stop the round with another kind of error."""
    box = Mailbox(tmp_path)
    (box.outbox / "0001-exchange.json").write_text("[" * 100_000)
    with pytest.raises(ValueError, match="not a reply"):
        box.answer(asked())


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e999"])
def test_a_reply_with_a_number_that_is_not_finite_is_refused(tmp_path: Path, text: str) -> None:
    """Its seconds and scores go to results.json, which refuses them: too late."""
    box = Mailbox(tmp_path)
    lay_reply(box, asked(), {"decision": None, "seconds": {"pretrain": 0.125}}, b"update")
    assert isinstance(box.answer(asked()), Reply)
    path = box.outbox / "0001-exchange.json"
    path.write_text(path.read_text().replace("0.125", text))
    with pytest.raises(ValueError, match="not a reply"):
        box.answer(asked())


def test_replying_again_after_an_interruption_is_whole_again(tmp_path: Path) -> None:
    box = Mailbox(tmp_path / "box")
    first = answered(box, tmp_path)
    (box.outbox / "0001-exchange.json").unlink()
    assert box.answer(asked()) is None
    assert answered(box, tmp_path) == first
    assert first is not None
