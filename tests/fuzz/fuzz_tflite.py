"""What is read of a ``.tflite`` file without running it. (LiteRT runs files in a child process.)"""

import random
from pathlib import Path

from fuzz_mutations import Mutate, mutated_json, mutated_words, mutated_zip, unzipped

from export.reading.flatmodel import read_flatmodel
from export.reading.metadata import read_description

NAME = "file.tflite"


def mutated(data: bytes, rng: random.Random, mutate: Mutate) -> bytes:
    """An offset or a number of the flatbuffer changed, or the description at its end."""
    begin = data.find(b"PK\x03\x04")
    if begin < 0 or rng.randrange(4):
        return mutated_words(data, rng, mutate)
    members = unzipped(data[begin:])  # offsets in a zip count from where it begins

    def change(name: str, content: bytes) -> bytes:
        return mutated_json(content, rng) if name.endswith(".json") else mutate(content)

    return data[:begin] + mutated_zip(data[begin:] if members else data, rng, mutate, change)


def lay(place: Path, data: bytes) -> None:
    """The file."""
    (place / NAME).write_bytes(data)


def as_flatbuffer(place: Path) -> None:
    """Its operators, costs and tensors."""
    read_flatmodel((place / NAME).read_bytes())


def as_described(place: Path) -> None:
    """The description at its end."""
    read_description((place / NAME).read_bytes())


READERS = (as_flatbuffer, as_described)
