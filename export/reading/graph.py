"""A ``.tflite`` file's graphs as plain Python: what costs and checks are computed from."""

import math
from dataclasses import dataclass

_BITS = {
    "FLOAT32": 32,
    "FLOAT16": 16,
    "BFLOAT16": 16,
    "FLOAT64": 64,
    "INT2": 2,
    "INT4": 4,
    "UINT4": 4,
    "INT8": 8,
    "UINT8": 8,
    "BOOL": 8,
    "INT16": 16,
    "UINT16": 16,
    "INT32": 32,
    "UINT32": 32,
    "INT64": 64,
    "UINT64": 64,
    "COMPLEX64": 64,
    "COMPLEX128": 128,
    "FLOAT8_E4M3FN": 8,
    "FLOAT8_E5M2": 8,
}


@dataclass(frozen=True)
class Tensor:
    """One tensor of a subgraph.

    Attributes:
        name: as the converter wrote it.
        shape: with 1 where a dimension is dynamic.
        signature: the shape with -1 where a dimension is dynamic.
        dtype: name in the schema, in lower case ("int8", "float32").
        constant: it has data in the file.
        scales: quantization scales, one per tensor or one per channel; empty without.
        zero_points: as many as scales.
    """

    name: str
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    dtype: str
    constant: bool
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]

    @property
    def elements(self) -> int:
        """Product of the shape."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """Memory for its elements; 0 for strings and resources, which have no fixed size."""
        return -(-self.elements * _BITS.get(self.dtype.upper(), 0) // 8)


@dataclass(frozen=True)
class Node:
    """One operator of the execution order; tensors by index, -1 for an absent optional."""

    name: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    adjoint_x: bool = False


@dataclass(frozen=True)
class Subgraph:
    """Tensors and the operators in execution order."""

    tensors: tuple[Tensor, ...]
    nodes: tuple[Node, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Signature:
    """A named entry point: names of inputs and outputs with their tensor indices."""

    key: str
    subgraph: int
    inputs: tuple[tuple[str, int], ...]
    outputs: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Graph:
    """All of a file that costs and checks are computed from."""

    subgraphs: tuple[Subgraph, ...]
    signatures: tuple[Signature, ...]
    metadata: tuple[tuple[str, bytes], ...]
    description: str
