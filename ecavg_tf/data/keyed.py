"""Data that says itself which edge an example belongs to (``partition.kind=key``)."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ecavg_tf.core.errors import DataError
from ecavg_tf.core.numpy_files import decoded
from ecavg_tf.core.template import Array
from ecavg_tf.data.edge_arrays import TEST, ArraySource, EdgeSource
from ecavg_tf.data.edge_sources import check_edge_names
from ecavg_tf.data.labels import native_labels


def sources_by_key(name: str, key: str, arrays: Mapping[str, Any]) -> dict[str, EdgeSource]:
    """Deals arrays out by an array with the name of each example's edge.

    Args:
        name: the data set, for errors.
        key: the array's name; ``KEY_test`` are those of test examples, if it is there: an
            edge's test examples are its own test set then.
        arrays: as an ``.npz`` file may have them.

    Returns:
        The edges' data by name; ``test`` is the global test set, if there is one.

    Raises:
        DataError: there is no such array, or not one name an example.
    """
    missing = [each for each in ("x_train", "y_train") if each not in arrays]
    if missing:
        raise DataError(f"{name} has no array {missing[0]!r}; it has {', '.join(sorted(arrays))}")
    if key not in arrays:
        raise DataError(
            f"{name} has no array {key!r} (partition.key) with the name of each training example's "
            f"edge; it has {', '.join(sorted(arrays)) or 'none'}"
        )
    owners = {"train": _owners(name, key, arrays, "train")}
    if f"{key}_test" in arrays:
        owners["test"] = _owners(name, f"{key}_test", arrays, "test")
    by_split = {
        "train": ("x_train", "y_train", "group"),
        "test": ("x_test", "y_test", "group_test"),
    }
    shared = {
        each: arrays[each] for each in ("classes", "value_range", "columns") if each in arrays
    }
    found: dict[str, EdgeSource] = {}
    for edge in sorted(set(owners["train"].tolist())):
        mine = dict(shared)
        for split, held in owners.items():
            rows = np.flatnonzero(held == edge)
            parts = [each for each in by_split[split] if each in arrays and len(rows)]
            mine |= {each: _one_each(name, each, arrays[each], len(held))[rows] for each in parts}
        found[edge] = ArraySource(mine)
    check_edge_names(list(found))
    test = {each: arrays[each] for each in ("x_test", "y_test") if each in arrays}
    if test:
        found[TEST] = ArraySource(test | shared)
    return found


def _one_each(name: str, each: str, given: Any, count: int) -> Array:
    """An array that must have one entry an example."""
    array = np.asarray(given)
    if array.shape[:1] != (count,):
        raise DataError(
            f"{name}: {each} has shape {array.shape}, expected one entry for each of {count} "
            "examples"
        )
    return array


def _owners(name: str, key: str, arrays: Mapping[str, Any], split: str) -> Array:
    labels = native_labels(f"{name}, {split}", arrays.get(f"y_{split}", ()))
    owners = np.asarray(arrays[key])
    if owners.shape != labels.shape[:1] or owners.dtype.kind not in "iuUS":
        raise DataError(
            f"{name}: {key} has shape {owners.shape} and dtype {owners.dtype}, expected the name "
            f"or number of an edge for each of the {len(labels)} examples of y_{split}"
        )
    return decoded(f"{name}: {key}", owners).astype(np.str_)
