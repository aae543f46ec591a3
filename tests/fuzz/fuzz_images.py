"""Folders of images by class, as training and devices read them."""

import random
from pathlib import Path

from fuzz_mutations import Mutate, mutated_png
from fuzz_trees import lay_out, mutated_tree, unpacked

from ecavg_tf.data.edge_sources import FolderSource, is_folder_of_edges, sources_in
from ecavg_tf.data.image_folder import load
from edge.predicting.inputs import Wanted, load_inputs


def mutated(data: bytes, rng: random.Random, mutate: Mutate) -> bytes:
    """A picture changed, or a file of another kind in its place."""
    return mutated_tree(data, rng, lambda _, content: mutated_png(content, rng, mutate))


def lay(place: Path, data: bytes) -> None:
    """The folder."""
    lay_out(place / "images", unpacked(data))


def as_data_set(place: Path) -> None:
    """``ecavg run`` deals it out."""
    load(place / "images", 0, 0)


def as_edges(place: Path) -> None:
    """Each folder in it is an edge's."""
    if not is_folder_of_edges(place / "images"):
        return
    for source in sources_in(place / "images", 0, 1).values():
        for name in sorted(source.names):
            source.read(name)
            if isinstance(source, FolderSource) and name.startswith("x_"):
                source.header(name)


def as_inputs(place: Path) -> None:
    """A device predicts them."""
    for _ in load_inputs([str(place / "images")], Wanted((8, 8, 1), "uint8", (0.0, 16.0))):
        pass


READERS = (as_data_set, as_edges, as_inputs)
