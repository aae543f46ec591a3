"""Bytes of messages: those that nobody writes are as large as those that somebody does."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from messages_for_tests import TEMPLATE, asked, decided, weights

from ecavg_tf.core.messages.mailbox import Mailbox
from ecavg_tf.core.messages.reply import NoReply, Reply
from ecavg_tf.core.messages.request import FINISH, NamedFile, Request, Shipped, write_request
from ecavg_tf.core.messages.sizes import reply_bytes, request_bytes, tensors_bytes
from ecavg_tf.core.messages.update_file import save_tensors

FULL = replace(
    asked(3),
    model=Shipped(weights(), (1.5, 2.0)),
    pooled_wanted=True,
    config={"seed": 1},
    training_file=NamedFile("t.zip", "a" * 64),
    probe=((0.5, 0.5), (0.25, 0.75)),
)


@pytest.mark.parametrize(
    "request_", [asked(), FULL, Request(FINISH, "run-ü", 12, TEMPLATE, Shipped(None))]
)
def test_a_request_is_as_large_as_its_file(tmp_path: Path, request_: Request) -> None:
    write_request(tmp_path / "request.safetensors", request_)
    assert request_bytes(request_) == (tmp_path / "request.safetensors").stat().st_size


@pytest.mark.parametrize(
    "dtype",
    [
        *("bool", "uint8", "int8", "int16", "uint16", "float16"),
        *("int32", "uint32", "float32", "float64", "int64", "uint64"),
    ],
)
def test_arrays_of_every_type(tmp_path: Path, dtype: str) -> None:
    rng = np.random.default_rng(0)
    tensors = {f"a/{at}é": rng.random((at, 7)).astype(dtype) for at in range(12)}
    tensors |= {"z": np.zeros((), np.int8), "b": np.zeros((1000, 3), np.float32)}
    save_tensors(tmp_path / "a.safetensors", tensors, {"a": "é"})
    assert tensors_bytes(tensors, {"a": "é"}) == (tmp_path / "a.safetensors").stat().st_size


@pytest.mark.parametrize("kind", ["update", "both", "finish", "none"])
def test_a_reply_is_as_large_as_its_files(tmp_path: Path, kind: str) -> None:
    update, pooled = tmp_path / "update", tmp_path / "pooled"
    update.write_bytes(b"u" * 1000)
    pooled.write_bytes(b"p" * 200)
    request, files = asked(), ("update", "pooled") if kind == "both" else ("update",)
    answer: Reply | NoReply = Reply(
        "edge-00", 1, update, pooled if kind == "both" else None, None, {"pretrain": 1.25}
    )
    if kind == "finish":
        request, files = asked(kind=FINISH), ()
        answer = Reply("edge-00", 1, None, None, decided("edge-00"), {})
    elif kind == "none":
        answer, files = NoReply("edge-00", "its disk is full"), ()
    box = Mailbox(tmp_path / "edge-00")
    box.send(request)
    box.reply(request, answer)
    down, up = box.sizes(request, dict.fromkeys(files, ""))
    assert (down, up) == (request_bytes(request), reply_bytes(request, answer))
    written = (path.stat().st_size for path in box.outbox.iterdir())
    assert up == sum(written) > 0


def test_a_training_file_counts_when_it_is_laid(tmp_path: Path) -> None:
    (tmp_path / "t.zip").write_bytes(b"t" * 500)
    box = Mailbox(tmp_path / "edge-00")
    for number, laid in ((1, 500), (2, 0)):
        request = replace(asked(number), training_file=box.put_file(tmp_path / "t.zip"))
        box.send(request)
        assert box.sizes(request, {}) == (request_bytes(request) + laid, 0)
