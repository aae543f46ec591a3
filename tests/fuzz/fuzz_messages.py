"""Requests that an edge finds in its inbox, and replies that a server finds in an outbox."""

import contextlib
import random
from pathlib import Path

from fuzz_mutations import Mutate, mutated_json, mutated_tensors

from ecavg_tf.core.messages.mailbox import Mailbox
from ecavg_tf.core.messages.request import EXCHANGE, FINISH, HELLO, Request, Shipped, _seal
from ecavg_tf.core.messages.update_file import METADATA_KEY, TensorFile
from ecavg_tf.core.template import Template
from ecavg_tf.data.server_data import spec_of

RUN = "0" * 32
_KINDS = (EXCHANGE, FINISH, HELLO)


def mutated(data: bytes, rng: random.Random, mutate: Mutate) -> bytes:
    """A reply's JSON changed, or a request changed and sealed again."""
    if data.startswith(b"{"):
        return mutated_json(data, rng)
    return mutated_tensors(data, rng, mutate, METADATA_KEY, _sealed if rng.randrange(4) else bytes)


def _sealed(content: bytes) -> bytes:
    """The request with the hash that it must carry, where it can be read at all."""
    import json
    import struct

    with contextlib.suppress(Exception):
        stored = TensorFile(content)
        arrays = [
            stored[spec.key] for spec in Template.from_json(stored.metadata["template"]).weights
        ]
        weights = None if stored.metadata["own_start"] else arrays
        stored.metadata["sha256"] = _seal(stored.metadata, weights)
        length = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + length])
        header["__metadata__"][METADATA_KEY] = json.dumps(stored.metadata)
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        return struct.pack("<Q", len(text)) + text + content[8 + length :]
    return content


def lay(place: Path, data: bytes) -> None:
    """A mailbox whose only message it is, of each kind."""
    box = Mailbox(place / "edge-00")
    for kind in _KINDS:
        (box.outbox / f"{0 if kind == HELLO else 2:04d}-{kind}.json").write_bytes(data)
    (box.outbox / "owner.json").write_bytes(data)
    (box.inbox / "0002-exchange.safetensors").write_bytes(data)
    for name in ("update", "pooled"):
        (box.outbox / f"0002-{name}.safetensors").write_bytes(b"")


def as_request(place: Path) -> None:
    """An edge looks for work."""
    box = Mailbox(place / "edge-00")
    for path in box.outbox.glob("000*-*.json"):
        path.unlink()
    with contextlib.suppress(ValueError):  # what it may raise; who serves makes an error of it
        request = box.unanswered()
        if request is None:
            return
        if request.training_file is not None:
            box.has_file(request.training_file)
        box.send(request)
        if request.inputs is not None:
            spec_of(request.inputs)


def as_reply(place: Path) -> None:
    """A server looks for answers."""
    box = Mailbox(place / "edge-00")
    for kind in _KINDS:
        request = Request(kind, RUN, 0 if kind == HELLO else 2, Template(()), Shipped(None))
        with contextlib.suppress(ValueError):  # what it may raise; the server refuses the edge
            box.answer(request, {"update": 2**20, "pooled": 2**20})
    with contextlib.suppress(ValueError):
        box.finished_run()


def as_owner(place: Path) -> None:
    """An edge looks whose its name is."""
    from ecavg_tf.core.messages.owner import Owner

    Mailbox(place / "edge-00").check_owner(Owner("1" * 32, "here", "now"))


READERS = (as_reply, as_request, as_owner)
