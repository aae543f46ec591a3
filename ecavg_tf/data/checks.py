"""Checks that every data set must pass, wherever it comes from."""

from typing import Any

import numpy as np

from ecavg_tf.core.class_names import fault_of
from ecavg_tf.core.errors import DataError, brief
from ecavg_tf.core.template import Array
from ecavg_tf.data.containers import check_dense
from ecavg_tf.data.dataset import Dataset, DataSpec, Examples
from ecavg_tf.data.labels import RENUMBER, whole_numbers
from ecavg_tf.data.ranges import check_finite


def check_dataset(dataset: Dataset) -> Dataset:
    """Checks shapes, dtypes, labels and values, and returns the data set.

    Raises:
        DataError: the first fault, with where it is.
    """
    spec = check_spec(dataset.spec)
    train, test = (
        checked_split(f"data set {spec.name!r}, {split}", examples, spec)
        for split, examples in (("train", dataset.train), ("test", dataset.test))
    )
    return Dataset(spec, train, test, dataset.notes)


def check_spec(spec: DataSpec) -> DataSpec:
    """Checks classes and value range, and returns the description.

    Raises:
        DataError: the first fault.
    """
    if spec.num_classes < 2:
        raise DataError(
            f"data set {spec.name!r} has {spec.num_classes} classes, expected 2 or more"
        )
    if fault := fault_of(spec.classes):
        raise DataError(f"data set {spec.name!r}: {fault}")
    if spec.columns is not None and tuple(spec.input_shape) != (len(spec.columns),):
        raise DataError(
            f"data set {spec.name!r}: columns are {len(spec.columns)} names, inputs have shape "
            f"{spec.input_shape}; only inputs of shape (columns,) have names"
        )
    low, high = spec.value_range
    if not (np.isfinite([low, high]).all() and low < high):
        raise DataError(f"data set {spec.name!r} declares the value range ({low}, {high})")
    if len(spec.feature_ranges) not in (0, spec.input_shape[-1]):
        raise DataError(
            f"data set {spec.name!r} has {len(spec.feature_ranges)} feature_ranges, its inputs of "
            f"shape {spec.input_shape} have {spec.input_shape[-1]} on their last axis"
        )
    return spec


def shape_note(spec: DataSpec) -> str | None:
    """A line on inputs whose axes may be meant otherwise than they are read."""
    if len(spec.input_shape) == 2:
        time, channels = spec.input_shape
        return (
            f"data set {spec.name!r}: inputs of shape {spec.input_shape} are read as signals of "
            f"{time} steps and {channels} channels; give grey pictures the shape (n, {time}, "
            f"{channels}, 1)"
        )
    if len(spec.input_shape) != 3 or spec.input_shape[2] in (1, 3, 4):
        return None
    if spec.input_shape[0] not in (1, 3, 4):
        return None
    return (
        f"data set {spec.name!r}: images have shape {spec.input_shape}, read as (height, width, "
        "channels); if the channels come first, give numpy.moveaxis(images, 1, -1)"
    )


def checked_split(where: str, examples: Examples, spec: DataSpec) -> Examples:
    """Checks one part of a data set against its description, and returns it.

    Raises:
        DataError: the first fault, with where it is.
    """
    inputs, labels = numbers(where, examples.inputs), whole_numbers(where, examples.labels)
    if len(labels) == 0 or len(inputs) != len(labels):
        raise DataError(f"{where}: {len(inputs)} examples and {len(labels)} labels")
    if inputs.shape[1:] != spec.input_shape or inputs.dtype.name != spec.dtype:
        raise DataError(
            f"{where}: inputs are {inputs.dtype.name}{inputs.shape[1:]}, "
            f"expected {spec.dtype}{spec.input_shape}"
        )
    if labels.min() < 0:
        raise DataError(
            f"{where}: label {labels.min()} of example {labels.argmin()} is below 0; number the "
            f"classes from 0: {RENUMBER}"
        )
    wrong = np.flatnonzero(labels >= spec.num_classes)
    if len(wrong):
        raise DataError(
            f"{where}: label {labels[wrong[0]]} of example {wrong[0]} is out of range, expected "
            f"0 to {spec.num_classes - 1}"
        )
    check_finite(where, inputs)
    low, high = spec.value_range
    if spec.declared and (inputs.min() < low or inputs.max() > high):
        raise DataError(
            f"{where}: values run from {inputs.min()} to {inputs.max()}, the data set declares "
            f"{low:g} to {high:g}; say what it is: an array value_range = [lowest, highest] in the "
            ".npz, or DataSpec.value_range"
        )
    return Examples(inputs, labels)


def numbers(where: str, given: Any) -> Array:
    """Inputs as an array of numbers in this machine's byte order.

    Args:
        where: whose inputs they are, for an error.
        given: an array, or what numpy makes one of.

    Raises:
        DataError: they differ in size, or are no numbers of at most 64 bits.
    """
    check_dense(where, "inputs", given)
    try:
        inputs = np.asarray(given)
    except ValueError as error:  # a list of pictures that differ
        raise DataError(f"{where}: inputs must all be of one size: {brief(error)}") from error
    if inputs.dtype.kind not in "biuf" or inputs.dtype.itemsize > 8:
        raise DataError(
            f"{where}: inputs have shape {inputs.shape} and dtype {inputs.dtype}; expected numbers "
            "of at most 64 bits, all inputs of one size: float32, uint8 or int32"
        )
    return inputs.astype(inputs.dtype.newbyteorder("="), copy=False)
