import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import Builder
from hypothesis import given, settings
from hypothesis import strategies as st
from tflite_for_tests import convert, sequential

from ecavg_tf.core.errors import ExportError
from export.reading.flatmodel import FlatModel, read_flatmodel
from export.reading.runtime_versions import first_release, oldest_runtime

layers = keras.layers


def built(*tensors: schema.TensorT, **fields: object) -> bytes:
    """A file made by hand: one operator that maps tensor 0 to the last."""
    operator = schema.OperatorT(opcodeIndex=0, inputs=[0], outputs=[len(tensors) - 1])
    operator.inputs = fields.get("inputs", [0])
    graph = schema.SubGraphT(tensors=list(tensors), operators=[operator])
    graph.inputs, graph.outputs = [0], [len(tensors) - 1]
    code = schema.OperatorCodeT(builtinCode=fields.get("code", 0), version=fields.get("version", 1))
    model = schema.ModelT(version=3, operatorCodes=[code], subgraphs=[graph])
    model.buffers = [schema.BufferT(), schema.BufferT(data=np.zeros(4, np.uint8))]
    builder = Builder(64)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def tensor(*shape: int, dtype: int = schema.TensorType.INT8, buffer: int = 0) -> schema.TensorT:
    return schema.TensorT(shape=list(shape), type=dtype, buffer=buffer, name="t")


@pytest.fixture(scope="module")
def dense() -> bytes:
    model = sequential((6,), layers.Dense(5, "relu"), layers.Dense(3))
    return convert(model, "float32")


@pytest.fixture(scope="module")
def dense_int8() -> bytes:
    model = sequential((6,), layers.Dense(5, "relu"), layers.Dense(3, "softmax"))
    return convert(model, "int8")


def test_a_dense_model(dense: bytes) -> None:
    found = read_flatmodel(dense)
    assert [(operator.name, operator.count) for operator in found.operators] == [
        ("FULLY_CONNECTED", 2)
    ]
    assert found.macs == 6 * 5 + 5 * 3
    assert found.uncounted == ()
    assert found.peak_activation_bytes == 4 * (6 + 5)
    assert found.signatures == ("predict",)
    (entry,), (exit_,) = found.inputs, found.outputs
    assert (entry.name, entry.shape, entry.dtype) == ("image", (1, 6), "float32")
    assert (exit_.name, exit_.shape, exit_.dtype) == ("scores", (1, 3), "float32")
    assert entry.scale is None
    assert entry.zero_point is None


def test_parameters_are_those_of_keras() -> None:
    model = sequential((6,), layers.Dense(5, "relu"), layers.Dense(3))
    # Zero biases are dropped by the converter: they cost nothing.
    for layer in model.layers:
        kernel, bias = layer.get_weights()
        layer.set_weights([kernel, bias + np.arange(1, bias.size + 1)])
    assert model.count_params() == (6 * 5 + 5) + (5 * 3 + 3)
    for kind in ("float32", "float16", "int8"):
        assert read_flatmodel(convert(model, kind)).parameters == model.count_params(), kind


def test_int8_quantization_is_that_of_the_interpreter(dense_int8: bytes) -> None:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=dense_int8)
    found = read_flatmodel(dense_int8)
    for port, (details,) in (
        (found.inputs[0], interpreter.get_input_details()),
        (found.outputs[0], interpreter.get_output_details()),
    ):
        assert (port.scale, port.zero_point) == pytest.approx(details["quantization"])
        assert port.dtype == "int8"
    assert found.peak_activation_bytes == 6 + 5


@pytest.mark.parametrize("kind", ["float32", "int8"])
def test_convolutions(kind: str) -> None:
    model = sequential(
        (8, 8, 3),
        layers.Conv2D(4, 3, strides=2, padding="same", activation="relu"),  # 4×4×4
        layers.DepthwiseConv2D(3, depth_multiplier=2, activation="relu"),  # 2×2×8
        layers.Conv2D(6, 1, activation="relu"),  # 2×2×6
        layers.Flatten(),
        layers.Dense(10),
    )
    found = read_flatmodel(convert(model, kind))
    strided = (4 * 4 * 4) * (3 * 3 * 3)
    depthwise = (2 * 2 * 8) * (3 * 3)
    pointwise = (2 * 2 * 6) * 8
    assert found.macs == strided + depthwise + pointwise + 24 * 10
    width = 4 if kind == "float32" else 1
    assert found.peak_activation_bytes == width * (8 * 8 * 3 + 4 * 4 * 4)


def test_a_transposed_convolution() -> None:
    model = sequential((4, 4, 3), layers.Conv2DTranspose(5, 2, strides=2))
    assert read_flatmodel(convert(model, "float32")).macs == (4 * 4 * 3) * (2 * 2 * 5)


def test_residual_branches_stay_alive() -> None:
    entry = keras.Input((4,))
    left = layers.Dense(8, "relu")(entry)
    right = layers.Dense(8, "relu")(layers.Dense(16, "relu")(left))
    found = read_flatmodel(convert(keras.Model(entry, left + right), "float32"))
    assert found.peak_activation_bytes == 4 * (8 + 16 + 8)


@pytest.mark.slow
def test_mobilenet_v2_costs_what_its_layers_say() -> None:
    model = keras.applications.MobileNetV2((32, 32, 3), weights=None, classes=10)
    expected = 0
    for layer in model.layers:
        if isinstance(layer, layers.DepthwiseConv2D):
            height, width = layer.kernel_size
            expected += int(np.prod(layer.output.shape[1:])) * height * width
        elif isinstance(layer, layers.Conv2D):
            expected += int(np.prod(layer.output.shape[1:])) * int(np.prod(layer.kernel.shape[:3]))
        elif isinstance(layer, layers.Dense):
            expected += int(np.prod(layer.kernel.shape))
    found = read_flatmodel(convert(model, "float32"))
    assert found.macs == expected == 6_124_928
    # The first expansion that is not fused: 16×16×96 before and 8×8×96 after its stride.
    assert found.peak_activation_bytes == 4 * (16 * 16 * 96 + 8 * 8 * 96)


def test_float16_weights_are_no_activations(dense: bytes) -> None:
    model = sequential((6,), layers.Dense(5, "relu"), layers.Dense(3))
    found = read_flatmodel(convert(model, "float16"))
    assert "DEQUANTIZE" in [operator.name for operator in found.operators]
    assert found.peak_activation_bytes == read_flatmodel(dense).peak_activation_bytes


@pytest.mark.parametrize("kind", ["float32", "float16", "dynamic", "int8"])
def test_our_releases_agree_with_what_the_converter_writes(kind: str) -> None:
    # Dense weights under 1,024 elements are left in float by the dynamic-range converter.
    model = sequential(
        (8, 8, 3),
        layers.Rescaling(1 / 255),
        layers.Conv2D(16, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(10, "softmax"),
    )
    found = read_flatmodel(convert(model, kind))
    written = dict(found.metadata)["min_runtime_version"].rstrip(b"\0").decode()
    operators = [(operator.name, operator.version) for operator in found.operators]
    assert oldest_runtime(operators, None) == written == found.min_runtime


def test_releases() -> None:
    assert first_release("FULLY_CONNECTED", 12) == "2.17.0"
    assert first_release("TRANSPOSE", 7) == "2.14.4"
    assert first_release("FULLY_CONNECTED", 99) is None
    assert first_release("FULLY_CONNECTED", 0) is None
    assert oldest_runtime([("ADD", 2), ("CONV_2D", 6)], None) == "2.9.0"
    assert oldest_runtime([("ADD", 2), ("NEW", 1)], None) is None
    assert oldest_runtime([("ADD", 2), ("NEW", 1)], "2.18.0") == "2.18.0"
    assert oldest_runtime([("CONV_2D", 8)], "1.5.0") == "2.15.0"
    assert oldest_runtime([("ADD", 1)], "a fish") == "1.5.0"
    assert oldest_runtime([], None) is None


def test_a_file_made_by_hand() -> None:
    found = read_flatmodel(built(tensor(1, 7), tensor(1, 7)))
    assert [(o.name, o.version, o.count) for o in found.operators] == [("ADD", 1, 1)]
    assert found.peak_activation_bytes == 14
    assert found.inputs[0].name == "t"


def test_half_bytes_and_custom_operators() -> None:
    found = read_flatmodel(built(tensor(7, dtype=schema.TensorType.INT4), tensor(1), code=32))
    assert found.peak_activation_bytes == 4 + 1
    assert found.operators[0].name == "CUSTOM:"
    assert found.uncounted == ("CUSTOM:",)
    assert found.min_runtime is None


@pytest.mark.parametrize(
    ("damaged", "line"),
    [
        (lambda: b"", "not a .tflite file: 0 bytes"),
        (lambda: b"PK\3\4" * 100, "not a .tflite file"),
        (lambda: built(tensor(1), tensor(1), inputs=[5]), "tensor 5 of 2"),
        (lambda: built(tensor(1), tensor(1), inputs=[-2]), "tensor -2 of 2"),
        (lambda: built(tensor(1), tensor(1, buffer=9)), "buffer 9 of 2"),
        (lambda: built(tensor(1), tensor(8, buffer=1)), "4 of its 8 bytes"),
        (lambda: built(tensor(1), tensor(-8)), "the least -8"),
        (lambda: built(tensor(*[1] * 99), tensor(1)), "99 dimensions"),
        (lambda: b"\xff\xff\xff\x7fTFL3", "outside its 8 bytes"),
    ],
)
def test_damage_is_named(damaged: object, line: str) -> None:
    with pytest.raises(ExportError, match=line) as caught:
        read_flatmodel(damaged())  # type: ignore[operator]
    assert "\n" not in str(caught.value)


def test_names_that_share_their_bytes_are_no_bomb() -> None:
    """A thousand tensors, all of whose names are one text of the file's size."""
    builder = Builder(64)
    name = builder.CreateString("n" * 100_000)
    tensors = []
    for _ in range(1_000):
        schema.TensorStart(builder)
        schema.TensorAddName(builder, name)
        tensors.append(schema.TensorEnd(builder))
    schema.SubGraphStartTensorsVector(builder, len(tensors))
    for one in tensors:
        builder.PrependUOffsetTRelative(one)
    vector = builder.EndVector()
    schema.SubGraphStart(builder)
    schema.SubGraphAddTensors(builder, vector)
    graph = schema.SubGraphEnd(builder)
    schema.ModelStartSubgraphsVector(builder, 1)
    builder.PrependUOffsetTRelative(graph)
    graphs = builder.EndVector()
    schema.BufferStart(builder)
    buffer = schema.BufferEnd(builder)
    schema.ModelStartBuffersVector(builder, 1)
    builder.PrependUOffsetTRelative(buffer)
    buffers = builder.EndVector()
    schema.ModelStart(builder)
    schema.ModelAddSubgraphs(builder, graphs)
    schema.ModelAddBuffers(builder, buffers)
    builder.Finish(schema.ModelEnd(builder), b"TFL3")
    with pytest.raises(ExportError, match="claims far more than its"):
        read_flatmodel(bytes(builder.Output()))


def test_every_truncation_is_refused(dense: bytes) -> None:
    end = len(dense.rstrip(b"\0"))
    for length in range(0, end - 1, 7):
        with pytest.raises(ExportError):
            read_flatmodel(dense[:length])


def test_what_is_appended_is_ignored(dense: bytes) -> None:
    assert read_flatmodel(dense + b"PK labels") == read_flatmodel(dense)


@settings(max_examples=400, deadline=2_000)
@given(st.data())
def test_hostile_bytes_never_crash(dense: bytes, data: st.DataObject) -> None:
    hostile = bytearray(dense)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(hostile) - 4))
        hostile[at : at + 4] = data.draw(st.binary(min_size=4, max_size=4))
    try:
        assert isinstance(read_flatmodel(bytes(hostile)), FlatModel)
    except ExportError as error:
        assert "\n" not in str(error)
