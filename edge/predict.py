"""Predicting with a bundle.

from edge.predict import Predictor
probabilities = Predictor("int8.bundle.zip").predict(images)
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.bundle import Bundle, BundleInfo, read_bundle
from ecavg_tf.core.errors import DataError
from ecavg_tf.core.template import Array
from edge.check import check_bundle
from edge.probabilities import probabilities_of
from edge.runtime import Model, Runtime, find_runtime


class Predictor:
    """A bundle, ready to predict: checked, loaded and warm.

    Args:
        bundle: the bundle's path.
        threads: how many the runtime may use; 0: one a core.
        check: replay its golden pairs first, which takes a new process's start. Without
            it only the bundle's hashes are checked.

    Attributes:
        info: what the bundle says of itself.
        runtime: what runs it.

    Raises:
        ExportError: it is damaged, or does not run right here.
        InstallationError: there is no runtime.
    """

    def __init__(self, bundle: str | Path, *, threads: int = 0, check: bool = True) -> None:
        opened, self.runtime = _open(bundle, check)
        self.info: BundleInfo = opened.info
        self._model = Model(self.runtime, opened.model, threads)
        self._model.warm_up()

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image."""
        return self.info.input.shape[1:]

    def predict(self, images: Array) -> NDArray[np.float32]:
        """Class probabilities.

        Args:
            images: in the data set's own value range, batch first: shape (n, …).

        Returns:
            Shape (n, classes), float32.

        Raises:
            DataError: the images have another shape, are not numbers, or hold values
                outside the data set's range.
        """
        images = np.asarray(images)
        check_images(images, self.image_shape, self.info.value_range)
        return probabilities_of(self._model, images, self.info.output_kind)


def check_images(
    images: Array, shape: tuple[int, ...], value_range: tuple[float, float], what: str = "images"
) -> None:
    """Makes sure that images are what a model takes.

    Args:
        images: the images.
        shape: of one of them.
        value_range: lowest and highest value.
        what: what they are called.

    Raises:
        DataError: they are not; the line says what came.
    """
    if images.dtype.kind not in "fiub":
        raise DataError(f"{what} are {images.dtype}, expected numbers")
    if images.ndim != len(shape) + 1 or images.shape[1:] != shape:
        raise DataError(
            f"{what} have shape {images.shape}, expected (n, {', '.join(map(str, shape))})"
        )
    if images.size == 0:
        return
    if images.dtype.kind == "f" and not np.isfinite(images).all():
        bad = images.size - np.count_nonzero(np.isfinite(images))
        raise DataError(f"{what} hold {bad} values that are NaN or infinite")
    low, high = value_range
    if images.min() < low or images.max() > high:
        raise DataError(
            f"{what} hold values from {images.min():g} to {images.max():g}, expected {low:g} to "
            f"{high:g}: the data set's own range, not rescaled"
        )


def _open(path: str | Path, check: bool) -> tuple[Bundle, Runtime]:
    if not check:
        return read_bundle(path), find_runtime()
    checked = check_bundle(path)
    return checked.bundle, checked.runtime
