"""State that a layer makes from its weights: made anew wherever weights are set.

``Normalization`` computes with constants that it makes from its weights when it is adapted or
loaded, in ``finalize_state``. ``set_weights`` does not call that, and a traced function would
keep the constants of the moment when it was traced.
"""

from typing import Any

import keras


def follow_weights(model: keras.Model) -> None:
    """Lets layers that finalize their state do so in every call, traced or not.

    Args:
        model: a built model; its layers are changed in place.
    """
    for layer in finalizing(model):
        if "call" not in vars(layer):
            layer.call = _finalized(layer)


def finalizing(model: keras.Model) -> list[keras.layers.Layer]:
    """The layers that make state from weights of their own."""
    return [
        layer
        for layer in model._flatten_layers()
        if hasattr(layer, "finalize_state") and layer.weights
    ]


def _finalized(layer: keras.layers.Layer) -> Any:
    call = layer.call

    def finalized(*arguments: Any, **options: Any) -> Any:
        layer.finalize_state()
        return call(*arguments, **options)

    return finalized
