"""What a microcontroller printed, and ``head.json``, as a host reads them."""

import json
import random
from pathlib import Path

from fuzz_mutations import Mutate, mutated_table
from fuzz_update import TEMPLATE

from ecavg_tf.core.bundles.micro_head import HEAD_JSON, MicroHead, read_micro_head
from edge.micro.bridge import read_lines
from edge.micro.command import read_printed

LINES = "lines.txt"
HEAD = MicroHead(tuple("0123456789"), TEMPLATE, (2, 3), "0123456789abcdef" * 4, {"edge": None})


def mutated(data: bytes, rng: random.Random, mutate: Mutate) -> bytes:
    """A change of bytes, or of whole lines."""
    return mutate(data) if rng.randrange(2) == 0 else mutated_table(data, rng, mutate)


def lay(place: Path, data: bytes) -> None:
    """One file, under both names."""
    for name in (LINES, HEAD_JSON):
        (place / name).write_bytes(data)


def as_lines(place: Path) -> None:
    """Weights that the device sends."""
    head = read_lines(read_printed(str(place / LINES)), HEAD)
    assert head.kernel.shape == (4, 10)


def as_head(place: Path) -> None:
    """What the host knows of the device."""
    json.dumps(read_micro_head(place / HEAD_JSON).expected.class_counts)


READERS = (as_lines, as_head)
