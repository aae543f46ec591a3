"""Arrays that users give: an ``.npz`` file, or a function of their own."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ecavg_tf.core.columns import fault_of
from ecavg_tf.core.errors import DataError, ECAvgError, brief
from ecavg_tf.core.numpy_files import read_arrays
from ecavg_tf.core.table import LONGEST_TEXT
from ecavg_tf.core.template import Array
from ecavg_tf.data.checks import numbers
from ecavg_tf.data.dataset import Dataset, DataSpec, Examples, class_names
from ecavg_tf.data.labels import numbered_classes, whole_numbers
from ecavg_tf.data.ranges import known_range, measured_range
from ecavg_tf.plugins import load_function

_SPLITS = ("x_train", "y_train", "x_test", "y_test")
_OPTIONAL = ("classes", "value_range", "columns")
_MOST_CHANNELS = 32  # of a signal


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
    made = dataset_from_arrays(
        path.stem,
        (x_train, y_train),
        (x_test, y_test),
        classes=stored_classes(path, found.get("classes")),
        value_range=stored_range(path, found.get("value_range")),
    )
    columns = stored_columns(path, found.get("columns"))
    return replace(made, spec=replace(made.spec, columns=columns), notes=_not_read(path, found))


def stored_classes(path: Path | str, stored: Array | None) -> tuple[str, ...] | None:
    """The array ``classes`` of a file as names; None: there is none.

    Raises:
        DataError: it holds no names.
    """
    if stored is None:
        return None
    if stored.ndim != 1 or stored.dtype.kind not in "USiu":
        raise DataError(
            f"{path}: classes have shape {stored.shape} and dtype {stored.dtype}, expected names "
            "of shape (number of classes,)"
        )
    try:
        return class_names(stored.tolist())
    except Exception as error:  # a hostile file may hold what is no text
        raise DataError(f"{path}: classes can't be read: {brief(error)}; save texts") from error


def stored_columns(path: Path | str, stored: Array | None) -> tuple[str, ...] | None:
    """The array ``columns`` of a file as names of its inputs; None: there is none.

    Raises:
        DataError: it holds no names.
    """
    if stored is None:
        return None
    if stored.ndim != 1 or stored.dtype.kind != "U" or not len(stored):
        raise DataError(
            f"{path}: columns have shape {stored.shape} and dtype {stored.dtype}, expected the "
            "inputs' names as texts of shape (number of inputs,)"
        )
    names = tuple(str(name) for name in stored.tolist())
    if fault := fault_of(names, LONGEST_TEXT):
        raise DataError(f"{path}: {fault}")
    return names


def stored_range(path: Path | str, stored: Array | None) -> tuple[float, float] | None:
    """The array ``value_range`` of a file; None: there is none.

    Raises:
        DataError: it is not two numbers.
    """
    if stored is None:
        return None
    if stored.shape != (2,) or stored.dtype.kind not in "iufb":
        raise DataError(
            f"{path}: value_range has shape {stored.shape} and dtype {stored.dtype}, expected two "
            "numbers"
        )
    return float(stored[0]), float(stored[1])


def _not_read(path: Path, found: Mapping[str, Array]) -> tuple[str, ...]:
    """A note on arrays of other names: what was meant by them counts for nothing."""
    others = sorted(set(found) - {*_SPLITS, *_OPTIONAL})
    if not others:
        return ()
    return (
        f"{path}: {', '.join(others)} {'are' if len(others) > 1 else 'is'} not read; names of the "
        "classes are read from 'classes', the lowest and highest value from 'value_range'",
    )


def load_from_function(name: str) -> Dataset:
    """Calls a user's ``pkg.module:function``.

    It takes no arguments and returns a ``Dataset``, or ``(x_train, y_train), (x_test,
    y_test)`` as the functions of ``keras.datasets`` do.

    Raises:
        ConfigError: the function is not there.
        DataError: it fails, or returns something else.
    """
    return dataset_of(name, call_function(name))


def call_function(name: str, field: str = "data.name") -> Any:
    """What a user's ``pkg.module:function`` returns.

    Args:
        name: the function.
        field: the config field or flag that names it, for an error.

    Raises:
        ConfigError: the function is not there.
        DataError: it fails.
    """
    function = load_function(field, name)
    try:
        return function()
    except ECAvgError as error:
        raise DataError(f"{field}={name!r}: {error}") from error
    except (Exception, SystemExit) as error:  # whatever the user's function raises
        raise DataError(f"{field}={name!r} fails: {type(error).__name__}: {error}") from error


def dataset_of(name: str, given: Any, said: str = "") -> Dataset:
    """A data set of what a user's function returned.

    Args:
        name: the function.
        given: what it returned.
        said: what is wrong with it, up to its kind; empty: that the function returned it.

    Raises:
        DataError: it is something else.
    """
    if isinstance(given, Dataset):
        return given
    said = said or f"data.name={name!r} returned"
    if any(hasattr(part, "element_spec") for part in (given, *_parts(given))):
        raise DataError(
            f"{said} a tf.data pipeline; give arrays: of a pipeline of single "
            "examples, next(iter(pipeline.batch(len(pipeline)))) is (inputs, labels)"
        )
    try:
        (x_train, y_train), (x_test, y_test) = given
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{said} {type(given).__name__}; expected an ecavg_tf.Dataset "
            "or ((x_train, y_train), (x_test, y_test))"
        ) from error
    return dataset_from_arrays(name.partition(":")[2], (x_train, y_train), (x_test, y_test))


def _parts(given: Any) -> tuple[Any, ...]:
    return tuple(given) if isinstance(given, tuple | list) else ()


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
        train: (inputs, labels); inputs of shape (n, …), read as ``shape_of_one`` says,
            labels of shape (n,) or (n, 1), whole numbers from 0.
        test: likewise.
        classes: names of the classes; None: their numbers.
        value_range: lowest and highest value of an input; None: (0, 255) for pictures of
            uint8, else measured on the training inputs.

    Raises:
        DataError: arrays of another kind.
    """
    train_examples, test_examples = (
        _examples(f"data set {name!r}, {split}", *given)
        for split, given in (("train", train), ("test", test))
    )
    inputs = train_examples.inputs
    shape = inputs.shape[1:]
    values = known_range(value_range, shape, inputs.dtype)
    if values is None:
        values = measured_range([(f"data set {name!r}, train", inputs)])
    if classes is None:
        classes = numbered_classes(name, train_examples, test_examples)
    spec = DataSpec(
        name,
        shape,
        inputs.dtype.name,
        values.value_range,
        classes,
        values.declared,
        values.feature_ranges,
    )
    return Dataset(spec, train_examples, test_examples)


def _examples(where: str, inputs: Any, labels: Any) -> Examples:
    return Examples(inputs_of(where, inputs), whole_numbers(where, labels))


def inputs_of(where: str, given: Any) -> Array:
    """Inputs of shape (n, …); grey pictures without channels get one.

    Args:
        where: whose inputs they are, for an error.
        given: an array, or what numpy makes one of.

    Raises:
        DataError: they have no axis, or are no numbers.
    """
    inputs = numbers(where, given)
    shape = shape_of_one(where, inputs.shape, inputs.dtype)
    return _native(inputs.reshape(len(inputs), *shape))


def shape_of_one(where: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[int, ...]:
    """The shape of one input, from that of an array of them.

    (n, a, b) can be grey pictures or signals. They are signals of ``a`` steps and ``b`` channels
    where the channels are few (32 at most), the steps at least four times as many, and the values
    no uint8; else they are grey pictures and get a channel.

    Args:
        where: whose inputs they are, for an error.
        shape: of the array.
        dtype: of the array.

    Raises:
        DataError: there is no axis beside the first, or an empty one.
    """
    one = shape[1:]
    if not one or 0 in one:
        raise DataError(
            f"{where}: inputs have shape {shape}; expected (n, features) of tables, (n, length) "
            "of token ids, (n, time, channels) of signals, (n, height, width) or (n, height, "
            "width, channels) of pictures"
        )
    if len(one) != 2:
        return one
    steps, channels = one
    is_signal = dtype != np.uint8 and channels <= _MOST_CHANNELS and steps >= 4 * channels
    return one if is_signal else (*one, 1)


def _native(inputs: Array) -> Array:
    """float64 is what numpy makes by itself; no sensor gives it."""
    return inputs.astype(np.float32) if inputs.dtype == np.float64 else inputs
