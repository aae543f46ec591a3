"""What numbers a ``.tflite`` file computes in."""

from export.reading.flatbuffer import read_graph

FLOATS = ("float16", "float32", "float64", "bfloat16")
_BETWEEN = ("QUANTIZE", "DEQUANTIZE")


def float_operators(tflite: bytes) -> tuple[str, ...]:
    """The operators that a file of int8 in and out computes in floats, sorted.

    Operators without a form for 8 bits stay in float32 between a DEQUANTIZE and a QUANTIZE.

    Args:
        tflite: the file's bytes.

    Returns:
        Their names; nothing for a file whose inputs or outputs are floats.

    Raises:
        ExportError: the file is damaged.
    """
    graph = read_graph(tflite)
    main = graph.subgraphs[0]
    if any(main.tensors[at].dtype != "int8" for at in (*main.inputs, *main.outputs)):
        return ()
    found = {
        node.name
        for each in graph.subgraphs
        for node in each.nodes
        if node.name not in _BETWEEN
        and any(each.tensors[at].dtype in FLOATS for at in (*node.inputs, *node.outputs) if at >= 0)
    }
    return tuple(sorted(found))
