"""Reads a Keras model into a ``Net``: layers become operations, BatchNorm is folded."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from ecavg_tf.core.errors import ExportError
from export.quantizing.net import Floats, Net, Operation, Window

_NOTHING = (  # at inference
    layers.Dropout, layers.SpatialDropout1D, layers.SpatialDropout2D, layers.GaussianNoise,
    layers.GaussianDropout, layers.ActivityRegularization,
)  # fmt: skip
_MOVES = (
    layers.ZeroPadding2D, layers.Cropping2D, layers.Flatten, layers.Reshape, layers.Permute,
    layers.MaxPooling2D, layers.AveragePooling2D,
)  # fmt: skip


class NotReadable(ExportError):
    """A model, or a layer of it, that is not made of the operations a ``Net`` knows."""


def read_net(model: keras.Model, shape: tuple[int, ...]) -> Net:
    """The operations of a model, as it is set now.

    Args:
        model: functional or Sequential, of layers that convolutional classifiers are made of.
        shape: of one example, without the batch.

    Raises:
        NotReadable: says which layer is not known.
    """
    reader = _Reader()
    try:
        (given,), (answer,) = model.inputs, model.outputs
    except (AttributeError, TypeError, ValueError) as error:
        raise NotReadable(
            f"Keras does not know the layers' order inside {model.name!r}, a subclass"
        ) from error
    last = reader.value(answer, {id(given): 0})
    if last != len(reader.operations) - 1:
        raise NotReadable(f"the answer of {model.name!r} is read again inside it")
    return Net(_folded(_one_step_rescaled(reader.operations, shape)), shape)


class _Reader:
    """Walks back from the answer; every tensor becomes one operation, once."""

    def __init__(self) -> None:
        self.operations = [Operation("input", "input", (), _same)]

    def value(self, tensor: Any, known: dict[int, int]) -> int:
        """The place of a tensor; ``known`` holds those of its graph that have one."""
        if id(tensor) not in known:
            layer, index, which = tensor._keras_history
            node = layer._inbound_nodes[index]
            places = tuple(self.value(each, known) for each in node.input_tensors)
            if isinstance(layer, keras.Model):
                if not layer.inputs or len(layer.inputs) != len(places):
                    raise NotReadable(f"layer {layer.name!r} is a subclass of keras.Model")
                inner = {id(each): at for each, at in zip(layer.inputs, places, strict=True)}
                known[id(tensor)] = self.value(layer.outputs[which], inner)
            else:
                known[id(tensor)] = self._add(layer, node, places)
        return known[id(tensor)]

    def _add(self, layer: Any, node: Any, places: tuple[int, ...]) -> int:
        for kind, call, *weights in _parts(layer, node):
            self.operations.append(Operation(kind, layer.name, places, call, *weights))
            places = (len(self.operations) - 1,)
        return places[0]


_Part = tuple[Any, ...]  # kind, call, and where it has them kernel, bias, window


def _same(values: Any) -> Any:
    return values


def _parts(layer: Any, node: Any) -> list[_Part]:
    """What one layer computes."""
    if isinstance(layer, layers.Layer) and getattr(layer, "data_format", "") == "channels_first":
        raise NotReadable(f"layer {layer.name!r} has its channels first")
    kind = type(layer)
    if kind in (layers.InputLayer, *_NOTHING):
        return []
    if kind in _LINEAR:
        return [*_LINEAR[kind](layer), *_activation(layer, layer.activation)]
    if kind in _MOVES:
        return [("move", lambda x: layer.call(x))]
    if kind.__name__ == "GetItem":  # channels in another order
        return [("move", lambda x: layer.call(x, node.arguments.args[1]))]
    if kind is layers.Rescaling:
        return _line(layer.scale, layer.offset)
    if kind is layers.BatchNormalization and layer.axis in (-1, len(layer.input.shape) - 1):
        factor, shift = _batchnorm(layer)
        return _line(factor, shift)
    if kind is layers.Add:
        return [("add", lambda *x: sum(x[1:], x[0]))]
    if kind is layers.Concatenate and layer.axis in (-1, 3):
        return [("concat", lambda *x: ops.concatenate(x, axis=-1))]
    if kind is layers.GlobalAveragePooling2D:
        return [("mean", lambda x: layer.call(x))]
    if kind is layers.Activation:
        return _activation(layer, layer.activation)
    plain = kind is layers.ReLU and not layer.negative_slope and not layer.threshold
    if plain and layer.max_value in (None, 6):
        return _activation(layer, ops.relu6 if layer.max_value else ops.relu)
    if kind is layers.Softmax and layer.axis == -1:
        return _activation(layer, keras.activations.softmax)
    raise NotReadable(f"layer {layer.name!r} ({kind.__name__}) is not one that it knows")


def _activation(layer: Any, function: Any) -> list[_Part]:
    name = getattr(function, "__name__", "")
    if name == "linear":
        return []
    if name in ("relu", "relu6", "softmax"):
        return [(name, getattr(keras.activations, name))]
    raise NotReadable(f"layer {layer.name!r} has the activation {name!r}, which it doesn't know")


def _line(factor: Any, shift: Any) -> list[_Part]:
    """A factor and a shift, numbers or one for each channel."""
    return [
        ("scale", lambda x, a: x * a, np.atleast_1d(np.asarray(factor, np.float32)), None),
        ("shift", lambda x, b: x + b, None, np.atleast_1d(np.asarray(shift, np.float32))),
    ]


def _batchnorm(layer: layers.BatchNormalization) -> tuple[Floats, Floats]:
    """The line gamma (x - mean) / sqrt(variance + epsilon) + beta, as a factor and a shift."""
    mean, variance = (
        np.asarray(each, np.float64) for each in (layer.moving_mean, layer.moving_variance)
    )
    factor = 1.0 / np.sqrt(variance + layer.epsilon)
    if layer.scale:
        factor = factor * np.asarray(layer.gamma, np.float64)
    shift = -mean * factor
    if layer.center:
        shift = shift + np.asarray(layer.beta, np.float64)
    return factor.astype(np.float32), shift.astype(np.float32)


def _bias(layer: Any, channels: int) -> Floats:
    return np.array(layer.bias, np.float32) if layer.use_bias else np.zeros(channels, np.float32)


def _window(layer: Any, kernel: Floats, padding: str = "") -> Window:
    return Window(
        (kernel.shape[0], kernel.shape[1]), layer.strides, padding or layer.padding,
        layer.dilation_rate,
    )  # fmt: skip


def _conv(layer: Any) -> list[_Part]:
    kernel = np.array(layer.kernel, np.float32)
    if layer.groups != 1:
        raise NotReadable(f"layer {layer.name!r} (Conv2D) has groups")
    return [_convolution(kernel, _bias(layer, kernel.shape[-1]), _window(layer, kernel))]


def _convolution(kernel: Floats, bias: Floats, window: Window) -> _Part:
    def call(x: Any, kernel: Any, bias: Any) -> Any:
        return ops.conv(x, kernel, window.strides, window.padding, None, window.dilation) + bias

    return "conv", call, kernel, bias, window


def _depthwise(layer: Any) -> list[_Part]:
    alone = type(layer) is layers.DepthwiseConv2D
    kernel = np.array(layer.kernel if alone else layer.depthwise_kernel, np.float32)
    bias = np.zeros(kernel.shape[-2] * kernel.shape[-1], np.float32)
    if alone and layer.use_bias:
        bias = np.array(layer.bias, np.float32)
    return [_depthwise_of(kernel, bias, _window(layer, kernel))]


def _depthwise_of(kernel: Floats, bias: Floats, window: Window) -> _Part:
    def call(x: Any, kernel: Any, bias: Any) -> Any:
        found = ops.depthwise_conv(x, kernel, window.strides, window.padding, None, window.dilation)
        return found + bias

    return "depthwise", call, kernel, bias, window


def _separable(layer: Any) -> list[_Part]:
    pointwise = np.array(layer.pointwise_kernel, np.float32)
    once = Window((1, 1), (1, 1), "valid", (1, 1))
    bias = _bias(layer, pointwise.shape[-1])
    return [*_depthwise(layer), _convolution(pointwise, bias, once)]


def _dense(layer: Any) -> list[_Part]:
    def call(x: Any, kernel: Any, bias: Any) -> Any:
        return ops.matmul(x, kernel) + bias

    kernel = np.array(layer.kernel, np.float32)
    return [("dense", call, kernel, _bias(layer, kernel.shape[-1]))]


_LINEAR: dict[type, Callable[[Any], list[_Part]]] = {
    layers.Conv2D: _conv,
    layers.DepthwiseConv2D: _depthwise,
    layers.SeparableConv2D: _separable,
    layers.Dense: _dense,
}


def _one_step_rescaled(operations: list[Operation], shape: tuple[int, ...]) -> list[Operation]:
    """Lets a convolution of 1x1 rescale the input.

    A product and a sum are two operations in a file of 8 bits, with a rounding between: of the
    256 values of a pixel a range of -1 to 1 kept 170. A convolution rounds once, and keeps all.
    """
    kinds = [(operation.kind, operation.inputs) for operation in operations[:3]]
    if kinds[1:] != [("scale", (0,)), ("shift", (1,))] or len(shape) != 3:
        return operations
    if any(0 in each.inputs or 1 in each.inputs for each in operations[3:]):
        return operations
    given, scale, shift = operations[:3]
    assert scale.kernel is not None and shift.bias is not None
    kernel = np.broadcast_to(scale.kernel, shape[-1:]).reshape(1, 1, -1, 1)
    bias = np.broadcast_to(shift.bias, shape[-1:])
    window = Window((1, 1), (1, 1), "valid", (1, 1))
    kind, call, *rest = _depthwise_of(np.array(kernel), np.array(bias), window)
    made = [given, Operation(kind, scale.name, (0,), call, *rest)]
    for each in operations[3:]:
        each.inputs = tuple(place - 1 for place in each.inputs)
    return made + operations[3:]


def _folded(operations: list[Operation]) -> list[Operation]:
    """Takes factors and shifts that follow a linear operation alone into its weights."""
    net = Net(operations, ())
    into = list(range(len(operations)))  # where each operation's result is now
    for place, operation in enumerate(operations):
        if operation.kind not in ("scale", "shift"):
            continue
        source = into[operation.inputs[0]]
        before = operations[source]
        if not before.linear or len(net.readers(operation.inputs[0])) != 1:
            continue
        assert before.kernel is not None and before.bias is not None
        if operation.kernel is not None:
            factor = np.broadcast_to(operation.kernel, before.bias.shape)
            shape = before.kernel.shape[-2:] if before.kind == "depthwise" else (-1,)
            before.kernel = before.kernel * factor.reshape(shape)
            before.bias = before.bias * factor
        elif operation.bias is not None:
            before.bias = before.bias + operation.bias
        into[place] = source
    kept = [place for place in range(len(operations)) if into[place] == place]
    new = {place: number for number, place in enumerate(kept)}
    for place in kept:
        operations[place].inputs = tuple(new[into[each]] for each in operations[place].inputs)
    return [operations[place] for place in kept]
