"""Requests of a small template, and what answers them."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from ecavg_tf.core.messages.mailbox import Mailbox
from ecavg_tf.core.messages.reply import NoReply, Reply
from ecavg_tf.core.messages.request import EXCHANGE, FINISH, Request, Shipped
from ecavg_tf.core.scores import Accepted, Decision
from ecavg_tf.core.template import Array, Role, Template, WeightSpec

TEMPLATE = Template(
    (
        WeightSpec("kernel", (2, 3), "float32", Role.TRAINABLE),
        WeightSpec("scale", (), "float32", Role.TRAINABLE),
        WeightSpec("seed", (2,), "uint32", Role.STATE),
    )
)


def weights(value: float = 1.0) -> list[Array]:
    kernel = np.full((3, 2), value, np.float32)
    kernel[2, 0] = 7
    return [kernel.T, np.array(value, np.float32), np.array([1, 2], np.uint32)]


def asked(round_number: int = 1, kind: str = EXCHANGE) -> Request:
    return Request(kind, "run-a", round_number, TEMPLATE, Shipped(weights()))


def decided(edge: str, round_number: int = 1) -> Decision:
    accepted = Accepted("global", None, None, None, "abc")
    return Decision(round_number, edge, 4, (2, 2), (), accepted, 0.1)


def reply(box: Mailbox, request: Request, tmp_path: Path, pooled: Path | None = None) -> Reply:
    """Answers as an edge does; its update is some bytes."""
    update = None
    if request.kind == EXCHANGE:
        update = tmp_path / "my-update.safetensors"
        update.write_bytes(b"update of some bytes")
    last = decided(box.edge, request.round) if request.kind == FINISH else None
    made = Reply(box.edge, request.round, update, pooled, last, {"pretrain": 1.5} if update else {})
    box.reply(request, made)
    return made


def answered(box: Mailbox, tmp_path: Path, round_number: int = 1) -> Reply | NoReply | None:
    """Answers an exchange, and reads the answer."""
    reply(box, asked(round_number), tmp_path)
    return box.answer(asked(round_number))


def lay_reply(box: Mailbox, request: Request, body: Any, update: bytes | None = None) -> None:
    """Lays a reply with any body into an outbox, as a foreign program may."""
    files = {}
    if update is not None:
        (box.outbox / f"{request.round:04d}-update.safetensors").write_bytes(update)
        files["update"] = hashlib.sha256(update).hexdigest()
    fields = {"run_id": request.run_id, "error": None, "files": files, "body": body}
    path = box.outbox / f"{request.round:04d}-{request.kind}.json"
    path.write_text(json.dumps(fields))
