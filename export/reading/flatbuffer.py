"""A ``.tflite`` file's flatbuffer, read into plain Python with every offset distrusted.

The schema is the one that ai-edge-litert ships. Its accessors believe what a file says:
a length of four billion is four billion steps, and a thousand offsets may point at one
long name. So all that is read is drawn from one budget, a few times the file's own
size: an honest file is read about once, and a walk never grows long.
"""

import struct
from collections.abc import Callable
from typing import Any, TypeVar

from ai_edge_litert import schema_py_generated as schema

from ecavg_tf.core.errors import ExportError
from export.reading.graph import Graph, Node, Signature, Subgraph, Tensor

_Item = TypeVar("_Item")

IDENTIFIER = b"TFL3"
_MAX_RANK = 16
_BUDGET = 4  # writers may share equal names and vectors
# What the generated accessors and struct raise when an offset leads outside the file.
_OUTSIDE = (
    struct.error,
    AttributeError,
    IndexError,
    MemoryError,
    OverflowError,
    TypeError,
    UnicodeDecodeError,
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
    except _OUTSIDE as error:
        if isinstance(error, ExportError):
            raise
        raise _damaged(f"an offset leads outside its {len(tflite)} bytes ({error})") from error


def _damaged(what: str) -> ExportError:
    return ExportError(
        f"the .tflite file is damaged or cut short: {what}; copy or convert it again"
    )


class _Reader:
    """Walks one file within its budget of vector elements."""

    def __init__(self, tflite: bytes) -> None:
        self._bytes = tflite
        self._budget = _BUDGET * len(tflite)
        self._model: Any = schema.Model.GetRootAs(tflite)
        self._operators = _names(schema.BuiltinOperator)
        self._types = _names(schema.TensorType)

    def graph(self) -> Graph:
        model = self._model
        buffers = self._each(model.BuffersLength(), model.Buffers, self._buffer)
        codes = self._each(model.OperatorCodesLength(), model.OperatorCodes, self._code)
        subgraphs = self._each(
            model.SubgraphsLength(),
            model.Subgraphs,
            lambda subgraph: self._subgraph(subgraph, codes, buffers),
        )
        if not subgraphs:
            raise _damaged("it holds no graph")
        return Graph(
            subgraphs,
            self._each(
                model.SignatureDefsLength(),
                model.SignatureDefs,
                lambda signature: self._signature(signature, subgraphs),
            ),
            self._each(
                model.MetadataLength(),
                model.Metadata,
                lambda entry: (
                    self._text(entry.Name()),
                    self._copied(_at(buffers, entry.Buffer(), "buffer")),
                ),
            ),
            self._text(model.Description()),
        )

    def _each(
        self, length: int, get: Callable[[int], Any], read: Callable[[Any], _Item]
    ) -> tuple[_Item, ...]:
        self._spend(length)
        return tuple(read(get(index)) for index in range(length))

    def _spend(self, elements: int) -> None:
        self._budget -= elements
        if self._budget < 0:
            raise _damaged(f"it claims far more than its {len(self._bytes)} bytes can hold")

    def _vector(self, length: int, array: Callable[[], Any]) -> tuple[Any, ...]:
        self._spend(length)
        return tuple(array().tolist()) if length else ()

    def _text(self, raw: bytes | None) -> str:
        self._spend(len(raw or b""))
        return (raw or b"").decode("utf-8", "replace")

    def _copied(self, data: memoryview) -> bytes:
        self._spend(len(data))
        return bytes(data)

    def _buffer(self, buffer: Any) -> memoryview:
        """A view of a buffer's data, inline or after the flatbuffer (files over 2 GB)."""
        start, size = buffer.Offset(), buffer.Size()
        if start > 1:
            if start + size > len(self._bytes):
                raise _damaged(f"a buffer ends at byte {start + size} of {len(self._bytes)}")
            return memoryview(self._bytes)[start : start + size]
        return memoryview(buffer.DataAsNumpy() if buffer.DataLength() else b"")

    def _code(self, code: Any) -> tuple[str, int]:
        # Files written before there were 127 operators have only the old field.
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        name = self._operators.get(number, f"BUILTIN_{number}")
        if name == "CUSTOM":
            name = f"CUSTOM:{self._text(code.CustomCode())}"
        return name, code.Version()

    def _subgraph(
        self, subgraph: Any, codes: tuple[tuple[str, int], ...], buffers: tuple[memoryview, ...]
    ) -> Subgraph:
        tensors = self._each(
            subgraph.TensorsLength(), subgraph.Tensors, lambda tensor: self._tensor(tensor, buffers)
        )
        nodes = self._each(
            subgraph.OperatorsLength(),
            subgraph.Operators,
            lambda node: self._node(node, codes, len(tensors)),
        )
        inputs = self._indices(subgraph, "Inputs", len(tensors))
        outputs = self._indices(subgraph, "Outputs", len(tensors))
        return Subgraph(tensors, nodes, inputs, outputs)

    def _node(self, node: Any, codes: tuple[tuple[str, int], ...], tensors: int) -> Node:
        name, version = _at(codes, node.OpcodeIndex(), "operator code")
        adjoint = False
        if node.BuiltinOptionsType() == schema.BuiltinOptions.BatchMatMulOptions:
            options: Any = schema.BatchMatMulOptions()
            table = node.BuiltinOptions()
            options.Init(table.Bytes, table.Pos)
            adjoint = bool(options.AdjX())
        return Node(
            name,
            version,
            self._indices(node, "Inputs", tensors, optional=True),
            self._indices(node, "Outputs", tensors),
            adjoint,
        )

    def _indices(
        self, owner: Any, field: str, tensors: int, *, optional: bool = False
    ) -> tuple[int, ...]:
        length, array = getattr(owner, f"{field}Length")(), getattr(owner, f"{field}AsNumpy")
        indices = self._vector(length, array)
        for index in indices:
            if not (0 <= index < tensors or (optional and index == -1)):
                raise _damaged(f"it names tensor {index} of {tensors}")
        return indices

    def _tensor(self, tensor: Any, buffers: tuple[memoryview, ...]) -> Tensor:
        shape = self._vector(tensor.ShapeLength(), tensor.ShapeAsNumpy)
        signature = self._vector(tensor.ShapeSignatureLength(), tensor.ShapeSignatureAsNumpy)
        name = self._text(tensor.Name())
        if len(shape) > _MAX_RANK or min(shape, default=0) < 0:
            raise _damaged(f"tensor {name!r} has {len(shape)} dimensions, the least {min(shape)}")
        data = _at(buffers, tensor.Buffer(), "buffer")
        scales, zero_points = self._quantization(tensor.Quantization())
        found = Tensor(
            name,
            shape,
            signature if len(signature) == len(shape) else shape,
            self._types.get(tensor.Type(), f"type_{tensor.Type()}").lower(),
            bool(data) or tensor.ExternalBuffer() != 0,
            scales,
            zero_points,
        )
        if data and tensor.Sparsity() is None and len(data) < found.bytes:
            raise _damaged(f"tensor {name!r} has {len(data)} of its {found.bytes} bytes")
        return found

    def _quantization(self, found: Any) -> tuple[tuple[float, ...], tuple[int, ...]]:
        if found is None:
            return (), ()
        return (
            self._vector(found.ScaleLength(), found.ScaleAsNumpy),
            self._vector(found.ZeroPointLength(), found.ZeroPointAsNumpy),
        )

    def _signature(self, signature: Any, subgraphs: tuple[Subgraph, ...]) -> Signature:
        number = signature.SubgraphIndex()
        tensors = _at(subgraphs, number, "graph").tensors

        def named(entry: Any) -> tuple[str, int]:
            _at(tensors, entry.TensorIndex(), "tensor")
            return self._text(entry.Name()), entry.TensorIndex()

        return Signature(
            self._text(signature.SignatureKey()),
            number,
            self._each(signature.InputsLength(), signature.Inputs, named),
            self._each(signature.OutputsLength(), signature.Outputs, named),
        )


def _names(enumeration: type) -> dict[int, str]:
    return {value: name for name, value in vars(enumeration).items() if not name.startswith("_")}


def _at(items: tuple[_Item, ...], index: int, what: str) -> _Item:
    if not 0 <= index < len(items):
        raise _damaged(f"it names {what} {index} of {len(items)}")
    return items[index]
