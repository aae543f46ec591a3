"""A model that is loaded and ready to predict, wherever it comes from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.template import Array
from edge.device.runtime import Runtime


@dataclass(frozen=True)
class LoadedModel:
    """A model that is loaded and has run once.

    Attributes:
        source: where it comes from, as ``predict --json`` says it.
        runtime: what runs it.
        classes: labels, in the order of the outputs.
        input_shape: of one raw image.
        inputs_dtype: numpy's name of raw images' dtype.
        value_range: lowest and highest value of a raw image.
        answer: from raw images, shape (n, …), to probabilities, shape (n, classes).
    """

    source: Mapping[str, str]
    runtime: Runtime
    classes: tuple[str, ...]
    input_shape: tuple[int, ...]
    inputs_dtype: str
    value_range: tuple[float, float]
    answer: Callable[[Array], NDArray[np.float32]]
