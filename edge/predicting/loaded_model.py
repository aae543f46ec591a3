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
        input_shape: of one raw input.
        inputs_dtype: numpy's name of raw inputs' dtype.
        value_range: lowest and highest value of a raw input.
        declared: whether values outside the range are refused.
        answer: from raw inputs, shape (n, …), to probabilities, shape (n, classes).
        columns: names of the inputs, where it was trained on a table; None: they have none.
    """

    source: Mapping[str, str]
    runtime: Runtime
    classes: tuple[str, ...]
    input_shape: tuple[int, ...]
    inputs_dtype: str
    value_range: tuple[float, float]
    declared: bool
    answer: Callable[[Array], NDArray[np.float32]]
    columns: tuple[str, ...] | None = None
