"""The round trip: is a model all in its weights, and do they come back from its file?

Everything here rests on that: edges, server and exports hold one model each and set weights on
it, a run that is resumed loads them. Two things break it: what a layer computes with beside its
weights (constants of its own, drawn or adapted), and a layer whose file holds something else than
its weights (LoRA adapters are merged when they are saved).

What is proved: weights moved a little from the initial ones go bit by bit through what each layer
saves into a second build of the model, and the two, one with the weights set and one with the
weights loaded, answer a few examples alike. What is not: that the file itself is whole (its hash
is compared whenever it is loaded), and state that shows on other examples only.
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ecavg_tf.core.errors import ModelError
from ecavg_tf.core.template import Array
from ecavg_tf.models.inputs import for_model
from ecavg_tf.models.keras_own import of_keras_alone
from ecavg_tf.models.keras_words import explained
from ecavg_tf.models.refusals import (
    check_drawn_in_graph,
    check_kept,
    check_same_weights,
    check_trainable,
)

_INPUTS = 2
_AGREES = 1e-3  # of the largest answer; half precision and other orders of adding stay below


def check_round_trip(model: keras.Model, other: keras.Model, inputs: Array, *, name: str) -> None:
    """Makes sure that weights are all there is to a model.

    Nothing is traced, and nothing is written where all layers are Keras' own: half a second for
    MobileNetV2 on two cores.

    Args:
        model: a built model; its weights are changed.
        other: another build of it; its weights are changed.
        inputs: a few examples, as the model takes them.
        name: the model's, for the error.

    Raises:
        ModelError: names the layer that breaks the promise.
    """
    check_same_weights(model, other, name)
    check_trainable(other, name)
    moved = _moved(other.get_weights())
    model.set_weights(moved)
    _load_from(model, other, name)
    _check_loaded(other, moved, name)
    _compare(model, other, inputs, name)


def _moved(weights: Sequence[Array]) -> list[Array]:
    """Weights that no layer has by default: a zero that comes back as zero proves nothing."""
    generator = np.random.default_rng(0)

    def one(array: Array) -> Array:
        if not np.issubdtype(array.dtype, np.floating):
            return array
        noise = generator.uniform(0.0, 0.01, array.shape)
        return np.asarray(array * (1.0 + noise) + noise).astype(array.dtype)

    return [one(array) for array in weights]


def _load_from(source: keras.Model, target: keras.Model, name: str) -> None:
    """Loads into one model what another saves: in memory where Keras' own layers do it."""
    layers, twins = list(source._flatten_layers()), list(target._flatten_layers())
    try:
        if of_keras_alone(source):
            for layer, twin in zip(layers, twins, strict=True):
                twin.load_own_variables(_saved(layer))
            return
        # Which layers of a user's class are found, and under which names, shows in a file only.
        with tempfile.TemporaryDirectory() as folder:
            source.save_weights(Path(folder) / "probe.weights.h5")
            target.load_weights(Path(folder) / "probe.weights.h5")
    except Exception as error:  # whatever a user's layer raises
        raise ModelError(
            f"model.name={name!r}: its layers can't be saved and loaded into another model that "
            f"the function makes: {explained(error)}"
        ) from error


def _check_loaded(model: keras.Model, weights: Sequence[Array], name: str) -> None:
    loaded = zip(model.weights, weights, model.get_weights(), strict=True)
    for variable, before, after in loaded:
        if before.tobytes() != after.tobytes():
            raise _not_saved(_owner(list(model._flatten_layers()), variable), variable, name)


def _saved(layer: keras.layers.Layer) -> dict[str, Array]:
    store: dict[str, Any] = {}
    layer.save_own_variables(store)
    return {key: np.array(keras.ops.convert_to_numpy(value)) for key, value in store.items()}


def _owner(layers: Sequence[keras.layers.Layer], variable: keras.Variable) -> keras.layers.Layer:
    """The innermost layer that has the variable."""
    having = [layer for layer in layers if any(v is variable for v in layer.weights)]
    inner = [layer for layer in having if not list(layer._flatten_layers(include_self=False))]
    return min(inner or having, key=lambda layer: len(layer.weights))


def _not_saved(layer: keras.layers.Layer, variable: keras.Variable, name: str) -> ModelError:
    what = f"model.name={name!r}: layer {layer.name!r} ({type(layer).__name__})"
    if getattr(layer, "lora_enabled", False):
        return ModelError(
            f"{what} has LoRA adapters, which Keras merges into the kernel when it saves the "
            "layer: a run could not be resumed or exported; merge the adapters (save the model "
            "with model.save and load it again) and train the merged model"
        )
    return ModelError(
        f"{what} does not save its weight {variable.name!r} as it is: a run could not be resumed "
        "or exported; let its save_own_variables and load_own_variables keep every weight"
    )


def _compare(model: keras.Model, other: keras.Model, inputs: Array, name: str) -> None:
    before = model.get_weights()
    first, second = _answers(model, inputs), _answers(other, inputs)
    check_kept(model, before, name)
    if _alike(first, second):
        return
    if not _alike(first, _answers(model, inputs)):  # chance at inference, which no weights fix
        check_drawn_in_graph(model, for_model(inputs[:_INPUTS]), name)
        return
    layer = _first_other(model, other, inputs)
    where = "it" if layer is None else f"layer {layer.name!r} ({type(layer).__name__})"
    raise ModelError(
        f"model.name={name!r}: {where} computes with something that is not in its weights: two "
        "models that the function makes answer otherwise under the same weights; keep what is "
        "drawn or adapted in weights (add_weight), or make it the same each time"
    )


def _answers(model: keras.Model, inputs: Array) -> Array:
    outputs = model(for_model(inputs[:_INPUTS]), training=False)
    return np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(outputs, "float32")))


def _alike(one: Any, other: Any) -> bool:
    pairs = list(zip(keras.tree.flatten(one), keras.tree.flatten(other), strict=False))
    return all(_near(np.asarray(a), np.asarray(b)) for a, b in pairs)


def _near(one: Array, other: Array) -> bool:
    if one.shape != other.shape:
        return False
    if not np.issubdtype(one.dtype, np.floating):
        return bool(np.array_equal(one, other))
    scale = float(np.abs(one[np.isfinite(one)]).max(initial=0.0))
    return bool(np.allclose(one, other, rtol=0.0, atol=_AGREES * scale, equal_nan=True))


def _first_other(
    model: keras.Model, other: keras.Model, inputs: Array
) -> keras.layers.Layer | None:
    """The first layer, in the order of calls, that answers otherwise than its twin."""
    ours, theirs = _calls(model, inputs), _calls(other, inputs)
    for (layer, one), (_, another) in zip(ours, theirs, strict=False):
        if not _alike(one, another):
            return layer
    return None


def _calls(model: keras.Model, inputs: Array) -> list[tuple[keras.layers.Layer, Any]]:
    """What each layer answers, innermost first, in one call of the model."""
    seen: list[tuple[keras.layers.Layer, Any]] = []

    def listening(layer: keras.layers.Layer, call: Callable[..., Any]) -> Callable[..., Any]:
        def heard(*arguments: Any, **options: Any) -> Any:
            outputs = call(*arguments, **options)
            seen.append((layer, keras.tree.map_structure(_floats, outputs)))
            return outputs

        return heard

    layers = list(model._flatten_layers(include_self=False))
    held = [vars(layer).get("call") for layer in layers]
    try:
        for layer in layers:
            layer.call = listening(layer, layer.call)
        model(for_model(inputs[:_INPUTS]), training=False)
    finally:
        for layer, call in zip(layers, held, strict=True):
            if call is None:
                vars(layer).pop("call", None)
            else:
                layer.call = call
    return seen


def _floats(value: Any) -> Array:
    array = keras.ops.convert_to_numpy(value)
    return np.asarray(array, np.float32 if array.dtype.kind not in "iub" else array.dtype)
