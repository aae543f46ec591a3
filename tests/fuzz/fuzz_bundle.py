"""Bundles to predict with, as devices and exporters open them."""

import random
from pathlib import Path

from fuzz_mutations import Mutate, mutated_json, mutated_npy, mutated_zip, parts_mended

from ecavg_tf.core.bundles.bundle import read_bundle, write_bundle
from ecavg_tf.core.bundles.training_bundle import is_training_bundle
from edge.device.runtime import Runtime, check_supported

NAME = "file.bundle.zip"
RUNTIME = Runtime("ai-edge-litert", "2.1.0", (2, 20, 0))


def mutated(data: bytes, rng: random.Random, mutate: Mutate) -> bytes:
    """A member changed, and the hashes of the manifest with it."""

    def change(name: str, content: bytes) -> bytes:
        if name.endswith(".json"):
            return mutated_json(content, rng)
        return mutated_npy(content, rng, mutate) if name.endswith(".npy") else mutate(content)

    return mutated_zip(data, rng, mutate, change, parts_mended if rng.randrange(8) else dict)


def lay(place: Path, data: bytes) -> None:
    """The file."""
    (place / NAME).write_bytes(data)


def as_bundle(place: Path) -> None:
    """A device reads it, and what was read can be written again."""
    is_training_bundle(place / NAME)
    bundle = read_bundle(place / NAME)
    write_bundle(place / "again.zip", bundle)
    check_supported(RUNTIME, bundle.info.min_runtime, bundle.info.operators)


READERS = (as_bundle,)
