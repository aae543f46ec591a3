"""The files of an earlier export, which are used again if they are unchanged."""

import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import numpy as np

from ecavg_tf.core.errors import ExportError, WorkdirError
from ecavg_tf.core.exports import Exported
from ecavg_tf.core.files import file_sha256, read_json, write_json
from ecavg_tf.core.template import Array
from ecavg_tf.results import exports_from_json, to_json
from export.making.formats import Variant

RECORD = "export.json"
FAILED, UNPROVED = ".failed-gate.tflite", ".unproved.tflite"
SAID = ".converter.txt"  # all that the converter said to a file that it could not make
_BUNDLE = ".bundle.zip"
_ENDINGS = (".tflite", FAILED, UNPROVED, SAID, _BUNDLE, _BUNDLE + ".sig")
_SAME = 1e-4  # of a probability: float sums in another order differ by less


def write_record(
    folder: Path, key: str, answers: Array, rows: Iterable[Exported], names: Iterable[str]
) -> None:
    """Writes what was made, or what is about to be.

    Args:
        folder: where the files are.
        key: what they depend on, hashed.
        answers: the Keras model's probabilities of a few examples, shape (k, classes).
        rows: an entry a file.
        names: the files in the folder that exports made.
    """
    files = to_json(tuple(rows))
    write_json(
        folder / RECORD,
        {"key": key, "answers": _listed(answers), "files": files, "names": sorted(names)},
    )


def unchanged_files(folder: Path, key: str, answers: Array) -> dict[str, Exported]:
    """The unchanged files that an earlier export made of the same model, by variant.

    Another function of the same weights (an activation, a layer without weights) has the
    same key and other answers. A record lies unsigned among the files: it tells nothing of
    files elsewhere, and proves nothing to somebody who signs.

    Args:
        folder: where the files are; its name is the model's.
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
        return {
            row.variant: row
            for row in rows
            if _well_formed(folder.name, row) and intact(folder.parent, row)
        }
    except (WorkdirError, KeyError, TypeError, ValueError):
        return {}  # made again


def earlier_names(folder: Path) -> set[str]:
    """The files in a folder that its record lists as made by exports, of whatever model."""
    if not (folder / RECORD).exists():
        return set()
    try:
        record = read_json(folder / RECORD)
        if "names" in record:
            listed = set(record["names"])
        else:  # of an earlier version
            rows = exports_from_json(record["files"])
            listed = {Path(n).name for row in rows for n in (row.file, row.bundle) if n}
            listed |= {name + ".sig" for name in listed}
    except (WorkdirError, KeyError, TypeError, ValueError):
        return set()
    return {name for name in _all_names() if name in listed}


def file_names(variant: Variant) -> tuple[str, ...]:
    """Every name that an export of this file may write."""
    return tuple(variant.value + ending for ending in _ENDINGS)


def check_nothing_foreign(folder: Path, variants: Iterable[Variant], ours: Collection[str]) -> None:
    """Refuses to write over files that no export made.

    Raises:
        ExportError: names the first.
    """
    for name in (name for variant in variants for name in file_names(variant)):
        if name not in ours and os.path.lexists(folder / name):
            raise ExportError(
                f"{folder / name} is there, and {RECORD} beside it does not list it as made by "
                "an export: move it away, or give another folder with --out"
            )


def _well_formed(model: str, row: Exported) -> bool:
    """Whether a row names the very files that an export of this model makes."""
    if row.model != model or row.variant not in tuple(Variant):
        return False
    if row.status == "skipped":
        return row.file is None and row.bundle is None
    endings = {"passed": [".tflite"], "failed": [FAILED], "undecided": [".tflite", UNPROVED]}
    delivered = row.file == f"{model}/{row.variant}.tflite"
    bundle = f"{model}/{row.variant}{_BUNDLE}" if row.variant != Variant.MASTER else None
    files = [f"{model}/{row.variant}{ending}" for ending in endings.get(row.status, ())]
    return row.file in files and row.bundle == (bundle if delivered else None)


def _all_names() -> Iterator[str]:
    return (name for variant in Variant for name in file_names(variant))


def intact(folder: Path, row: Exported) -> bool:
    """Whether a row's files lie in the export folder as they were made."""
    if row.file is None:
        return True
    files = [(folder / row.file, row.sha256)]
    if row.bundle is not None:
        files.append((folder / row.bundle, row.bundle_sha256))
    return all(file.exists() and file_sha256(file) == sha256 for file, sha256 in files)


def remove(folder: Path, names: Iterable[str]) -> tuple[str, ...]:
    """Removes files of an earlier export, so that none of them looks delivered.

    Returns:
        The names of those that were there.
    """
    there = tuple(name for name in names if os.path.lexists(folder / name))
    for name in there:
        (folder / name).unlink()
    return there


def _listed(answers: Array) -> list[list[float]]:
    """JSON has no NaN; a model that answers it fails the gate in any case."""
    rows: list[list[float]] = np.nan_to_num(np.asarray(answers, np.float64)).tolist()
    return rows


def _same(stored: list[list[float]], answers: Array) -> bool:
    before, now = np.asarray(stored, np.float64), np.asarray(_listed(answers))
    return before.shape == now.shape and bool(np.all(np.abs(before - now) <= _SAME))
