"""Facts that a ``.tflite`` file contains: operators, weights, costs, inputs and outputs."""

from collections import Counter
from dataclasses import dataclass

from ecavg_tf.core.bundles.bundle import TensorSpec
from ecavg_tf.core.exports import Operator
from export.reading import op_costs
from export.reading.flatbuffer import read_graph
from export.reading.graph import Graph, Subgraph, Tensor
from export.reading.runtime_versions import oldest_runtime

_STRUCTURAL = ("int32", "int64", "bool", "string")


@dataclass(frozen=True, kw_only=True)
class Port(TensorSpec):
    """A named input or output tensor.

    Attributes:
        name: name in the signature, or the tensor's where there is no signature.
    """

    name: str


@dataclass(frozen=True)
class FlatModel:
    """Facts about a file, computed from its bytes alone.

    Attributes:
        operators: sorted by name and version, over all graphs of the file.
        parameters: elements of its constant tensors, over all graphs; shapes, axes and
            paddings (integers without a scale) are not counted.
        macs: multiply-accumulates of one inference of the first graph at the shapes
            that the file states (batch 1 where the batch is dynamic).
        uncounted: operators of the first graph that may multiply and are not in ``macs``.
        peak_activation_bytes: largest sum of live activations of the first graph.
        min_runtime: oldest TFLite runtime that has all operators, like "2.14.0"; None
            when it is not known.
        inputs: of the first graph, in its order.
        outputs: of the first graph, in its order.
        signatures: names of the entry points.
        description: free text from the writer of the file.
        metadata: names and contents of the entries that travel inside the file.
    """

    operators: tuple[Operator, ...]
    parameters: int
    macs: int
    uncounted: tuple[str, ...]
    peak_activation_bytes: int
    min_runtime: str | None
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    signatures: tuple[str, ...]
    description: str
    metadata: tuple[tuple[str, bytes], ...]


def read_flatmodel(tflite: bytes) -> FlatModel:
    """Reads the facts of a ``.tflite`` file.

    Args:
        tflite: the file's bytes.

    Raises:
        ExportError: it is no TFLite flatbuffer, or is damaged or cut short.
    """
    graph = read_graph(tflite)
    main = graph.subgraphs[0]
    counts = Counter(
        (node.name, node.version) for subgraph in graph.subgraphs for node in subgraph.nodes
    )
    declared = dict(graph.metadata).get("min_runtime_version", b"")
    return FlatModel(
        operators=tuple(Operator(*key, count) for key, count in sorted(counts.items())),
        parameters=sum(map(_parameters, graph.subgraphs)),
        macs=op_costs.macs(main),
        uncounted=op_costs.uncounted(main),
        peak_activation_bytes=op_costs.peak_activation_bytes(main),
        min_runtime=oldest_runtime(counts, declared.rstrip(b"\0").decode("ascii", "replace")),
        inputs=_ports(graph, main.inputs, "inputs"),
        outputs=_ports(graph, main.outputs, "outputs"),
        signatures=tuple(signature.key for signature in graph.signatures),
        description=graph.description,
        metadata=graph.metadata,
    )


def _parameters(graph: Subgraph) -> int:
    return sum(
        tensor.elements
        for tensor in graph.tensors
        if tensor.constant and (tensor.scales or tensor.dtype not in _STRUCTURAL)
    )


def _ports(graph: Graph, indices: tuple[int, ...], side: str) -> tuple[Port, ...]:
    names: dict[int, str] = {}
    for signature in graph.signatures:
        if signature.subgraph == 0:
            names |= {
                index: name
                for name, index in (signature.inputs if side == "inputs" else signature.outputs)
            }
    tensors = graph.subgraphs[0].tensors
    return tuple(
        _port(names.get(index) or tensors[index].name, tensors[index]) for index in indices
    )


def _port(name: str, tensor: Tensor) -> Port:
    quantized = len(tensor.scales) == 1 and len(tensor.zero_points) == 1
    return Port(
        tensor.signature,
        tensor.dtype,
        tensor.scales[0] if quantized else None,
        tensor.zero_points[0] if quantized else None,
        name=name,
    )
