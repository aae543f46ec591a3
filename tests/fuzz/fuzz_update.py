"""Updates, pooled data and checkpoints: safetensors files that edges send or that disks damaged."""

import random
from pathlib import Path

import numpy as np
from fuzz_mutations import Mutate, mutated_tensors

from ecavg_tf.config import ServerConfig
from ecavg_tf.core.checkpoint import Checkpoint, State
from ecavg_tf.core.messages.reply import Reply
from ecavg_tf.core.template import Role, Template, WeightSpec
from ecavg_tf.data.dataset import DataSpec
from ecavg_tf.data.pooled import count_pooled, read_all_pooled
from edge.participating.accepted import read_accepted
from server.collect import collect
from server.screen import size_of

EDGE, ROUND = "edge-00", 1
SOUND = (Path(__file__).parent / "corpus/update/update").read_bytes()
TEMPLATE = Template(
    (
        WeightSpec("mlp/dense/kernel", (64, 4), "float32", Role.TRAINABLE),
        WeightSpec("mlp/dense/bias", (4,), "float32", Role.TRAINABLE),
        WeightSpec("mlp/dense_1/kernel", (4, 10), "float32", Role.TRAINABLE),
        WeightSpec("mlp/dense_1/bias", (10,), "float32", Role.TRAINABLE),
    )
)
SPEC = DataSpec("digits", (8, 8, 1), "uint8", (0.0, 16.0), tuple("0123456789"))


def mutated(data: bytes, rng: random.Random, mutate: Mutate) -> bytes:
    """A change in header, metadata or arrays."""
    return mutated_tensors(data, rng, mutate, "ecavg")


def lay(place: Path, data: bytes) -> None:
    """One file, under the names that readers take it by."""
    for name in ("update", "pooled", EDGE):
        (place / f"{name}.safetensors").write_bytes(data)


def as_update(place: Path) -> None:
    """The server takes it into a run directory, or refuses the edge."""
    _collected(place, Reply(EDGE, ROUND, place / "update.safetensors", None, None, {}))


def as_upload(place: Path) -> None:
    """The server takes the pooled data beside a sound update, or refuses the edge."""
    (place / "update.safetensors").write_bytes(SOUND)
    update, pooled = (place / f"{name}.safetensors" for name in ("update", "pooled"))
    _collected(place, Reply(EDGE, ROUND, update, pooled, None, {}))


def _collected(place: Path, reply: Reply) -> None:
    """One edge's files never stop the round: nothing is raised."""
    base = [np.zeros(spec.shape, spec.dtype) for spec in TEMPLATE.weights]
    try:
        taken = collect(
            [reply],
            TEMPLATE,
            SPEC,
            round_number=ROUND,
            updates_folder=place / "updates",
            pooled_folder=place / "pooled",
            config=ServerConfig(),
            base=base,
        )
    except Exception as error:
        raise AssertionError("one edge's file stops the round") from error
    for update in taken.updates:
        size_of(update, TEMPLATE, base)


def as_pooled(place: Path) -> None:
    """What a run directory holds of an edge's data."""
    count_pooled(place, EDGE)
    read_all_pooled(place, (EDGE,), SPEC)


def as_checkpoint(place: Path) -> None:
    """The state of a fit."""
    arrays = tuple(np.zeros(spec.shape, spec.dtype) for spec in TEMPLATE.weights)
    checkpoint = Checkpoint(place / "update.safetensors")
    checkpoint.load(checkpoint.key() or "", State(arrays, (), 0.0))


def as_accepted(place: Path) -> None:
    """The model that an edge deploys."""
    read_accepted(place / "update.safetensors")


READERS = (as_update, as_upload, as_pooled, as_checkpoint, as_accepted)
