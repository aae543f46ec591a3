"""What an earlier export left in a folder: found again where it is still what it was."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ecavg_tf.core.errors import WorkdirError
from ecavg_tf.core.exports import Exported
from ecavg_tf.core.files import file_sha256, read_json, write_json
from ecavg_tf.core.template import Array
from ecavg_tf.results import exports_from_json, to_json
from export.formats import Variant

RECORD = "export.json"
FAILED = ".failed-gate.tflite"
_SAME = 1e-4  # of a probability: float sums in another order differ by less


def write_record(folder: Path, key: str, answers: Array, rows: Iterable[Exported]) -> None:
    """Writes what was made.

    Args:
        folder: where the files are.
        key: what they depend on, hashed.
        answers: the Keras model's probabilities of a few images, shape (k, classes).
        rows: an entry a file.
    """
    files = to_json(tuple(rows))
    write_json(folder / RECORD, {"key": key, "answers": _listed(answers), "files": files})


def recorded(folder: Path, key: str, answers: Array) -> dict[str, Exported]:
    """The files made before of the same model that are still what they were, by variant.

    Another function of the same weights (an activation, a layer without weights) has the
    same key and other answers.

    Args:
        folder: where the files are.
        key: what they depend on, hashed.
        answers: the Keras model's probabilities of the same images.
    """
    if not (folder / RECORD).exists():
        return {}
    try:
        record = read_json(folder / RECORD)
        if record["key"] != key or not _same(record["answers"], answers):
            return {}
        rows = exports_from_json(record["files"])
        return {row.variant: row for row in rows if intact(folder.parent, row)}
    except (WorkdirError, KeyError, TypeError, ValueError):
        return {}  # made again


def intact(folder: Path, row: Exported) -> bool:
    """Whether a row's files lie in the export folder as they were made."""
    if row.file is None:
        return True
    files = [(folder / row.file, row.sha256)]
    if row.bundle is not None:
        files.append((folder / row.bundle, row.bundle_sha256))
    return all(file.exists() and file_sha256(file) == sha256 for file, sha256 in files)


def remove(folder: Path, variant: Variant) -> None:
    """What an earlier export left of this file: a refused file must not look delivered."""
    for ending in (".tflite", FAILED, ".bundle.zip", ".bundle.zip.sig"):
        (folder / (variant.value + ending)).unlink(missing_ok=True)


def _listed(answers: Array) -> list[list[float]]:
    """JSON has no NaN; a model that answers it fails the gate in any case."""
    rows: list[list[float]] = np.nan_to_num(np.asarray(answers, np.float64)).tolist()
    return rows


def _same(stored: list[list[float]], answers: Array) -> bool:
    before, now = np.asarray(stored, np.float64), np.asarray(_listed(answers))
    return before.shape == now.shape and bool(np.all(np.abs(before - now) <= _SAME))
