"""What a server has whose edges have all training data: a description, and a test set or none."""

import dataclasses
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ecavg_tf.core.errors import DataError, WorkdirError
from ecavg_tf.core.fields import DTYPES, Fields
from ecavg_tf.core.files import load_json, read_whole, write_json
from ecavg_tf.core.messages.inputs import Inputs
from ecavg_tf.core.messages.probe import probe_inputs
from ecavg_tf.core.paths import user_path
from ecavg_tf.data import arrays
from ecavg_tf.data.agreement import agreed, declared, matched, whose
from ecavg_tf.data.checks import check_spec, checked_split
from ecavg_tf.data.dataset import DataSpec, EdgeData, Examples
from ecavg_tf.data.edge_arrays import TEST, EdgeSource
from ecavg_tf.data.ranges import known_range, measured_range

FIRST_EDGE = "first-edge"
_FILE = "task.json"  # in a run directory
_WANTED = (
    'expected an object like {"input_shape": [8, 8, 1], "dtype": "uint8", "value_range": [0, 16], '
    '"classes": ["cat", "dog"]}'
)


class ServerData:
    """A server's data: nothing to train on. The edges come by themselves.

    Args:
        spec: what the inputs of all edges are.
        test: the server's test set, which may be empty.

    Attributes:
        edges: none that were known before they came.
        notes: nothing to read before training.
    """

    edges: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __init__(self, spec: DataSpec, test: Examples | None = None) -> None:
        self.spec = spec
        self.test = no_examples(spec) if test is None else test

    def edge(self, name: str) -> EdgeData:
        """The server has the data of no edge.

        Raises:
            DataError: always.
        """
        raise DataError(f"the data of edge {name!r} lies on the edge, the server has none of it")

    def own_test(self, name: str) -> Examples | None:
        """An edge's own test set is on the edge."""
        del name
        return None


def no_examples(spec: DataSpec) -> Examples:
    """An empty set."""
    return Examples(np.zeros((0, *spec.input_shape), spec.dtype), np.zeros(0, np.int64))


def noise(spec: DataSpec) -> Examples:
    """Examples to compare a training file with Keras on, where there are no real ones."""
    inputs = probe_inputs(spec.input_shape, spec.value_range, spec.dtype)
    return Examples(inputs, np.arange(len(inputs), dtype=np.int64) % spec.num_classes)


def test_set_alone(name: str, source: EdgeSource, spec: DataSpec | None) -> ServerData:
    """A server's data that is a test set alone.

    Args:
        name: what to call the data set.
        source: where it lies.
        spec: what the task was said to be; None: it is as the test set says.

    Raises:
        DataError: it can't be read, or does not fit the task.
    """
    said, where = declared(TEST, source), f"{whose(TEST)} ({name})"
    inputs = arrays.inputs_of(where, source.read("x_test"))
    if spec is None:
        spec = agreed(name, {TEST: said}, None, lambda: measured_range([(where, inputs)]))
    labels = matched(where, source.read("y_test"), said.classes, spec.classes)
    test = Examples(inputs, labels)
    return ServerData(spec, checked_split(where, test, spec))


def spec_of(inputs: Inputs) -> DataSpec:
    """The description that edges get, as the program's other parts have it.

    Raises:
        DataError: it is none that a model can be made for.
    """
    made = DataSpec(
        inputs.name,
        inputs.input_shape,
        inputs.inputs_dtype,
        inputs.value_range,
        inputs.classes,
        inputs.declared,
        inputs.feature_ranges,
        inputs.columns,
    )
    return check_spec(made)


def inputs_of(spec: DataSpec) -> Inputs:
    """The description as edges get it."""
    return Inputs(
        spec.name,
        spec.input_shape,
        spec.dtype,
        spec.value_range,
        spec.classes,
        spec.declared,
        spec.feature_ranges,
        spec.columns,
    )


def read_spec(text: str) -> DataSpec:
    """Reads the file that ``data.spec`` names.

    Raises:
        DataError: it is not there, or says something else.
    """
    path = user_path(text)
    try:
        fields = Fields.of(load_json(read_whole(path)))
        fields.only((*(each.name for each in dataclasses.fields(DataSpec)), "said_by"))
        return _spec(fields, path.stem)
    except FileNotFoundError as error:
        raise DataError(
            f"data.spec: file {text!r} is not there; give {FIRST_EDGE!r} or a JSON file"
        ) from error
    except (OSError, ValueError, json.JSONDecodeError) as error:
        raise DataError(f"data.spec: {path} can't be read: {error}; {_WANTED}") from error


def _spec(given: Fields, name: str) -> DataSpec:
    left_out: dict[str, Any] = {
        "name": name,
        "value_range": None,
        "declared": True,
        "feature_ranges": [],
    }
    fields = Fields(left_out | {"columns": None} | dict(given.values))
    dtype, shape = fields.choice("dtype", DTYPES), fields.sizes("input_shape")
    bounds = fields.maybe("value_range", Fields.value_range)
    known = known_range(bounds, shape, np.dtype(dtype))
    if known is None:
        raise fields.refuse("value_range", "the lowest and the highest value")
    made = DataSpec(
        fields.text("name"),
        shape,
        dtype,
        known.value_range,
        fields.texts("classes"),
        fields.flag("declared"),
        fields.each("feature_ranges", Fields.value_range),
        fields.maybe("columns", Fields.texts),
    )
    return check_spec(made)


def keep_spec(run: Path, spec: DataSpec, said_by: str) -> None:
    """Fixes for a run what its data is.

    Args:
        run: the run directory.
        spec: what the data is.
        said_by: the edge, or the file, that said so.
    """
    write_json(run / _FILE, asdict(spec) | {"said_by": said_by})


def kept_spec(run: Path) -> DataSpec | None:
    """What a run's data was said to be; None: nobody has said it.

    Raises:
        WorkdirError: the file is damaged.
    """
    path = run / _FILE
    if not path.exists():
        return None
    try:
        return _spec(Fields.of(load_json(read_whole(path))), "")
    except (OSError, ValueError, DataError) as error:
        raise WorkdirError(f"{path} is damaged ({error}); restore it from a copy") from error
