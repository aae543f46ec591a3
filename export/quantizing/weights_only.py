"""Lets a dynamic file compute in float32: its weights stay in 8 bits and are unpacked first.

A dynamic file rounds what every kernel of 8 bits reads, by the range of each example. Where
that costs too many labels, a ``DEQUANTIZE`` before each kernel leaves nothing rounded but the
weights. The file keeps its size; a runtime unpacks the weights when it loads it.
"""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

_IDENTIFIER = b"TFL3"
_OPERATORS = schema.BuiltinOperator
_LINEAR = (_OPERATORS.CONV_2D, _OPERATORS.DEPTHWISE_CONV_2D, _OPERATORS.FULLY_CONNECTED)
_PER_CHANNEL = 5  # the version of DEQUANTIZE that knows one scale for each channel


def computing_in_float(content: bytes) -> bytes:
    """The same file with its weights unpacked before they are used.

    Args:
        content: a dynamic file, without anything appended.
    """
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = _OPERATORS.DEQUANTIZE
    code.version = _PER_CHANNEL
    model.operatorCodes.append(code)
    for graph in model.subgraphs:
        graph.operators = [*_unpacked(model, graph), *graph.operators]
    for each in model.operatorCodes:
        if each.builtinCode in _LINEAR:
            each.version = 1  # as of float32
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), _IDENTIFIER)
    return bytes(builder.Output())


def _unpacked(model: schema.ModelT, graph: schema.SubGraphT) -> list[schema.OperatorT]:
    """Operators that unpack kernels; those that use the kernels read the result."""
    made: dict[int, schema.OperatorT] = {}
    for operator in graph.operators:
        linear = model.operatorCodes[operator.opcodeIndex].builtinCode in _LINEAR
        if not linear or graph.tensors[operator.inputs[1]].type != schema.TensorType.INT8:
            continue
        stored = int(operator.inputs[1])
        if stored not in made:
            graph.tensors.append(_float_of(graph.tensors[stored]))
            made[stored] = schema.OperatorT()
            made[stored].opcodeIndex = len(model.operatorCodes) - 1
            made[stored].inputs = np.array([stored], np.int32)
            made[stored].outputs = np.array([len(graph.tensors) - 1], np.int32)
        operator.inputs = np.array(operator.inputs, np.int32)
        operator.inputs[1] = made[stored].outputs[0]
        if hasattr(operator.builtinOptions, "asymmetricQuantizeInputs"):
            operator.builtinOptions.asymmetricQuantizeInputs = False
    return list(made.values())


def _float_of(stored: schema.TensorT) -> schema.TensorT:
    tensor = schema.TensorT()
    tensor.shape, tensor.type, tensor.buffer = stored.shape, schema.TensorType.FLOAT32, 0
    tensor.name = stored.name + b"_unpacked"
    return tensor
