"""A graph's costs, computed without running it: multiply-accumulates and live activations."""

import math

from export.reading.graph import Node, Subgraph, Tensor

# They multiply, but how often depends on what they call or on a loop.
_UNCOUNTED = (
    "BIDIRECTIONAL_SEQUENCE_LSTM",
    "BIDIRECTIONAL_SEQUENCE_RNN",
    "CALL",
    "CALL_ONCE",
    "IF",
    "LSTM",
    "RNN",
    "SVDF",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
    "UNIDIRECTIONAL_SEQUENCE_RNN",
    "WHILE",
)


def macs(graph: Subgraph) -> int:
    """Multiply-accumulates of one inference at the shapes that the file states.

    Counted are convolutions and matrix products; additions, scalings and pooling are
    not, as is usual (Arm's Vela counts so within 0.02 %).
    """
    return sum(_node_macs(node, graph.tensors) for node in graph.nodes)


def uncounted(graph: Subgraph) -> tuple[str, ...]:
    """Names of operators that may multiply and that ``macs`` leaves out."""
    names = {node.name for node in graph.nodes}
    return tuple(sorted(name for name in names if name in _UNCOUNTED or name.startswith("CUSTOM:")))


def _node_macs(node: Node, tensors: tuple[Tensor, ...]) -> int:
    def shape(indices: tuple[int, ...], position: int) -> tuple[int, ...]:
        present = position < len(indices) and indices[position] >= 0
        return tensors[indices[position]].shape if present else ()

    output = math.prod(shape(node.outputs, 0))
    weights = shape(node.inputs, 1)
    match node.name:
        case "CONV_2D" | "FULLY_CONNECTED":
            # Weights are (out, height, width, in / groups) or (out, in).
            return output * math.prod(weights[1:])
        case "DEPTHWISE_CONV_2D":
            return output * math.prod(weights[1:3])  # (1, height, width, channels)
        case "CONV_3D":
            return output * math.prod(weights[:4])  # (depth, height, width, in, out)
        case "TRANSPOSE_CONV":
            # Inputs are (output shape, weights, image); every pixel meets every weight once.
            return math.prod(shape(node.inputs, 2)) * math.prod(weights[:3])
        case "BATCH_MATMUL":
            left = shape(node.inputs, 0)
            return output * (left[-2 if node.adjoint_x else -1] if len(left) > 1 else 0)
        case _:
            return 0


def folded_constants(graph: Subgraph) -> frozenset[int]:
    """Tensors that do not depend on the input: constants, and what is computed from them.

    A float16 file holds its weights as constants under DEQUANTIZE: still weights.
    """
    found = {index for index, tensor in enumerate(graph.tensors) if tensor.constant}
    for node in graph.nodes:
        present = [index for index in node.inputs if index >= 0]
        if present and found.issuperset(present):
            found.update(node.outputs)
    return frozenset(found)


def peak_activation_bytes(graph: Subgraph) -> int:
    """Largest sum of live activations over the execution order, in bytes.

    A tensor lives from the operator that makes it to the last that reads it; inputs
    live from the start, outputs to the end. For full-int8 models this is the head of
    tflite-micro's arena, save that it rounds each tensor up to 16 bytes.
    """
    constants = folded_constants(graph)
    last_step = max(len(graph.nodes) - 1, 0)
    first: dict[int, int] = dict.fromkeys(graph.inputs, 0)
    last: dict[int, int] = dict.fromkeys(graph.inputs, 0)
    for step, node in enumerate(graph.nodes):
        for index in (*node.inputs, *node.outputs):
            if index >= 0:
                first.setdefault(index, step)
                last[index] = step
    for index in graph.outputs:
        first.setdefault(index, last_step)
        last[index] = last_step
    changes = [0] * (len(graph.nodes) + 2)
    for index in first.keys() - constants:
        changes[first[index]] += graph.tensors[index].bytes
        changes[last[index] + 1] -= graph.tensors[index].bytes
    live = peak = 0
    for change in changes:
        live += change
        peak = max(peak, live)
    return peak
