"""A device's own labelled images, from an ``.npz`` file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.bundles.training_bundle import TrainingInfo
from ecavg_tf.core.errors import DataError
from ecavg_tf.core.numpy_files import read_arrays
from ecavg_tf.core.paths import user_path
from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import EdgeData, Examples, split_off_guard
from ecavg_tf.data.groups import group_names
from ecavg_tf.data.labels import whole_numbers
from edge.predict import as_batch, check_images, maybe_rescaled

_SPLITS = ("train", "guard", "test")


@dataclass(frozen=True)
class LocalData:
    """What a device has.

    Attributes:
        edge: examples to train on, and those it holds out to decide with.
        test: examples to score with, used for nothing else; None: there are none.
        note: what looks odd about them; None: nothing.
    """

    edge: EdgeData
    test: Examples | None
    note: str | None = None


def load_local(
    path: str | Path, info: TrainingInfo, *, edge: str, guard_fraction: float, seed: int
) -> LocalData:
    """Reads ``x_train`` and ``y_train``, and ``guard`` and ``test`` alike where they are.

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
    arrays = read_arrays(path)
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
    note = maybe_rescaled(float(data.train.images.max()), info.value_range)
    return LocalData(data, parts["test"], note)


def _examples(
    path: Path, arrays: dict[str, Array], split: str, info: TrainingInfo
) -> Examples | None:
    images, labels = arrays.get(f"x_{split}"), arrays.get(f"y_{split}")
    if images is None and labels is None:
        return None
    if images is None or labels is None:
        raise DataError(f"{path} has one of x_{split} and y_{split}; give both")
    images = as_batch(images, info.image_shape)
    check_images(images, info.image_shape, info.value_range, f"{path}: x_{split}")
    if images.dtype.name != info.images_dtype:
        converted = images.astype(info.images_dtype)
        if np.issubdtype(converted.dtype, np.integer) and np.any(converted != images):
            raise DataError(
                f"{path}: x_{split} holds fractions, the model was made for whole numbers from "
                f"{info.value_range[0]:g} to {info.value_range[1]:g}; don't rescale images"
            )
        images = converted
    return Examples(images, _labels(path, labels, split, len(images), len(info.classes)))


def _labels(path: Path, labels: Array, split: str, count: int, classes: int) -> NDArray[np.int64]:
    labels = whole_numbers(f"{path}, y_{split}", labels)
    if len(labels) != count:
        raise DataError(f"{path}: x_{split} has {count} images, y_{split} {len(labels)} labels")
    if count and (labels.min() < 0 or labels.max() >= classes):
        raise DataError(
            f"{path}: y_{split} holds labels from {labels.min()} to {labels.max()}, the model has "
            f"the classes 0 to {classes - 1}"
        )
    return labels
