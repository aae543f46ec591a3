"""A device's own labelled examples, from an ``.npz`` file or from tables."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.columns import in_order
from ecavg_tf.core.errors import DataError
from ecavg_tf.core.numpy_files import read_arrays
from ecavg_tf.core.paths import user_path
from ecavg_tf.core.raw_inputs import as_batch, maybe_rescaled
from ecavg_tf.core.table import LABEL
from ecavg_tf.core.template import Array
from ecavg_tf.data.arrays import stored_classes, stored_columns, stored_range
from ecavg_tf.data.dataset import EdgeData, Examples, class_names, split_off_guard
from ecavg_tf.data.groups import check_apart, group_names
from ecavg_tf.data.labels import native_labels, whole_numbers
from ecavg_tf.data.tables import TableSource, arrays_of, parts_of
from edge.predict import check_inputs

_SPLITS = ("train", "guard", "test")


@dataclass(frozen=True)
class LocalData:
    """The labelled examples that a device has.

    Attributes:
        edge: examples to train on, and those it holds out to decide with.
        test: examples to score with, used for nothing else; None: there are none.
        note: what looks odd about them; None: nothing.
    """

    edge: EdgeData
    test: Examples | None
    note: str | None = None


class TakenInputs(Protocol):
    """What a model takes: ``TrainingInfo`` says so, and ``Inputs``."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of one input."""

    @property
    def inputs_dtype(self) -> str:
        """Numpy's name of the native dtype."""

    @property
    def value_range(self) -> tuple[float, float]:
        """Lowest and highest value."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in label order."""

    @property
    def declared(self) -> bool:
        """Whether values outside the range are refused."""

    @property
    def columns(self) -> tuple[str, ...] | None:
        """Names of the inputs; None: they have none."""


def load_local(
    path: str | Path,
    info: TakenInputs,
    *,
    edge: str,
    guard_fraction: float,
    seed: int,
    label_column: str = LABEL,
) -> LocalData:
    """Reads ``x_train`` and ``y_train``, and ``guard`` and ``test`` alike where they are.

    Where the file names its ``classes``, labels are matched to the model's by these names, and
    so are the ``columns`` of a table.

    Args:
        path: an ``.npz`` or ``.csv`` file, or a folder with ``train.csv``.
        info: what the model takes.
        edge: the edge's name.
        guard_fraction: share of the training examples that is held out where the file has
            no guard examples of its own.
        seed: the run's seed.
        label_column: of a table: the name of the column with the labels.

    Raises:
        DataError: a part is missing or does not fit the model.
    """
    path = user_path(path)
    tables = parts_of(path)
    if not tables and path.suffix != ".npz":
        raise DataError(
            f"{path}: expected an .npz file with x_train and y_train, a .csv file with a header, "
            "or a folder with train.csv"
        )
    arrays = arrays_of(TableSource(tables, label_column)) if tables else read_arrays(path)
    return local_of(path, arrays, info, edge=edge, guard_fraction=guard_fraction, seed=seed)


def check_there(path: Path) -> None:
    """An edge may wait for days before it reads its data; a mistyped name shows at once.

    Raises:
        DataError: it is not there.
    """
    if not path.exists():
        raise DataError(f"--data={path} is not there; mend its name")


def local_of(
    path: Path | str,
    arrays: dict[str, Array],
    info: TakenInputs,
    *,
    edge: str,
    guard_fraction: float,
    seed: int,
) -> LocalData:
    """As ``load_local``, of arrays that were read already; ``path``: whence, for errors."""
    _check_range(path, arrays.get("value_range"), info)
    arrays = _matched(path, arrays, info.classes)
    parts = {split: _examples(path, arrays, split, info) for split in _SPLITS}
    train, guard = parts["train"], parts["guard"]
    if train is None:
        names = ", ".join(sorted(arrays)) or "nothing"
        raise DataError(f"{path} holds no x_train and y_train; it has {names}")
    if len(train) == 0:
        raise DataError(f"{path}: x_train is empty; give at least one labelled example")
    groups = _groups(path, arrays, parts)
    check_apart(edge, groups)
    if guard is None:
        data = split_off_guard(edge, train, guard_fraction, seed, groups.get("train"))
    else:
        data = EdgeData(edge, train, guard)
    lowest, highest = float(data.train.inputs.min()), float(data.train.inputs.max())
    said = maybe_rescaled(lowest, highest, info.value_range) if info.declared else None
    return LocalData(data, parts["test"], said and f"note: {said}")


def _groups(
    path: Path | str, arrays: dict[str, Array], parts: dict[str, Examples | None]
) -> dict[str, Array]:
    """The group of each example, by part, of the parts that name groups."""
    found: dict[str, Array] = {}
    for split, examples in parts.items():
        name = "group" if split == "train" else f"group_{split}"
        if examples is not None and name in arrays:
            found[split] = group_names(f"{path}, {name}", arrays[name], len(examples))
    return found


def _matched(
    path: Path | str, arrays: dict[str, Array], classes: tuple[str, ...]
) -> dict[str, Array]:
    """The arrays with the model's labels, where the file has names for its own."""
    arrays = _numbered(path, arrays, classes)
    if "classes" not in arrays:
        return arrays
    try:
        names = class_names(arrays["classes"].tolist())
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: classes can't be read: {error}; save texts") from error
    unknown = [name for name in names if name not in classes]
    if unknown:
        raise DataError(
            f"{path}: class {unknown[0]!r} is none of this run's; valid: {', '.join(classes)}"
        )
    if len(set(names)) < len(names):
        raise DataError(f"{path}: classes hold a name twice; give each class one label")
    theirs = np.array([classes.index(name) for name in names], np.int64)
    matched = dict(arrays)
    for split in _SPLITS:
        if f"y_{split}" in arrays:
            labels = whole_numbers(f"{path}, y_{split}", arrays[f"y_{split}"])
            if len(labels) and not 0 <= labels.min() <= labels.max() < len(names):
                raise DataError(
                    f"{path}: y_{split} holds labels from {labels.min()} to {labels.max()}, its "
                    f"classes are 0 to {len(names) - 1}"
                )
            matched[f"y_{split}"] = theirs[labels]
    return matched


def _numbered(
    path: Path | str, arrays: dict[str, Array], classes: tuple[str, ...]
) -> dict[str, Array]:
    """The arrays with numbers for labels that are names, of the file's or the model's classes."""
    numbered = dict(arrays)
    for split in _SPLITS:
        if (where := f"y_{split}") not in arrays:
            continue
        labels = native_labels(f"{path}, {where}", arrays[where])
        if labels.dtype.kind == "U":
            own = stored_classes(path, arrays.get("classes")) or classes
            number = {name: index for index, name in enumerate(own)}
            unknown = sorted(set(labels.tolist()) - set(number))
            if unknown:
                raise DataError(
                    f"{path}, {where}: unknown class {unknown[0]!r}; valid: {', '.join(number)}"
                )
            numbered[where] = np.array([number[name] for name in labels.tolist()], np.int64)
    return numbered


def _check_range(path: Path | str, stored: Array | None, info: TakenInputs) -> None:
    """What the file says of its own values must be what was declared for the run's model."""
    own = stored_range(path, stored)
    if own is not None and info.declared and own != info.value_range:
        raise DataError(
            f"{path}: value_range is {own[0]:g} to {own[1]:g}, the run's model takes values from "
            f"{info.value_range[0]:g} to {info.value_range[1]:g}; give values in that range"
        )


def _examples(
    path: Path | str, arrays: dict[str, Array], split: str, info: TakenInputs
) -> Examples | None:
    inputs, labels = arrays.get(f"x_{split}"), arrays.get(f"y_{split}")
    if inputs is None and labels is None:
        return None
    if inputs is None or labels is None:
        raise DataError(f"{path} has one of x_{split} and y_{split}; give both")
    columns = stored_columns(path, arrays.get("columns"))
    inputs = in_order(f"{path}: x_{split}", inputs, columns, info.columns)
    inputs = as_batch(inputs, info.input_shape)
    what = f"{path}: x_{split}"
    check_inputs(inputs, info.input_shape, info.value_range, what, declared=info.declared)
    if inputs.dtype.name != info.inputs_dtype:
        converted = inputs.astype(info.inputs_dtype)
        if np.issubdtype(converted.dtype, np.integer) and np.any(converted != inputs):
            raise DataError(
                f"{path}: x_{split} holds fractions, the model was made for whole numbers from "
                f"{info.value_range[0]:g} to {info.value_range[1]:g}; don't rescale inputs"
            )
        inputs = converted
    if len(inputs) == 0 and split != "train":
        raise DataError(
            f"{path}: the {split} set is empty; give at least one example, or leave x_{split} and "
            f"y_{split} out"
        )
    return Examples(inputs, _labels(path, labels, split, len(inputs), len(info.classes)))


def _labels(
    path: Path | str, labels: Array, split: str, count: int, classes: int
) -> NDArray[np.int64]:
    labels = whole_numbers(f"{path}, y_{split}", labels)
    if len(labels) != count:
        raise DataError(f"{path}: x_{split} has {count} examples, y_{split} {len(labels)} labels")
    if count and (labels.min() < 0 or labels.max() >= classes):
        raise DataError(
            f"{path}: y_{split} holds labels from {labels.min()} to {labels.max()}, the model has "
            f"the classes 0 to {classes - 1}; number them so, or give an array classes with the "
            "names of yours, which are matched to the run's"
        )
    return labels
