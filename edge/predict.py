"""Predicting with a bundle, or with what was trained on this device.

from edge.predict import Predictor
probabilities = Predictor("int8.bundle.zip").predict(images)
probabilities = Predictor.from_state("/var/lib/ecavg", edge="edge-00").predict(images)
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.bundles.bundle import read_bundle
from ecavg_tf.core.errors import DataError
from ecavg_tf.core.template import Array
from edge.device.check import check_bundle
from edge.device.runtime import Model, find_runtime
from edge.predicting.loaded_model import LoadedModel
from edge.predicting.probabilities import predict_probabilities


class Predictor:
    """A model, ready to predict: checked, loaded and warm.

    Args:
        bundle: the bundle's path.
        threads: how many the runtime may use; 0: one a core.
        check: replay its golden pairs first, which takes a new process's start. Without
            it only the bundle's hashes are checked.

    Attributes:
        model: the model, what runs it and what it takes.

    Raises:
        ExportError: it is damaged, or does not run right here.
        InstallationError: there is no runtime.
    """

    def __init__(self, bundle: str | Path, *, threads: int = 0, check: bool = True) -> None:
        self.model = _load_bundle(bundle, threads, check)

    @classmethod
    def from_state(
        cls, state: str | Path, *, edge: str | None = None, threads: int = 0, check: bool = True
    ) -> "Predictor":
        """What an edge accepted last in a run, else what it trained alone.

        Training may go on meanwhile: it is the last whole model, and it stays that one.

        Args:
            state: the folder that ``train`` was given.
            edge: the edge's name; None: the only one that the folder holds.
            threads: how many the runtime may use; 0: one a core.
            check: replay the training bundle's golden steps first.

        Raises:
            ConfigError: no edge is named, and the folder holds several.
            WorkdirError: there is no model, or it is damaged.
            ExportError: its training bundle is damaged, or does not run right here.
            InstallationError: there is no runtime.
        """
        from edge.predicting.state_model import load_state_model  # a bundle needs no safetensors

        predictor = cls.__new__(cls)
        predictor.model = load_state_model(state, edge, threads=threads, check=check)
        return predictor

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return self.model.input_shape

    def predict(self, inputs: Array) -> NDArray[np.float32]:
        """Class probabilities.

        Args:
            inputs: in the data set's own value range, batch first: shape (n, …).

        Returns:
            Shape (n, classes), float32.

        Raises:
            DataError: the images have another shape, are not numbers, or hold values
                outside the data set's range.
        """
        inputs = np.asarray(inputs)
        check_inputs(inputs, self.input_shape, self.model.value_range)
        return self.model.answer(inputs)


def maybe_rescaled(highest: float, value_range: tuple[float, float]) -> str | None:
    """A note on images so dark that they may have been rescaled, which no check can tell.

    Args:
        highest: the highest value of any image.
        value_range: lowest and highest value of a raw image.
    """
    low, high = value_range
    if highest - low > (high - low) / 8:
        return None
    return (
        f"note: no value is above {highest:g}, raw images go from {low:g} to {high:g}; "
        "if these were rescaled, give raw ones"
    )


def as_batch(inputs: Array, shape: tuple[int, ...]) -> Array:
    """One image as a batch of one, and grey images without a channel with one.

    Args:
        inputs: shape (n, …) or that of one example; grey ones may lack the last 1.
        shape: of one example.
    """
    if shape[-1:] == (1,) and (inputs.shape == shape[:-1] or inputs.shape[1:] == shape[:-1]):
        inputs = inputs[..., np.newaxis]
    return inputs[np.newaxis] if inputs.shape == shape else inputs


def check_inputs(
    inputs: Array, shape: tuple[int, ...], value_range: tuple[float, float], what: str = "inputs"
) -> None:
    """Makes sure that images are what a model takes.

    Args:
        inputs: the images.
        shape: of one of them.
        value_range: lowest and highest value.
        what: what they are called.

    Raises:
        DataError: they are not; the line says what came.
    """
    if inputs.dtype.kind not in "fiub":
        raise DataError(f"{what} are {inputs.dtype}, expected numbers")
    if inputs.ndim != len(shape) + 1 or inputs.shape[1:] != shape:
        raise DataError(
            f"{what} have shape {inputs.shape}, expected (n, {', '.join(map(str, shape))})"
        )
    if inputs.size == 0:
        return
    if inputs.dtype.kind == "f" and not np.isfinite(inputs).all():
        bad = inputs.size - np.count_nonzero(np.isfinite(inputs))
        raise DataError(f"{what} hold {bad} values that are NaN or infinite")
    low, high = value_range
    if inputs.min() < low or inputs.max() > high:
        raise DataError(
            f"{what} hold values from {inputs.min():g} to {inputs.max():g}, expected {low:g} to "
            f"{high:g}: the data set's own range, not rescaled"
        )


def _load_bundle(path: str | Path, threads: int, check: bool) -> LoadedModel:
    if check:
        checked = check_bundle(path)
        bundle, runtime = checked.bundle, checked.runtime
    else:
        bundle, runtime = read_bundle(path), find_runtime()
    info, model = bundle.info, Model(runtime, bundle.model, threads)
    model.warm_up()
    return LoadedModel(
        source={"bundle": str(path), "format": info.format},
        runtime=runtime,
        classes=info.classes,
        input_shape=info.input.shape[1:],
        inputs_dtype=info.inputs_dtype,
        value_range=info.value_range,
        answer=lambda inputs: predict_probabilities(model, inputs, info.output_kind),
    )
