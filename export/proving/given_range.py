"""Notes on inputs that look rescaled before they reach a model that rescales them itself.

Nothing can tell for certain. A file that is calibrated on such inputs agrees with its model on
them, and is wrong on everything that a device feeds it.
"""

import keras
import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.exports import Exported
from ecavg_tf.core.raw_inputs import maybe_rescaled
from ecavg_tf.core.template import Array
from ecavg_tf.models.rescaling import first_with_weights

_FEW = 16
_NARROW = 1 / 8  # layers are made for values of about 1
_WIDE = 8.0
_SHRINKS = 0.5  # a model that divides its inputs' range by less does not rescale
_SCALES = (keras.layers.BatchNormalization, keras.layers.Normalization)


def range_notes(
    model: keras.Model, inputs: Array, value_range: tuple[float, float] | None
) -> tuple[str, ...]:
    """What looks odd about the range of inputs; empty: nothing.

    Args:
        model: a built model.
        inputs: as the model takes them, shape (n, …).
        value_range: lowest and highest value that raw ones can have; None: not told.
    """
    lowest, highest = float(inputs.min()), float(inputs.max())
    if value_range is not None:
        low, high = value_range
        if lowest < low or highest > high:
            return (
                f"values run from {lowest:g} to {highest:g}, and raw inputs were said to go from "
                f"{low:g} to {high:g}; give inputs as a device gives them",
            )
        if said := maybe_rescaled(lowest, highest, value_range):
            return (said,)
    said = _met(model, inputs[np.linspace(0, len(inputs) - 1, _FEW).astype(int)])
    return () if said is None else (said,)


def _met(model: keras.Model, inputs: Array) -> str | None:
    """A note where the model's own rescaling makes values too small, or leaves them too large."""
    given = inputs.astype(np.float32)
    with first_with_weights(_SCALES) as first:
        model(given, training=False)
    if not first or not np.ptp(given):
        return None
    layer, got = first[0]
    low, high, width = float(got.min()), float(got.max()), float(np.ptp(got))
    if isinstance(layer, keras.layers.Embedding) or width >= _SHRINKS * float(np.ptp(given)):
        return None
    if _NARROW < width < _WIDE:
        return None
    cure = (
        "if these were rescaled, give raw ones"
        if width <= _NARROW
        else "give inputs in the range that the model rescales from"
    )
    return (
        f"the model rescales what it gets: values from {given.min():g} to {given.max():g} reach "
        f"layer {layer.name!r} as {low:.3g} to {high:.3g}; {cure}"
    )


def accuracy_note(rows: tuple[Exported, ...], labels: NDArray[np.int64]) -> str | None:
    """A note where Keras' model is not shown to be better than always naming one class.

    Args:
        rows: what was exported of one model.
        labels: of the test examples that its files were compared on, shape (n,).
    """
    known = (row.parity.keras_accuracy for row in rows if row.parity is not None)
    accuracy = next((found for found in known if found is not None), None)
    most = float(np.bincount(labels).max()) / len(labels)
    if accuracy is None or accuracy.low > most:
        return None
    return (
        f"Keras' model itself is right on {100 * accuracy.value:.1f} % of the {len(labels)} test "
        f"examples, and always naming their most frequent class would be on {100 * most:.1f} %: "
        "its files can be no better. Were the inputs rescaled, or the classes put in another "
        "order, for the model's training?"
    )
