"""Checks that every data set must pass, wherever it comes from."""

from typing import Any

import numpy as np

from ecavg_tf.core.class_names import fault_of
from ecavg_tf.core.errors import DataError, brief
from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import Dataset, DataSpec, Examples
from ecavg_tf.data.labels import whole_numbers


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
    if spec.columns is not None and spec.image_shape != (len(spec.columns),):
        raise DataError(
            f"data set {spec.name!r}: columns are {len(spec.columns)} names, inputs have shape "
            f"{spec.image_shape}; only inputs of shape (columns,) have names"
        )
    low, high = spec.value_range
    if not (np.isfinite([low, high]).all() and low < high):
        raise DataError(f"data set {spec.name!r} declares the value range ({low}, {high})")
    return spec


def channels_first_note(spec: DataSpec) -> str | None:
    """A line on images that seem to keep their channels before height and width."""
    if len(spec.image_shape) != 3 or spec.image_shape[2] in (1, 3, 4):
        return None
    if spec.image_shape[0] not in (1, 3, 4):
        return None
    return (
        f"data set {spec.name!r}: images have shape {spec.image_shape}, read as (height, width, "
        "channels); if the channels come first, give numpy.moveaxis(images, 1, -1)"
    )


def checked_split(where: str, examples: Examples, spec: DataSpec) -> Examples:
    """Checks one part of a data set against its description, and returns it.

    Raises:
        DataError: the first fault, with where it is.
    """
    images, labels = numbers(where, examples.images), whole_numbers(where, examples.labels)
    if len(labels) == 0 or len(images) != len(labels):
        raise DataError(f"{where}: {len(images)} images and {len(labels)} labels")
    if images.shape[1:] != spec.image_shape or images.dtype.name != spec.dtype:
        raise DataError(
            f"{where}: images are {images.dtype.name}{images.shape[1:]}, "
            f"expected {spec.dtype}{spec.image_shape}"
        )
    wrong = np.flatnonzero((labels < 0) | (labels >= spec.num_classes))
    if len(wrong):
        raise DataError(
            f"{where}: label {labels[wrong[0]]} of example {wrong[0]} is out of range, expected "
            f"0 to {spec.num_classes - 1}"
        )
    if np.issubdtype(images.dtype, np.floating):
        bad = np.flatnonzero(~np.isfinite(images).all(axis=(1, 2, 3)))
        if len(bad):
            raise DataError(f"{where}: image {bad[0]} holds NaN or infinite pixels")
    low, high = spec.value_range
    if images.min() < low or images.max() > high:
        raise DataError(
            f"{where}: values run from {images.min()} to {images.max()}, the data set declares "
            f"{low:g} to {high:g}; say what it is: an array value_range = [lowest, highest] in the "
            ".npz, or DataSpec.value_range"
        )
    return Examples(images, labels)


def numbers(where: str, given: Any) -> Array:
    """Images as an array of numbers in this machine's byte order.

    Args:
        where: whose images they are, for an error.
        given: an array, or what numpy makes one of.

    Raises:
        DataError: they differ in size, or are no numbers of at most 64 bits.
    """
    if np.ma.isMaskedArray(given) and np.ma.is_masked(given):
        raise DataError(f"{where}: images have masked pixels; give images.filled(…)")
    try:
        images = np.asarray(given)
    except ValueError as error:  # a list of pictures that differ
        raise DataError(f"{where}: images must all be of one size: {brief(error)}") from error
    if images.dtype.kind not in "biuf" or images.dtype.itemsize > 8:
        raise DataError(
            f"{where}: images have shape {images.shape} and dtype {images.dtype}; expected numbers "
            "of at most 64 bits, all pictures of one size: uint8 or float32"
        )
    return images.astype(images.dtype.newbyteorder("="), copy=False)
