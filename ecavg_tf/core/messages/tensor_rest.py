"""A file of tensors that leaves out what an older file beside it holds to the bit.

An edge that keeps its own model would else store it twice: as its update and as what it accepted.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ecavg_tf.core.messages.update_file import TensorFile, save_tensors
from ecavg_tf.core.template import Array

REST = "rest"  # in the metadata: the name of the file that holds what is left out
KEYS = "keys"  # all keys, in order


def save_without(
    path: Path, named: Mapping[str, Array], metadata: Mapping[str, Any], older: Path | None
) -> None:
    """Writes tensors but those that ``older``, which lies in the same folder, holds already.

    Args:
        path: where to.
        named: arrays by key.
        metadata: JSON beside them.
        older: a file that is never changed; None, or one that can't be read: all are written.
    """
    said = {**metadata, KEYS: list(named)}
    held = _held(named, older)
    if held and older is not None:
        said[REST] = older.name
    save_tensors(path, {key: named[key] for key in named if key not in held}, said)


def _held(named: Mapping[str, Array], older: Path | None) -> set[str]:
    try:
        found = None if older is None else TensorFile(older)
        if found is None:
            return set()
        return {key for key in found.keys & named.keys() if _same(found[key], named[key])}
    except ValueError:
        return set()


def _same(one: Array, other: Array) -> bool:
    same_kind = one.dtype == other.dtype and one.shape == other.shape
    return same_kind and np.asarray(one).tobytes() == np.asarray(other).tobytes()


def read_whole(path: Path) -> tuple[dict[str, Any], dict[str, Array]]:
    """The metadata and all arrays of a file, in the order in which they were given.

    Raises:
        ValueError: it, or the file with the rest, is missing or damaged.
    """
    stored = TensorFile(path)
    named = {key: stored[key] for key in stored.keys}
    if (rest := stored.metadata.get(REST)) is not None:
        other = TensorFile(path.with_name(Path(str(rest)).name))
        named |= {key: other[key] for key in other.keys - stored.keys}
    order = stored.metadata.get(KEYS, list(named))
    if not isinstance(order, list) or not set(order) <= named.keys():
        raise ValueError(f"{path.name} lacks arrays that it names")
    return stored.metadata, {key: named[key] for key in order}
