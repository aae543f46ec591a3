"""Checks users' labels: whole numbers from 0, else an error that says how to make them so."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.errors import DataError
from ecavg_tf.core.template import Array
from ecavg_tf.data.containers import LABELS, check_dense
from ecavg_tf.data.dataset import DataSpec, Examples

_WANTED = "expected whole numbers of shape (n,)"
RENUMBER = "names, labels = numpy.unique(labels, return_inverse=True) over train and test together"
_MOST_SHOWN = 8
_SUM = 1e-3  # how far the sum of shares may be from 1
MOST_CLASSES = 100_000  # without names: each number becomes a name


def whole_numbers(where: str, given: Any) -> NDArray[np.int64]:
    """Labels of shape (n,) or (n, 1) as int64 of shape (n,).

    Args:
        where: whose labels they are, for an error.
        given: an array, or what numpy makes one of.

    Raises:
        DataError: they are of another kind; the line says how to convert them.
    """
    check_dense(where, LABELS, given)
    try:
        labels = np.asarray(given)
    except ValueError as error:  # rows of different lengths
        raise DataError(f"{where}: labels are rows of different lengths; {_WANTED}") from error
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise DataError(
            f"{where}: labels have shape {labels.shape} and dtype {labels.dtype}; {_cure(labels)}"
        )
    if labels.size and labels.max() > np.iinfo(np.int64).max:
        raise DataError(
            f"{where}: labels go up to {labels.max()}; number the classes from 0: {RENUMBER}"
        )
    return labels.astype(np.int64)


def native_labels(where: str, given: Any) -> Array:
    """Labels that are names or numbers: texts of shape (n,), or as ``whole_numbers`` gives them.

    Raises:
        DataError: they are of another kind.
    """
    check_dense(where, LABELS, given)
    try:
        labels = np.asarray(given)
    except ValueError:
        return whole_numbers(where, given)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim > 0 and len(labels) == 0:
        return whole_numbers(where, np.zeros(0, np.int64))
    if labels.ndim != 1 or _kind(labels) not in "US":
        return whole_numbers(where, given)
    try:
        return np.asarray(
            [
                label.decode() if isinstance(label, bytes) else str(label)
                for label in labels.tolist()
            ]
        )
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: labels are bytes that are no UTF-8; give texts") from error


def _cure(labels: Array) -> str:
    """How to make labels of such an array."""
    kind = _kind(labels)
    if labels.ndim == 2 and labels.shape[0] == 1:
        return f"{_WANTED}: labels.ravel() makes that of one row"
    if labels.ndim == 2 and kind in "iufb" and _name_one_class(labels):
        return f"{_WANTED}: labels.argmax(axis=1) makes numbers of one-hot rows"
    if labels.ndim == 2 and kind in "iufb":
        return (
            f"{_WANTED}: an example is of one class, and rows with several classes, shares or "
            "measurements name none"
        )
    if labels.ndim != 1:
        return f"{_WANTED}, one a picture"
    if kind in "US":
        return f"{_WANTED}: {RENUMBER}, and give the names as classes"
    if kind == "b" or (kind == "f" and np.all(labels == np.round(labels))):
        return f"{_WANTED}: labels.astype('int64') converts these"
    if kind == "f":
        return f"{_WANTED}; fractions and missing values name no class"
    return f"{_WANTED}; missing values and kinds that are mixed name no class"


def _name_one_class(rows: Array) -> bool:
    """Whether each row is shares of classes of which one has most, as in one-hot rows, smoothed."""
    shares = rows.astype(np.float64)
    sums = np.abs(shares.sum(axis=1) - 1.0)
    return bool((shares >= 0).all() and (sums < _SUM).all() and (shares.max(axis=1) > 0.5).all())


def _kind(labels: Array) -> str:
    """The letter of their dtype; that of Python objects, as in a table's column, by their types."""
    if labels.dtype.kind != "O":
        return labels.dtype.kind
    kinds = {str: "U", bytes: "S", bool: "b", int: "b"}
    found = {kinds.get(type(label), "O") for label in labels.flat}
    return found.pop() if len(found) == 1 else "O"


def numbered_classes(name: str, train: Examples, test: Examples) -> tuple[str, ...]:
    """The classes of labels that came without names: their numbers, up to the highest.

    Raises:
        DataError: so few of them have examples that the labels are ids, not class numbers.
    """
    present = np.union1d(train.labels, test.labels)
    count = int(present[-1]) + 1 if len(present) else 0
    if count > 10 * len(present):
        raise DataError(
            f"data set {name!r}: labels go up to {count - 1}, but all classes except "
            f"{_shown([str(label) for label in present])} have no example; number the classes "
            f"from 0 ({RENUMBER}), leave out examples that are labelled as unknown, or give the "
            "names of all classes"
        )
    return numbers_as_names(f"data set {name!r}", count - 1)


def numbers_as_names(where: str, highest: int) -> tuple[str, ...]:
    """The names of classes that have none: their numbers, from 0 to the highest.

    Args:
        where: whose labels they are, for an error.
        highest: the highest label.

    Raises:
        DataError: no task has so many classes; the labels are ids.
    """
    if highest >= MOST_CLASSES:
        raise DataError(
            f"{where}: labels go up to {highest}, at most {MOST_CLASSES} classes without names are "
            f"read; number the classes from 0: {RENUMBER}"
        )
    return tuple(str(label) for label in range(highest + 1))


def classes_without_examples(spec: DataSpec, train: Examples) -> str | None:
    """A line on the classes that nothing can be learnt of; None: all have examples."""
    missing = np.flatnonzero(np.bincount(train.labels, minlength=spec.num_classes) == 0)
    if not len(missing):
        return None
    cure = "; if labels begin at 1, subtract 1" if missing.tolist() == [0] else ""
    return (
        f"data set {spec.name!r}: {len(missing)} of {spec.num_classes} classes have no training "
        f"example: {_shown([spec.classes[label] for label in missing])}{cure}"
    )


def _shown(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
    return ", ".join(names[:_MOST_SHOWN]) + more
