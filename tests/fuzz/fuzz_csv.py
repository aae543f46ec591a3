"""Tables in CSV files, as training, devices and predictions read them."""

import random
from pathlib import Path

from fuzz_mutations import Mutate, mutated_table

from ecavg_tf.core.messages.inputs import Inputs
from ecavg_tf.data.keyed import sources_by_key
from ecavg_tf.data.owned import OwnedData
from ecavg_tf.data.tables import TableSource, keyed_arrays, load_tables
from edge.device.local_data import load_local
from edge.predicting.inputs import Wanted, load_inputs

NAME = "data.csv"
COLUMNS = ("p0", "p1", "p2", "p3")
TASK = Inputs("table", (4,), "float32", (0.0, 16.0), tuple("0123456789"), columns=COLUMNS)


def mutated(data: bytes, rng: random.Random, mutate: Mutate) -> bytes:
    """A cell, a row or a column changed."""
    return mutate(data) if rng.randrange(4) == 0 else mutated_table(data, rng, mutate)


def lay(place: Path, data: bytes) -> None:
    """The file."""
    (place / NAME).write_bytes(data)


def as_data_set(place: Path) -> None:
    """``ecavg run`` deals it out."""
    load_tables(place / NAME)


def as_edge(place: Path) -> None:
    """It is one edge's data."""
    data = OwnedData("fuzz", {"edge-00": TableSource({"train": place / NAME})}, 0.2, 0)
    data.edge("edge-00")


def as_keyed(place: Path) -> None:
    """A column names the edge of each example."""
    sources_by_key(NAME, "edge", keyed_arrays(place / NAME, "label", "edge"))


def as_device(place: Path) -> None:
    """A device trains with it."""
    load_local(place / NAME, TASK, edge="edge-00", guard_fraction=0.2, seed=0)


def as_inputs(place: Path) -> None:
    """A device predicts it."""
    wanted = Wanted((4,), "float32", (0.0, 16.0), columns=COLUMNS)
    for _ in load_inputs([str(place / NAME)], wanted):
        pass


READERS = (as_data_set, as_edge, as_keyed, as_device, as_inputs)
