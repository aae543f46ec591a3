"""Requests and replies as bytes: the same on every carrier and in every release."""

import hashlib
import json
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from messages_for_tests import TEMPLATE, asked, decided, weights

from ecavg_tf.core.messages.mailbox import Mailbox
from ecavg_tf.core.messages.reply import Reply, decode_reply, encode_reply
from ecavg_tf.core.messages.request import (
    EXCHANGE,
    NamedFile,
    Request,
    Shipped,
    read_request,
    write_request,
)
from ecavg_tf.core.messages.update_file import TensorFile

FULL = Request(
    EXCHANGE,
    "run-a",
    3,
    TEMPLATE,
    Shipped(weights(), (1.5, 2.0)),
    pooled_wanted=True,
    config={"seed": 1, "edge.epochs": 2},
    training_file=NamedFile("t.zip", "a" * 64),
    probe=((0.5, 0.5), (0.25, 0.75)),
)


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    write_request(tmp_path / "request.safetensors", FULL)
    return (tmp_path / "request.safetensors").read_bytes()


def test_a_request_is_the_same_bytes_in_every_release(content: bytes) -> None:
    """A server and its edges may be of different releases."""
    expected = "b3e4caa1bd5d0bb162d77bc32c1068e04d7c1e1d08e7afef924367d80c14e4ad"
    assert hashlib.sha256(content).hexdigest() == expected


def test_a_reply_is_the_same_fields_in_every_release() -> None:
    reply = Reply("edge-00", 3, Path("u"), None, decided("edge-00", 2), {"pretrain": 1.5})
    fields = encode_reply(FULL, reply, {"update": "b" * 64})
    assert list(fields) == ["run_id", "error", "files", "body"]
    assert list(fields["body"]) == ["decision", "seconds"]
    files = {"update": Path("there/u"), "pooled": Path("there/p")}
    read, hashes = decode_reply(json.loads(json.dumps(fields)), FULL, "edge-00", files)
    assert read == replace(reply, update=Path("there/u"))
    assert hashes == {"update": "b" * 64}


def test_a_request_is_read_from_bytes_as_from_a_file(content: bytes) -> None:
    read = read_request(TensorFile(content))
    nothing = Shipped(None)
    assert replace(read, model=nothing) == replace(FULL, model=nothing)
    assert read.model.trained_on == (1.5, 2.0)
    assert read.model.weights is not None
    for array, expected in zip(read.model.weights, weights(), strict=True):
        assert (array.dtype, array.shape) == (expected.dtype, expected.shape)
        np.testing.assert_array_equal(array, expected)


def test_bytes_that_are_cut_or_changed_are_a_value_error_of_one_line(content: bytes) -> None:
    for length in range(len(content)):
        with pytest.raises(ValueError, match="the message is not a file of ours") as caught:
            TensorFile(content[:length])
        assert "\n" not in str(caught.value)
    for at in range(0, len(content), 7):
        changed = bytearray(content)
        changed[at] ^= 1
        with pytest.raises(ValueError) as caught:
            read_request(TensorFile(bytes(changed)))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", ["BF16", "F8_E4M3"])
def test_bytes_with_a_dtype_that_numpy_lacks(dtype: str) -> None:
    size = {"BF16": 4, "F8_E4M3": 2}[dtype]
    tensor = {"dtype": dtype, "shape": [2], "data_offsets": [0, size]}
    header = json.dumps({"w": tensor, "__metadata__": {"ecavg": "{}"}}).encode()
    with pytest.raises(ValueError, match="the message is not a file of ours"):
        TensorFile(struct.pack("<Q", len(header)) + header + b"\0" * size)


def test_metadata_in_bytes_that_is_nested_too_deeply() -> None:
    header = json.dumps({"__metadata__": {"ecavg": "[" * 100_000}}).encode()
    with pytest.raises(ValueError, match="nested too deeply"):
        TensorFile(struct.pack("<Q", len(header)) + header)


def test_a_training_file_with_folders_in_its_name_is_refused(tmp_path: Path) -> None:
    box = Mailbox(tmp_path)
    box.send(replace(asked(), training_file=NamedFile("../t.zip", "a" * 64)))
    with pytest.raises(ValueError, match="expected a file's name without folders"):
        box.unanswered()
