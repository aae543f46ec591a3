"""At which layer of a model the converter crashes: it is asked for ever shorter beginnings."""

from collections.abc import Callable
from typing import Any

import keras


def crashes_at(
    model: keras.Model, crashes: Callable[[keras.Model], bool]
) -> keras.layers.Layer | None:
    """The layer with which the converter crashes, and without which it does not.

    Bisection over the nodes of the graph, about seven beginnings of a model with 100 layers, then
    on to whatever comes before and crashes by itself: a beginning holds one branch alone.

    Args:
        model: one that crashed.
        crashes: whether a beginning of it does.

    Returns:
        None: its class has a ``call`` of its own, or it does not crash when it is asked again.
    """
    graph = getattr(model, "_functional", model)  # of a Sequential
    if not hasattr(graph, "_nodes_by_depth"):
        return None
    from_graph = type(keras.Model(graph.inputs, graph.outputs)).call
    if type(model).call not in (from_graph, keras.Sequential.call):
        return None
    nodes = [
        node
        for _, level in sorted(graph._nodes_by_depth.items(), reverse=True)
        for node in level
        if not node.is_input
    ]

    def fails(node: Any) -> bool:
        return crashes(keras.Model(graph.inputs, node.output_tensors[0]))

    if not nodes or not fails(nodes[-1]):
        return None
    low, high = -1, len(nodes) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fails(nodes[middle]) else (middle, high)
    found = nodes[high]
    while before := next(filter(fails, _computed_before(found)), None):
        found = before
    layer: keras.layers.Layer = found.operation
    return layer


def _computed_before(node: Any) -> list[Any]:
    return [each for each in node.parent_nodes if not each.is_input]
