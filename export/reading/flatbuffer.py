"""A ``.tflite`` file's flatbuffer, read into plain Python; every offset is checked.

The schema is the one that ai-edge-litert ships. Its object API (``ModelT``) would unpack a file
in one call, but believes what the file says: a length of four billion is four billion steps,
and a thousand offsets may point at one long name. A file of 24 kB took it 7.5 s and 1.9 GB. So
all that is read here is drawn from one budget, twice the file's own size: an honest file
spends a fifth of its size, and a walk never grows long.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from ai_edge_litert import schema_py_generated as schema

from ecavg_tf.core.errors import ExportError
from export.reading.graph import Graph, Node, Signature, Subgraph, Tensor

_Item = TypeVar("_Item")

IDENTIFIER = b"TFL3"
_MAX_RANK = 16
_BUDGET = 2  # times the file's size: writers may share equal names and vectors
_TABLE, _NUMBER = 8, 4  # the fewest bytes of a table with its offset, and of a number
# What the generated accessors and struct raise when an offset leads outside the file.
_OUTSIDE = (
    struct.error,
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    TypeError,
    ValueError,
)


def read_graph(tflite: bytes) -> Graph:
    """Reads a ``.tflite`` file.

    Args:
        tflite: the file's bytes; what is appended after the flatbuffer is ignored.

    Raises:
        ExportError: it is no TFLite flatbuffer, is cut short, or an index or an offset
            in it leads nowhere.
    """
    if len(tflite) < 8 or tflite[4:8] != IDENTIFIER:
        raise ExportError(
            f"not a .tflite file: {len(tflite)} bytes, and {bytes(tflite[4:8])!r} stands where "
            f"{IDENTIFIER!r} is expected; convert the model again"
        )
    try:
        return _Reader(bytes(tflite)).graph()
    except ExportError:
        raise
    except _OUTSIDE as error:
        raise _damaged(f"an offset leads outside its {len(tflite)} bytes ({error})") from error


def _damaged(what: str) -> ExportError:
    return ExportError(
        f"the .tflite file is damaged or cut short: {what}; copy or convert it again"
    )


class _Reader:
    """Walks one file; what it reads, in bytes, is taken from the budget."""

    def __init__(self, tflite: bytes) -> None:
        self._bytes = tflite
        self._budget = _BUDGET * len(tflite)
        self._operators = _names(schema.BuiltinOperator)
        self._types = _names(schema.TensorType)

    def graph(self) -> Graph:
        model = schema.Model.GetRootAs(self._bytes)
        self._buffers = list(map(self._buffer, self._tables(model, "Buffers")))
        self._codes = list(map(self._code, self._tables(model, "OperatorCodes")))
        subgraphs = tuple(map(self._subgraph, self._tables(model, "Subgraphs")))
        if not subgraphs:
            raise _damaged("it holds no graph")
        return Graph(
            subgraphs,
            tuple(self._signature(s, subgraphs) for s in self._tables(model, "SignatureDefs")),
            tuple(map(self._metadata, self._tables(model, "Metadata"))),
            self._text(model.Description()),
        )

    def _spend(self, size: int) -> None:
        self._budget -= size
        if self._budget < 0:
            raise _damaged(f"it claims far more than its {len(self._bytes)} bytes can hold")

    def _tables(self, owner: Any, field: str) -> Iterator[Any]:
        length, get = getattr(owner, f"{field}Length")(), getattr(owner, field)
        self._spend(_TABLE * length)
        return (get(index) for index in range(length))

    def _numbers(self, owner: Any, field: str) -> tuple[Any, ...]:
        length = getattr(owner, f"{field}Length")()
        self._spend(_NUMBER * length)
        return tuple(getattr(owner, f"{field}AsNumpy")().tolist()) if length else ()

    def _text(self, raw: bytes | None) -> str:
        self._spend(len(raw or b""))
        return (raw or b"").decode("utf-8", "replace")

    def _buffer(self, buffer: Any) -> memoryview:
        """A view of a buffer's data, inline or after the flatbuffer (files over 2 GB)."""
        start, size = buffer.Offset(), buffer.Size()
        if start > 1:
            if start + size > len(self._bytes):
                raise _damaged(f"a buffer ends at byte {start + size} of {len(self._bytes)}")
            return memoryview(self._bytes)[start : start + size]
        return memoryview(buffer.DataAsNumpy() if buffer.DataLength() else b"")

    def _metadata(self, entry: Any) -> tuple[str, bytes]:
        data = _at(self._buffers, entry.Buffer(), "buffer")
        self._spend(len(data))
        return self._text(entry.Name()), bytes(data)

    def _code(self, code: Any) -> tuple[str, int]:
        # Files written before there were 127 operators have only the old field.
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        name = self._operators.get(number, f"BUILTIN_{number}")
        if name == "CUSTOM":
            name = f"CUSTOM:{self._text(code.CustomCode())}"
        return name, code.Version()

    def _subgraph(self, subgraph: Any) -> Subgraph:
        tensors = tuple(map(self._tensor, self._tables(subgraph, "Tensors")))
        count = len(tensors)
        return Subgraph(
            tensors,
            tuple(self._node(each, count) for each in self._tables(subgraph, "Operators")),
            self._indices(subgraph, "Inputs", count),
            self._indices(subgraph, "Outputs", count),
        )

    def _node(self, node: Any, tensors: int) -> Node:
        name, version = _at(self._codes, node.OpcodeIndex(), "operator code")
        adjoint = False
        if node.BuiltinOptionsType() == schema.BuiltinOptions.BatchMatMulOptions:
            table = node.BuiltinOptions()
            adjoint = bool(schema.BatchMatMulOptionsT.InitFromBuf(table.Bytes, table.Pos).adjX)
        inputs = self._indices(node, "Inputs", tensors, optional=True)
        return Node(name, version, inputs, self._indices(node, "Outputs", tensors), adjoint)

    def _indices(
        self, owner: Any, field: str, tensors: int, *, optional: bool = False
    ) -> tuple[int, ...]:
        indices = self._numbers(owner, field)
        for index in indices:
            if not (0 <= index < tensors or (optional and index == -1)):
                raise _damaged(f"it names tensor {index} of {tensors}")
        return indices

    def _tensor(self, tensor: Any) -> Tensor:
        shape = self._numbers(tensor, "Shape")
        signature = self._numbers(tensor, "ShapeSignature")
        name = self._text(tensor.Name())
        if len(shape) > _MAX_RANK or min(shape, default=0) < 0:
            raise _damaged(f"tensor {name!r} has {len(shape)} dimensions, the least {min(shape)}")
        data = _at(self._buffers, tensor.Buffer(), "buffer")
        quantization = tensor.Quantization()
        found = Tensor(
            name,
            shape,
            signature if len(signature) == len(shape) else shape,
            self._types.get(tensor.Type(), f"type_{tensor.Type()}").lower(),
            bool(data) or tensor.ExternalBuffer() != 0,
            self._numbers(quantization, "Scale") if quantization else (),
            self._numbers(quantization, "ZeroPoint") if quantization else (),
        )
        if data and tensor.Sparsity() is None and len(data) < found.bytes:
            raise _damaged(f"tensor {name!r} has {len(data)} of its {found.bytes} bytes")
        return found

    def _signature(self, signature: Any, subgraphs: Sequence[Subgraph]) -> Signature:
        number = signature.SubgraphIndex()
        tensors = _at(subgraphs, number, "graph").tensors

        def named(entry: Any) -> tuple[str, int]:
            _at(tensors, entry.TensorIndex(), "tensor")
            return self._text(entry.Name()), entry.TensorIndex()

        return Signature(
            self._text(signature.SignatureKey()),
            number,
            tuple(map(named, self._tables(signature, "Inputs"))),
            tuple(map(named, self._tables(signature, "Outputs"))),
        )


def _names(enumeration: type) -> dict[int, str]:
    return {value: name for name, value in vars(enumeration).items() if not name.startswith("_")}


def _at(items: Sequence[_Item], index: int, what: str) -> _Item:
    if not 0 <= index < len(items):
        raise _damaged(f"it names {what} {index} of {len(items)}")
    return items[index]
