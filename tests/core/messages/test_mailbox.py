"""The mailbox: requests as files that a slow or clumsy carrier brings."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from messages_for_tests import TEMPLATE, asked, reply, weights

from ecavg_tf.core.messages.mailbox import Mailbox
from ecavg_tf.core.messages.reply import NoReply
from ecavg_tf.core.messages.request import EXCHANGE, FINISH, Request, Shipped
from ecavg_tf.core.messages.update_file import save_tensors
from ecavg_tf.core.template import Array


@pytest.mark.parametrize("kind", [EXCHANGE, FINISH])
def test_a_request_arrives_as_it_was_sent(tmp_path: Path, kind: str) -> None:
    Mailbox(tmp_path).send(asked(4, kind))
    received = Mailbox(tmp_path).unanswered()
    assert received is not None
    nothing = Shipped(None)
    assert replace(received, model=nothing) == replace(asked(4, kind), model=nothing)
    assert received.model.weights is not None
    for array, expected in zip(received.model.weights, weights(), strict=True):
        assert (array.dtype, array.shape) == (expected.dtype, expected.shape)
        np.testing.assert_array_equal(array, expected)


def test_a_request_without_weights_says_start_from_your_own(tmp_path: Path) -> None:
    box = Mailbox(tmp_path)
    own_start = Request(EXCHANGE, "run-a", 1, TEMPLATE, Shipped(None))
    box.send(own_start)
    assert box.unanswered() == own_start


def test_an_empty_inbox_has_no_request(tmp_path: Path) -> None:
    assert Mailbox(tmp_path).unanswered() is None


def test_an_answered_request_is_not_read_again(tmp_path: Path) -> None:
    box = Mailbox(tmp_path)
    box.send(asked())
    reply(box, asked(), tmp_path)
    assert box.unanswered() is None


def test_an_error_is_no_last_word(tmp_path: Path) -> None:
    box = Mailbox(tmp_path)
    box.send(asked())
    error = NoReply(box.edge, "the data is missing")
    box.reply(asked(), error)
    assert box.answer(asked()) == error
    assert box.unanswered() is not None  # an edge that was mended and restarted tries again
    box.send(asked())  # a server that resumes waits for a new answer
    assert box.answer(asked()) is None


@pytest.mark.parametrize(
    "order",
    [
        [(1, EXCHANGE), (2, EXCHANGE)],
        [(2, FINISH), (2, EXCHANGE)],
        [(9, EXCHANGE), (10, EXCHANGE)],
        [(999, EXCHANGE), (1000, EXCHANGE)],
        [(10_000, EXCHANGE), (9_999, EXCHANGE)],
    ],
)
def test_the_newest_request_is_read_and_older_ones_are_over(
    tmp_path: Path, order: list[tuple[int, str]]
) -> None:
    box = Mailbox(tmp_path)
    for round_number, kind in order:
        box.send(asked(round_number, kind))
    read = []
    while (received := box.unanswered()) is not None:
        read.append((received.round, received.kind))
        reply(box, received, tmp_path)
    assert read == [max(order)]


def test_a_request_that_lies_there_is_not_written_again(tmp_path: Path) -> None:
    box = Mailbox(tmp_path)
    box.send(asked())
    box.send(replace(asked(), model=Shipped(weights(5.0))))
    received = box.unanswered()
    assert received is not None
    assert received.model.weights is not None
    assert received.model.weights[1] == 1.0


def test_other_files_in_the_inbox_are_passed_over(tmp_path: Path) -> None:
    box = Mailbox(tmp_path)
    for name in (
        ".0001-exchange.safetensors",
        "0001-exchange.safetensors.part",
        "0001-exchange.safetensors.safetensors",
        "0001-exchange (copy).safetensors",
        "001-exchange.safetensors",
        "0001-party.safetensors",
        "notes.txt",
    ):
        (box.inbox / name).write_bytes(b"something")
    assert box.unanswered() is None


def misfits() -> dict[str, list[Array]]:
    kernel, scale, seed = weights()
    return {
        "kernel": [kernel.T, scale, seed],
        "scale": [kernel, scale.reshape(1), seed],
        "seed": [kernel, scale, seed.astype(np.int32)],
    }


@pytest.mark.parametrize("key", ["kernel", "scale", "seed"])
def test_a_request_that_does_not_fit_its_template_is_refused(tmp_path: Path, key: str) -> None:
    box = Mailbox(tmp_path)
    box.send(replace(asked(), model=Shipped(misfits()[key])))
    with pytest.raises(ValueError, match=rf"0001-.* is not a request: weight {key}"):
        box.unanswered()


def test_a_list_of_weights_of_another_length_is_not_sent(tmp_path: Path) -> None:
    box = Mailbox(tmp_path)
    with pytest.raises(ValueError):
        box.send(replace(asked(), model=Shipped(weights()[:2])))
    assert list(box.inbox.iterdir()) == []


def test_a_request_that_lacks_a_weight_is_refused(tmp_path: Path) -> None:
    box = Mailbox(tmp_path)
    fields = {
        "kind": EXCHANGE,
        "round": 1,
        "run_id": "run-a",
        "template": TEMPLATE.to_json(),
        "own_start": False,
    }
    named = dict(list(TEMPLATE.named(weights()).items())[:2])
    save_tensors(box.inbox / "0001-exchange.safetensors", named, fields)
    with pytest.raises(ValueError, match="seed"):
        box.unanswered()


def test_a_request_with_a_flipped_bit_is_refused(tmp_path: Path) -> None:
    box = Mailbox(tmp_path)
    box.send(asked())
    path = box.inbox / "0001-exchange.safetensors"
    whole = bytearray(path.read_bytes())
    for at in (len(whole) - 1, whole.index(b"run-a")):  # of a weight, of the metadata
        damaged = whole.copy()
        damaged[at] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="is damaged: it is not what the server wrote"):
            box.unanswered()
    path.unlink()
    box.send(asked())
    assert box.unanswered() is not None


@pytest.mark.parametrize("field", ["kind", "round", "run_id", "template", "own_start"])
def test_a_request_that_lacks_a_field_is_refused(tmp_path: Path, field: str) -> None:
    box = Mailbox(tmp_path)
    fields: dict[str, Any] = {
        "kind": EXCHANGE,
        "round": 1,
        "run_id": "run-a",
        "template": TEMPLATE.to_json(),
        "own_start": True,
        "config": {},
        "pooled_wanted": False,
    }
    del fields[field]
    save_tensors(box.inbox / "0001-exchange.safetensors", {}, fields)
    with pytest.raises(ValueError, match=field):
        box.unanswered()


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x00" * 100])
def test_a_request_that_is_not_whole_is_not_there_yet(tmp_path: Path, content: bytes) -> None:
    box = Mailbox(tmp_path)
    box.send(asked())
    path = box.inbox / "0001-exchange.safetensors"
    whole = path.read_bytes()
    path.write_bytes(content)
    assert box.unanswered() is None
    path.write_bytes(whole)
    assert box.unanswered() is not None


def test_a_renamed_request_is_refused(tmp_path: Path) -> None:
    box = Mailbox(tmp_path)
    box.send(asked())
    (box.inbox / "0001-exchange.safetensors").rename(box.inbox / "0007-exchange.safetensors")
    with pytest.raises(ValueError, match="was renamed"):
        box.unanswered()


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    box = Mailbox(tmp_path / "box")
    box.send(asked())
    reply(box, asked(), tmp_path)
    sent = box.outbox / "0001-update.safetensors"
    sent.unlink()
    sent.symlink_to(tmp_path / "my-update.safetensors")
    with pytest.raises(ValueError, match="a regular file"):
        box.answer(asked())
    sent.unlink()
    sent.mkdir()
    with pytest.raises(ValueError, match="a regular file"):
        box.answer(asked())
    text = box.outbox / "0001-exchange.json"
    text.write_text(text.read_text().replace('"update"', '"x/../../../etc/passwd"'))
    with pytest.raises(ValueError, match=r"files\.x/.* is unknown"):
        box.answer(asked())
