"""The mailbox: replies, which come whole or not at all."""

import json
import shutil
from pathlib import Path

import pytest
from letters_for_tests import answered, letter

from ecavg_tf.core.messages.mailbox import EXCHANGE, FINISH, Answer, Mailbox


def test_no_reply_is_no_answer(tmp_path: Path) -> None:
    box = Mailbox(tmp_path)
    box.send(letter())
    assert box.answer(1, EXCHANGE) is None


def test_a_reply_with_its_files_is_answered_whole(tmp_path: Path) -> None:
    box = Mailbox(tmp_path / "box")
    update, pooled = tmp_path / "u.safetensors", tmp_path / "p.safetensors"
    update.write_bytes(b"update")
    pooled.write_bytes(b"pooled")
    body = {"decision": None, "seconds": {"pretrain": 1.5}}
    box.reply(letter(), body, update=update, pooled=pooled)
    answer = box.answer(1, EXCHANGE)
    assert answer is not None
    assert (answer.run_id, answer.error, answer.body) == ("run-a", None, body)
    assert answer.update is not None
    assert answer.pooled is not None
    assert answer.update.read_bytes() == b"update"
    assert answer.pooled.read_bytes() == b"pooled"
    assert {answer.update.parent, answer.pooled.parent} == {box.outbox}
    assert update.exists()
    assert box.answer(1, FINISH) is None
    assert box.answer(2, EXCHANGE) is None


def test_a_reply_without_files_is_answered_whole(tmp_path: Path) -> None:
    box = Mailbox(tmp_path)
    box.reply(letter(3, FINISH), {"decision": {"rung": "global"}})
    assert box.answer(3, FINISH) == Answer(
        "run-a", None, {"decision": {"rung": "global"}}, None, None
    )


def test_an_error_comes_back_as_text(tmp_path: Path) -> None:
    box = Mailbox(tmp_path)
    box.reply(letter(), {}, error="edge-00: the data is missing")
    assert box.answer(1, EXCHANGE) == Answer(
        "run-a", "edge-00: the data is missing", {}, None, None
    )


def test_a_reply_that_comes_before_its_update_waits_until_that_is_whole(tmp_path: Path) -> None:
    at_edge, at_server = Mailbox(tmp_path / "edge"), Mailbox(tmp_path / "server")
    assert answered(at_edge, tmp_path) is not None
    shutil.copy(at_edge.outbox / "0001-exchange.json", at_server.outbox)
    assert at_server.answer(1, EXCHANGE) is None
    content = (at_edge.outbox / "0001-update.safetensors").read_bytes()
    arriving = at_server.outbox / "0001-update.safetensors"
    for length in range(len(content)):
        arriving.write_bytes(content[:length])
        assert at_server.answer(1, EXCHANGE) is None
    arriving.write_bytes(content)
    answer = at_server.answer(1, EXCHANGE)
    assert answer is not None
    assert answer.update == arriving


def test_a_reply_waits_for_each_of_its_files(tmp_path: Path) -> None:
    box = Mailbox(tmp_path / "box")
    update, pooled = tmp_path / "u.safetensors", tmp_path / "p.safetensors"
    update.write_bytes(b"update")
    pooled.write_bytes(b"pooled")
    box.reply(letter(), {}, update=update, pooled=pooled)
    for name in ("0001-update.safetensors", "0001-pooled.safetensors"):
        hidden = box.outbox / "elsewhere"
        (box.outbox / name).rename(hidden)
        assert box.answer(1, EXCHANGE) is None
        hidden.rename(box.outbox / name)
        assert box.answer(1, EXCHANGE) is not None


def test_a_corrupted_update_is_no_answer(tmp_path: Path) -> None:
    box = Mailbox(tmp_path / "box")
    assert answered(box, tmp_path) is not None
    path = box.outbox / "0001-update.safetensors"
    content = bytearray(path.read_bytes())
    content[3] ^= 1
    path.write_bytes(content)
    assert box.answer(1, EXCHANGE) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        "[]",
        "null",
        "{}",
        '{"run_id": "a", "error": null, "body": {}}',
        '{"run_id": "a", "error": null, "files": {}}',
        '{"run_id": "a", "files": {}, "body": {}}',
        '{"error": null, "files": {}, "body": {}}',
        '{"run_id": "a", "error": null, "files": 5, "body": {}}',
        '{"run_id": "a", "error": null, "files": {}, "body": 5}',
    ],
)
def test_what_is_no_reply_is_refused_by_name(tmp_path: Path, text: str) -> None:
    box = Mailbox(tmp_path)
    (box.outbox / "0001-exchange.json").write_text(text)
    with pytest.raises(ValueError, match=r"0001-exchange\.json is not a reply"):
        box.answer(1, EXCHANGE)


def test_a_reply_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    box = Mailbox(tmp_path)
    (box.outbox / "0001-exchange.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(ValueError, match="not a reply"):
        box.answer(1, EXCHANGE)


def test_a_reply_that_is_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    """One edge's strange file must not stop the round with another kind of error."""
    box = Mailbox(tmp_path)
    (box.outbox / "0001-exchange.json").write_text("[" * 100_000)
    with pytest.raises(ValueError, match="not a reply"):
        box.answer(1, EXCHANGE)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e999"])
def test_a_reply_with_a_number_that_is_not_finite_is_refused(tmp_path: Path, text: str) -> None:
    """Its seconds and scores go to results.json, which refuses them: too late."""
    box = Mailbox(tmp_path)
    fields = {"run_id": "a", "error": None, "files": {}, "body": {"seconds": {"pretrain": 0.125}}}
    (box.outbox / "0001-exchange.json").write_text(json.dumps(fields).replace("0.125", text))
    with pytest.raises(ValueError, match="not a reply"):
        box.answer(1, EXCHANGE)


def test_replying_again_after_an_interruption_is_whole_again(tmp_path: Path) -> None:
    box = Mailbox(tmp_path / "box")
    first = answered(box, tmp_path)
    (box.outbox / "0001-exchange.json").unlink()
    assert box.answer(1, EXCHANGE) is None
    assert answered(box, tmp_path) == first
    assert first is not None
