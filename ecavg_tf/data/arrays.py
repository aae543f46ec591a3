"""Arrays that users bring: an ``.npz`` file, or a function of their own."""

from pathlib import Path
from typing import Any

import numpy as np

from ecavg_tf.core.errors import DataError
from ecavg_tf.core.numpy_files import read_arrays
from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import Dataset, DataSpec, Examples
from ecavg_tf.plugins import load_function

_SPLITS = ("x_train", "y_train", "x_test", "y_test")


def load_npz(path: Path) -> Dataset:
    """Loads ``x_train``, ``y_train``, ``x_test``, ``y_test``, as Keras' own files name them.

    Optional: ``classes`` (names) and ``value_range`` (lowest, highest). Pickled
    objects are refused.

    Raises:
        DataError: the file is missing or not such a file.
    """
    if not path.is_file():
        raise DataError(f"data.name: file {str(path)!r} is not there")
    found = read_arrays(path)
    missing = [name for name in _SPLITS if name not in found]
    if missing:
        raise DataError(
            f"{path} has no array {missing[0]!r}; it needs {', '.join(_SPLITS)} "
            f"and has {', '.join(sorted(found)) or 'none'}"
        )
    x_train, y_train, x_test, y_test = (found[name] for name in _SPLITS)
    classes = found.get("classes")
    limits = found.get("value_range")
    if classes is not None and classes.ndim != 1:
        raise DataError(
            f"{path}: classes have shape {classes.shape}, expected (number of classes,)"
        )
    if limits is not None and limits.shape != (2,):
        raise DataError(f"{path}: value_range has shape {limits.shape}, expected (2,)")
    return dataset_from_arrays(
        path.stem,
        (x_train, y_train),
        (x_test, y_test),
        classes=None if classes is None else tuple(str(name) for name in classes.tolist()),
        value_range=None if limits is None else (float(limits[0]), float(limits[1])),
    )


def load_from_function(name: str) -> Dataset:
    """Calls a user's ``pkg.module:function``.

    It takes no arguments and returns a ``Dataset``, or ``(x_train, y_train), (x_test,
    y_test)`` as the functions of ``keras.datasets`` do.

    Raises:
        ConfigError: the function is not there.
        DataError: it fails, or returns something else.
    """
    function = load_function("data.name", name)
    try:
        given = function()
    except Exception as error:  # whatever the user's function raises
        raise DataError(f"data.name={name!r} fails: {type(error).__name__}: {error}") from error
    if isinstance(given, Dataset):
        return given
    try:
        (x_train, y_train), (x_test, y_test) = given
    except (TypeError, ValueError) as error:
        raise DataError(
            f"data.name={name!r} returned {type(given).__name__}; expected an ecavg_tf.Dataset "
            "or ((x_train, y_train), (x_test, y_test))"
        ) from error
    return dataset_from_arrays(name.partition(":")[2], (x_train, y_train), (x_test, y_test))


def dataset_from_arrays(
    name: str,
    train: tuple[Any, Any],
    test: tuple[Any, Any],
    *,
    classes: tuple[str, ...] | None = None,
    value_range: tuple[float, float] | None = None,
) -> Dataset:
    """Makes a data set of arrays.

    Args:
        name: what to call it.
        train: (images, labels); images of shape (n, height, width) or (n, height,
            width, channels), labels of shape (n,) or (n, 1), whole numbers from 0.
        test: likewise.
        classes: names of the classes; None: their numbers.
        value_range: lowest and highest value of an image; None: (0, 255) for uint8,
            (0, 1) for floats.

    Raises:
        DataError: arrays of another kind.
    """
    train_examples, test_examples = _examples("train", *train), _examples("test", *test)
    images = train_examples.images
    if value_range is None:
        value_range = _default_range(images.dtype)
    if classes is None:
        highest = max(_highest(train_examples), _highest(test_examples))
        classes = tuple(str(label) for label in range(highest + 1))
    height, width, channels = images.shape[1:]
    spec = DataSpec(name, (height, width, channels), images.dtype.name, value_range, classes)
    return Dataset(spec, train_examples, test_examples)


def _default_range(dtype: np.dtype[Any]) -> tuple[float, float]:
    if np.issubdtype(dtype, np.floating):
        return (0.0, 1.0)
    if dtype == np.uint8:
        return (0.0, 255.0)
    raise DataError(f"images of dtype {dtype}: give a value_range, or use uint8 or float32")


def _examples(split: str, images: Any, labels: Any) -> Examples:
    images, labels = np.asarray(images), np.asarray(labels)
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.ndim != 4 or images.dtype == object:
        raise DataError(
            f"{split} images have shape {images.shape} and dtype {images.dtype}; expected "
            "(n, height, width) or (n, height, width, channels), all of one size"
        )
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if not np.issubdtype(labels.dtype, np.integer) or labels.ndim != 1:
        raise DataError(
            f"{split} labels have shape {labels.shape} and dtype {labels.dtype}; expected whole "
            "numbers of shape (n,)"
        )
    return Examples(_native(images), labels.astype(np.int64))


def _native(images: Array) -> Array:
    """float64 is what numpy makes by itself; nobody's camera gives it."""
    return images.astype(np.float32) if images.dtype == np.float64 else images


def _highest(examples: Examples) -> int:
    return int(examples.labels.max()) if len(examples) else -1
