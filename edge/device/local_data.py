"""A device's own labelled images, from an ``.npz`` file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.errors import DataError
from ecavg_tf.core.numpy_files import read_arrays
from ecavg_tf.core.paths import user_path
from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import EdgeData, Examples, class_names, split_off_guard
from ecavg_tf.data.groups import group_names
from ecavg_tf.data.labels import whole_numbers
from edge.predict import as_batch, check_inputs, maybe_rescaled

_SPLITS = ("train", "guard", "test")


@dataclass(frozen=True)
class LocalData:
    """The labelled images that a device has.

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


def load_local(
    path: str | Path, info: TakenInputs, *, edge: str, guard_fraction: float, seed: int
) -> LocalData:
    """Reads ``x_train`` and ``y_train``, and ``guard`` and ``test`` alike where they are.

    Where the file names its ``classes``, labels are matched to the model's by these names.

    Args:
        path: an ``.npz`` file.
        info: what the model takes.
        edge: the edge's name.
        guard_fraction: share of the training examples that is held out where the file has
            no guard examples of its own.
        seed: the run's seed.

    Raises:
        DataError: a part is missing or does not fit the model.
    """
    path = user_path(path)
    if path.suffix != ".npz":
        raise DataError(f"{path}: expected an .npz file with x_train and y_train")
    return local_of(
        path, read_arrays(path), info, edge=edge, guard_fraction=guard_fraction, seed=seed
    )


def local_of(
    path: Path,
    arrays: dict[str, Array],
    info: TakenInputs,
    *,
    edge: str,
    guard_fraction: float,
    seed: int,
) -> LocalData:
    """As ``load_local``, of arrays that were read from ``path`` already."""
    arrays = _matched(path, arrays, info.classes)
    parts = {split: _examples(path, arrays, split, info) for split in _SPLITS}
    train, guard = parts["train"], parts["guard"]
    if train is None:
        names = ", ".join(sorted(arrays)) or "nothing"
        raise DataError(f"{path} holds no x_train and y_train; it has {names}")
    if len(train) == 0:
        raise DataError(f"{path}: x_train is empty; give at least one labelled image")
    if guard is None:
        groups = arrays.get("group")
        if groups is not None:
            groups = group_names(f"{path}, group", groups, len(train))
        data = split_off_guard(edge, train, guard_fraction, seed, groups)
    else:
        data = EdgeData(edge, train, guard)
    note = maybe_rescaled(float(data.train.inputs.max()), info.value_range)
    return LocalData(data, parts["test"], note)


def _matched(path: Path, arrays: dict[str, Array], classes: tuple[str, ...]) -> dict[str, Array]:
    """The arrays with the model's labels, where the file has names for its own."""
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


def _examples(
    path: Path, arrays: dict[str, Array], split: str, info: TakenInputs
) -> Examples | None:
    inputs, labels = arrays.get(f"x_{split}"), arrays.get(f"y_{split}")
    if inputs is None and labels is None:
        return None
    if inputs is None or labels is None:
        raise DataError(f"{path} has one of x_{split} and y_{split}; give both")
    inputs = as_batch(inputs, info.input_shape)
    check_inputs(inputs, info.input_shape, info.value_range, f"{path}: x_{split}")
    if inputs.dtype.name != info.inputs_dtype:
        converted = inputs.astype(info.inputs_dtype)
        if np.issubdtype(converted.dtype, np.integer) and np.any(converted != inputs):
            raise DataError(
                f"{path}: x_{split} holds fractions, the model was made for whole numbers from "
                f"{info.value_range[0]:g} to {info.value_range[1]:g}; don't rescale images"
            )
        inputs = converted
    return Examples(inputs, _labels(path, labels, split, len(inputs), len(info.classes)))


def _labels(path: Path, labels: Array, split: str, count: int, classes: int) -> NDArray[np.int64]:
    labels = whole_numbers(f"{path}, y_{split}", labels)
    if len(labels) != count:
        raise DataError(f"{path}: x_{split} has {count} examples, y_{split} {len(labels)} labels")
    if count and (labels.min() < 0 or labels.max() >= classes):
        raise DataError(
            f"{path}: y_{split} holds labels from {labels.min()} to {labels.max()}, the model has "
            f"the classes 0 to {classes - 1}"
        )
    return labels
