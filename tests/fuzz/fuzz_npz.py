"""Arrays in ``.npz`` and ``.npy`` files, as training, devices and predictions read them."""

import random
from pathlib import Path

from fuzz_mutations import Mutate, mutated_npy, mutated_zip

from ecavg_tf.core.messages.inputs import Inputs
from ecavg_tf.core.numpy_files import read_arrays
from ecavg_tf.data.arrays import load_npz
from ecavg_tf.data.edge_arrays import NpzSource
from ecavg_tf.data.keyed import sources_by_key
from ecavg_tf.data.owned import OwnedData
from edge.device.local_data import load_local
from edge.predicting.inputs import Wanted, load_inputs

NAME = "data.npz"
TASK = Inputs("digits", (8, 8), "uint8", (0.0, 16.0), tuple("0123456789"))


def mutated(data: bytes, rng: random.Random, mutate: Mutate) -> bytes:
    """An array's header or values changed, checksums right."""
    if not data.startswith(b"PK"):
        return mutated_npy(data, rng, mutate)
    return mutated_zip(data, rng, mutate, lambda _, content: mutated_npy(content, rng, mutate))


def lay(place: Path, data: bytes) -> None:
    """The file."""
    (place / NAME).write_bytes(data)


def as_data_set(place: Path) -> None:
    """``ecavg run`` deals it out."""
    load_npz(place / NAME)


def as_edge(place: Path) -> None:
    """It is one edge's data."""
    data = OwnedData("fuzz", {"edge-00": NpzSource(place / NAME)}, 0.2, 0)
    data.edge("edge-00")
    data.own_test("edge-00")


def as_keyed(place: Path) -> None:
    """It names the edge of each example."""
    sources_by_key(NAME, "edge", read_arrays(place / NAME))


def as_device(place: Path) -> None:
    """A device trains with it."""
    load_local(place / NAME, TASK, edge="edge-00", guard_fraction=0.2, seed=0)


def as_inputs(place: Path) -> None:
    """A device predicts it."""
    for _ in load_inputs([str(place / NAME)], Wanted((8, 8), "uint8", (0.0, 16.0))):
        pass


READERS = (as_data_set, as_edge, as_keyed, as_device, as_inputs)
