"""The Dense layers at a model's end that a device trains."""

import keras

from ecavg_tf.core.errors import ExportError
from export.making.head import head_of, node_in

_TERMS = (
    "kernel_regularizer",
    "bias_regularizer",
    "activity_regularizer",
    "kernel_constraint",
    "bias_constraint",
)
_ACTIVATIONS = (keras.activations.relu, keras.activations.linear)


def trained_layers(model: keras.Model, trainable: str) -> list[keras.layers.Dense]:
    """The layers that a device trains, first to last.

    Args:
        model: a Sequential or functional model that ends in a Dense layer.
        trainable: ``head``: the last layer; ``dense``: all Dense layers at the end.

    Raises:
        ExportError: the model does not end in a Dense layer under softmax, under one sigmoid or
            of logits, or one of them has a regularizer or a constraint.
    """
    for layer in model._flatten_layers():
        if getattr(layer, "lora_enabled", False):
            raise ExportError(
                f"layer {layer.name!r} has LoRA weights, which a device can't train: merge them "
                "(build the model without enable_lora, and set its kernel to this layer's kernel)"
            )
    head = head_of(model)
    if head is None or head not in model.layers:
        raise ExportError(
            f"model {model.name!r} does not end in a Dense layer with a bias, under softmax, one "
            "sigmoid or linear, at its top level: a device can't train it; end it so"
        )
    found = [head]
    while trainable == "dense" and (before := _previous(model, found[0])) is not None:
        if not _trains(model, before):
            break
        found.insert(0, before)
    for layer in found:
        _check_plain(layer)
    return found


def _check_plain(layer: keras.layers.Dense) -> None:
    """The hand-written gradients are of the cross-entropy alone, and no step is projected."""
    terms = [term for term in _TERMS if getattr(layer, term, None) is not None]
    if terms:
        raise ExportError(
            f"layer {layer.name!r} has a {' and a '.join(terms)}: a device's training leaves such "
            "terms out; build the model without and load its weights, or train it with Keras"
        )


def _previous(model: keras.Model, layer: keras.layers.Layer) -> keras.layers.Layer | None:
    operation = input_of(model, layer)._keras_history.operation
    return operation if operation in model.layers else None


def input_of(model: keras.Model, layer: keras.layers.Layer) -> keras.KerasTensor:
    """What a layer is given in the one call that a model makes of it.

    ``layer.input`` is of no use where the layer was lent to other models, too.
    """
    node = node_in(model, layer)
    assert node is not None  # heads and trained layers were looked up with it
    return node.input_tensors[0]


def _trains(model: keras.Model, layer: keras.layers.Layer) -> bool:
    return (
        type(layer) is keras.layers.Dense
        and layer.trainable
        and node_in(model, layer) is not None
        and layer.activation in _ACTIVATIONS
    )
