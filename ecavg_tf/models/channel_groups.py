"""Finds in a Keras graph which axes of which weights belong to the same channels.

The channels of a hidden layer may be renamed if everything that makes or reads them is renamed
likewise. Walking the graph from the inputs, every tensor's last axis belongs to a *group*; a
layer with a kernel begins a new one, a sum joins two, and whatever is not known here keeps its
channels as they are, so that renaming never changes what a model computes.
"""

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import keras

from ecavg_tf.core.permuting import Groups, Touch
from ecavg_tf.models.keras_own import is_keras_own

_SAME_CHANNELS = (
    "Activation", "ActivityRegularization", "AlphaDropout", "AveragePooling1D",
    "AveragePooling2D", "AveragePooling3D", "Cropping1D", "Cropping2D", "Dropout", "ELU",
    "GaussianDropout", "GaussianNoise", "GlobalAveragePooling1D", "GlobalAveragePooling2D",
    "GlobalAveragePooling3D", "GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D",
    "Identity", "LeakyReLU", "MaxPooling1D", "MaxPooling2D", "MaxPooling3D", "ReLU", "Softmax",
    "SpatialDropout1D", "SpatialDropout2D", "UpSampling1D", "UpSampling2D", "ZeroPadding1D",
    "ZeroPadding2D", "ZeroPadding3D",
)  # fmt: skip
_ELEMENT_BY_ELEMENT = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")


@dataclass(frozen=True)
class _Channels:
    """What the last axis of a tensor is: ``outer`` times the channels of a group."""

    group: int
    outer: int = 1


class _Walk:
    """Groups found so far; joined ones are one (union-find)."""

    def __init__(self, model: keras.Model) -> None:
        self._position = {id(variable): at for at, variable in enumerate(model.weights)}
        self._parent: list[int] = []
        self._size: list[int] = []
        self._fixed: list[bool] = []
        self._touches: list[Touch] = []
        self._made: dict[int, tuple[_Channels, ...]] = {}  # of layers that are called again

    def new(self, size: int, *, fixed: bool = False) -> _Channels:
        self._parent.append(len(self._parent))
        self._size.append(size)
        self._fixed.append(fixed)
        return _Channels(self._parent[-1])

    def root(self, group: int) -> int:
        while self._parent[group] != group:
            group = self._parent[group]
        return group

    def fix(self, channels: Iterable[_Channels]) -> None:
        for each in channels:
            self._fixed[self.root(each.group)] = True

    def join(self, first: _Channels, other: _Channels) -> None:
        """Makes two axes the same channels; axes that are cut differently stay as they are."""
        one, two = self.root(first.group), self.root(other.group)
        if first.outer != other.outer or self._size[one] != self._size[two]:
            self.fix((first, other))
        elif one != two:
            self._parent[two] = one
            self._fixed[one] |= self._fixed[two]

    def touch(self, variable: Any, axis: int, channels: _Channels) -> None:
        if variable is not None:
            position = self._position[id(variable)]
            axis %= len(variable.shape)
            self._touches.append(Touch(position, axis, channels.group, channels.outer))

    def groups(self) -> Groups:
        touches = [
            Touch(each.position, each.axis, self.root(each.group), each.outer)
            for each in dict.fromkeys(self._touches)
        ]
        free = sorted({t.group for t in touches if not self._fixed[t.group]})
        number = {group: at for at, group in enumerate(free)}
        kept = (
            Touch(each.position, each.axis, number[each.group], each.outer)
            for each in touches
            if each.group in number
        )
        return Groups(tuple(self._size[group] for group in free), tuple(dict.fromkeys(kept)))

    def called(
        self, layer: Any, incoming: list[_Channels], inputs: list[Any], outputs: list[Any]
    ) -> list[_Channels]:
        """The channels of what an operation gives."""
        kind, before = type(layer).__name__, self._made.get(id(layer))
        if before is not None:  # the same weights again: what comes in must be the same, too
            self.fix(itertools.chain(incoming, before))
            return [self.new(int(each.shape[-1]), fixed=True) for each in outputs]
        made = self._called(layer, kind, incoming, inputs)
        if made is None:
            self.fix(incoming)
            made = [self.new(_last(each), fixed=True) for each in outputs]
        if getattr(layer, "weights", None):
            self._made[id(layer)] = (*incoming, *made)
        return made

    def _called(
        self, layer: Any, kind: str, incoming: list[_Channels], inputs: list[Any]
    ) -> list[_Channels] | None:
        if isinstance(layer, keras.Sequential):
            layer = getattr(layer, "_functional", None)
        if isinstance(layer, keras.models.Model) and hasattr(layer, "_nodes_by_depth"):
            return self.walked(layer, incoming)
        if not is_keras_own(layer) or getattr(layer, "data_format", None) == "channels_first":
            return None
        if kind in _SAME_CHANNELS:
            return incoming
        if kind == "Flatten":
            (channels,), shape = incoming, inputs[0].shape
            return [_Channels(channels.group, channels.outer * math.prod(shape[1:-1]))]
        if kind in _ELEMENT_BY_ELEMENT and len({each.shape for each in inputs}) == 1:
            for other in incoming[1:]:
                self.join(incoming[0], other)
            return incoming[:1]
        if kind == "BatchNormalization" and layer.axis in (-1, len(inputs[0].shape) - 1):
            for variable in layer.weights:
                self.touch(variable, 0, incoming[0])
            return incoming
        return self._kernel(layer, kind, incoming)

    def _kernel(self, layer: Any, kind: str, incoming: list[_Channels]) -> list[_Channels] | None:
        """Layers with a kernel; others that are not known give None."""
        one_multiplier = getattr(layer, "depth_multiplier", 0) == 1
        if kind in ("DepthwiseConv1D", "DepthwiseConv2D") and one_multiplier:
            self.touch(layer.kernel, -2, incoming[0])
            self.touch(layer.bias, 0, incoming[0])
            return incoming
        convolves = kind in ("Conv1D", "Conv2D", "Conv3D") and layer.groups == 1
        if not (convolves or kind == "Dense") or len(layer.weights) != 1 + bool(layer.use_bias):
            return None
        made = self.new(int(layer.kernel.shape[-1]))
        self.touch(layer.kernel, -2, incoming[0])
        self.touch(layer.kernel, -1, made)
        self.touch(layer.bias, 0, made)
        return [made]

    def walked(self, model: Any, incoming: list[_Channels]) -> list[_Channels]:
        """Goes through a graph, from its inputs to its outputs."""
        known = {id(tensor): each for tensor, each in zip(model.inputs, incoming, strict=True)}
        for depth in sorted(model._nodes_by_depth, reverse=True):
            for node in model._nodes_by_depth[depth]:
                if node.is_input:
                    continue
                inputs, outputs = node.arguments.keras_tensors, node.outputs
                channels = [known[id(each)] for each in inputs]
                made = self.called(node.operation, channels, inputs, outputs)
                known.update(zip(map(id, outputs), made, strict=True))
        return [known[id(each)] for each in model.outputs]


def channel_groups(model: keras.Model) -> Groups:
    """Which channels of a model can be renamed, and where.

    Args:
        model: a built model; of one without a graph (subclassed) nothing is known.

    Returns:
        The groups; axes are those of ``model.weights``.
    """
    graph = getattr(model, "_functional", model)
    if not hasattr(graph, "_nodes_by_depth"):
        return Groups((), ())
    walk = _Walk(model)
    outputs = walk.walked(graph, [walk.new(_last(each), fixed=True) for each in graph.inputs])
    walk.fix(outputs)
    return walk.groups()


def _last(tensor: Any) -> int:
    return int(tensor.shape[-1] or 0) if tensor.shape else 0
