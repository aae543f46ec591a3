"""Tells from a file alone whether tflite-micro can run it: full-int8, known operators."""

from ecavg_tf.core.errors import ExportError
from export.reading.flatbuffer import read_graph
from export.reading.flatmodel import FlatModel, read_flatmodel
from export.reading.graph import Subgraph
from export.reading.number_types import FLOATS, float_operators

# The parts of an operator's name that are not simply capitalized in MicroMutableOpResolver,
# as of the nightly that the extra `micro` pins.
_SPELLED = {
    "BATCH_MATMUL": "BatchMatMul",
    "CUMSUM": "CumSum",
    "L2_NORMALIZATION": "L2Normalization",
    "PADV2": "PadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTM",
}
_NAMES = (
    "ABS ADD ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE AVERAGE_POOL_2D BATCH_MATMUL "
    "BATCH_TO_SPACE_ND BROADCAST_ARGS BROADCAST_TO CALL_ONCE CAST CEIL CONCATENATION CONV_2D "
    "COS CUMSUM DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE DIV DYNAMIC_UPDATE_SLICE ELU "
    "EMBEDDING_LOOKUP EQUAL EXP EXPAND_DIMS FILL FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED "
    "GATHER GATHER_ND GREATER GREATER_EQUAL HARD_SWISH IF L2_NORMALIZATION L2_POOL_2D "
    "LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC LOG_SOFTMAX "
    "MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG NOT_EQUAL PACK PAD PADV2 PRELU "
    "QUANTIZE READ_VARIABLE REDUCE_ALL REDUCE_MAX REDUCE_MIN RELU RELU6 RESHAPE "
    "RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 ROUND RSQRT SELECT_V2 SHAPE SIN SLICE "
    "SOFTMAX SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE "
    "SQUEEZE STRIDED_SLICE SUB SUM SVDF TANH TRANSPOSE TRANSPOSE_CONV "
    "UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK VAR_HANDLE WHILE ZEROS_LIKE "
)
_OPERATORS = frozenset(_NAMES.split())


def resolver_call(operator: str) -> str:
    """The ``MicroMutableOpResolver`` method that registers an operator ("AddConv2D").

    Raises:
        ExportError: tflite-micro has no such operator.
    """
    if operator not in _OPERATORS:
        raise ExportError(
            f"tflite-micro has no operator {operator}; build the model from layers that "
            "convert to others, or run the file with LiteRT"
        )
    spelled = "".join(
        part[:-1].capitalize() + "D" if part in ("2D", "3D") else part.capitalize()
        for part in operator.split("_")
    )
    return f"Add{_SPELLED.get(operator, spelled)}"


def require_micro(tflite: bytes) -> FlatModel:
    """Refuses a file that no microcontroller could run, naming operator and type.

    Args:
        tflite: the file's bytes.

    Returns:
        The file's facts.

    Raises:
        ExportError: it is no full-int8 file of one input and one output, an operator is
            not in tflite-micro, or the file is damaged.
    """
    facts = read_flatmodel(tflite)
    _require_eight_bits(tflite)
    for graph in read_graph(tflite).subgraphs:
        _require_integers(graph)
    for operator in facts.operators:
        resolver_call(operator.name)
    for side, ports in (("input", facts.inputs), ("output", facts.outputs)):
        if len(ports) != 1:
            raise ExportError(
                f"the file has {len(ports)} {side}s; the microcontroller target takes one "
                "example and gives one score a class"
            )
        (port,) = ports
        if port.dtype != "int8" or port.scale is None or port.scale <= 0:
            raise ExportError(
                f"the file's {side} {port.name!r} is {port.dtype} without a scale for int8; "
                "export it with --formats=int8 (int8 in and out)"
            )
        if min(port.shape, default=1) < 1:
            raise ExportError(
                f"the file's {side} {port.name!r} has shape {port.shape}; tflite-micro "
                "can't resize: export it at batch 1"
            )
    return facts


def _require_eight_bits(tflite: bytes) -> None:
    """Names operators that have no int8 form, which the converter leaves in float32."""
    names = float_operators(tflite)
    if names:
        verb, form = ("has", "it runs") if len(names) == 1 else ("have", "they run")
        raise ExportError(
            f"operator {', '.join(names)} {verb} no int8 form, {form} in float32 inside this int8 "
            "file, and microcontrollers take full-int8 files: build the model from other layers "
            "(BatchNormalization for Group- or LayerNormalization, ReLU for ELU or GELU)"
        )


def _require_integers(graph: Subgraph) -> None:
    """Names the operator that tells best which kind of file it is."""
    kinds: dict[str, str] = {}
    for number, node in enumerate(graph.nodes):
        tensors = [graph.tensors[index] for index in (*node.inputs, *node.outputs) if index >= 0]
        floats = {tensor.dtype for tensor in tensors if tensor.dtype in FLOATS}
        if not floats:
            continue
        if "float16" in floats:
            kind = "float16"
        elif any(tensor.constant and tensor.dtype == "int8" for tensor in tensors):
            kind = "dynamic-range"
        elif node.name in ("QUANTIZE", "DEQUANTIZE"):
            kind = "int8 with other inputs or outputs"
        else:
            kind = "float32"
        types = " and ".join(sorted({tensor.dtype for tensor in tensors}))
        kinds.setdefault(kind, f"operator {number}, {node.name}, works on {types}")
    for kind in ("float16", "dynamic-range", "float32", "int8 with other inputs or outputs"):
        if kind in kinds:
            raise ExportError(
                f"microcontrollers take full-int8 files and this one is {kind}: {kinds[kind]}; "
                "export it with --formats=int8"
            )
