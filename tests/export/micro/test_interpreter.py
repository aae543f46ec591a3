import importlib.util
import platform

import keras
import numpy as np
import pytest
from tflite_for_tests import convert, sequential

from ecavg_tf.core.errors import ExportError, InstallationError
from export.micro import interpreter as interpreter_module
from export.micro import process as process_module
from export.micro.interpreter import ARENA_STEP, int8_inputs, run_in_micro, smallest_arena
from export.micro.judge import judge
from export.micro.process import MicroProcess
from export.reading.flatmodel import read_flatmodel

layers = keras.layers
needs_micro = pytest.mark.skipif(
    importlib.util.find_spec("tflite_micro") is None,
    reason="the extra 'micro' (tflite-micro) is not installed",
)


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    loaded = load_digits()
    return loaded.images[..., None].astype(np.float32), loaded.target


@pytest.fixture(scope="module")
def trained(digits: tuple[np.ndarray, np.ndarray]) -> keras.Model:
    inputs, labels = digits
    model = sequential(
        (8, 8, 1),
        layers.Rescaling(1 / 16),
        layers.Conv2D(8, 3, activation="relu"),
        layers.Flatten(),
        layers.Dense(10, "softmax"),
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(inputs[:1_000], labels[:1_000], epochs=5, verbose=0)
    return model


@pytest.fixture(scope="module")
def int8(trained: keras.Model, digits: tuple[np.ndarray, np.ndarray]) -> bytes:
    return convert(trained, "int8", digits[0][:100])


@needs_micro
def test_digits_run_as_in_litert(
    int8: bytes, digits: tuple[np.ndarray, np.ndarray], trained: keras.Model
) -> None:
    inputs, labels = digits[0][1_000:1_100], digits[1][1_000:1_100]
    run = run_in_micro(int8, inputs)
    assert run.outputs.shape == run.default.shape == run.reference.shape == (100, 10)
    assert run.outputs.dtype == np.int8
    assert run.reference_agreement == 1.0
    assert run.max_difference <= 1
    assert run.agreement >= 0.97
    assert 0 <= run.ties <= 0.1
    keras_accuracy = np.mean(trained.predict(inputs, verbose=0).argmax(axis=1) == labels)
    assert np.mean(run.labels == labels) >= keras_accuracy - 0.03 > 0.8


@needs_micro
def test_the_arena_is_the_smallest(int8: bytes) -> None:
    facts = read_flatmodel(int8)
    with MicroProcess(int8) as process:
        arena = smallest_arena(process, facts)
        assert process.works(arena.needed)
        assert not process.works(arena.needed - ARENA_STEP)
        assert process.works(arena.needed + ARENA_STEP)
    assert arena.needed >= arena.head + arena.tail > arena.tail > 0


@needs_micro
@pytest.mark.parametrize("width", [16, 48])
def test_the_head_is_our_peak(width: int) -> None:
    """Shapes whose sizes are multiples of 16 bytes, which tflite-micro rounds up to."""
    entry = keras.Input((8, 8, 4))
    left = layers.Conv2D(width, 3, padding="same", activation="relu")(entry)
    right = layers.Conv2D(width, 1, activation="relu")(
        layers.DepthwiseConv2D(3, padding="same", activation="relu")(left)
    )
    pooled = layers.GlobalAveragePooling2D()(left + right)
    file = convert(keras.Model(entry, layers.Dense(16, "softmax")(pooled)), "int8")
    facts = read_flatmodel(file)
    with MicroProcess(file) as process:
        assert smallest_arena(process, facts).head == facts.peak_activation_bytes


@needs_micro
def test_a_model_beyond_the_limit_is_refused_by_size(
    int8: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interpreter_module, "_ARENA_LIMIT", 1_024)
    monkeypatch.setattr(interpreter_module, "_ceiling", lambda _: 512)
    facts = read_flatmodel(int8)
    line = f"arena of 1,024 bytes is too small; live activations alone are {288 + 288}"
    with MicroProcess(int8) as process, pytest.raises(ExportError, match=line):
        smallest_arena(process, facts)


@needs_micro
def test_a_crash_is_survived(int8: bytes) -> None:
    with MicroProcess(int8) as process:
        assert not process.works(64)
        assert process.fault is not None
        assert "ended by signal" in process.fault
        assert process.works(100_000)
        assert process.fault is None


@needs_micro
def test_a_time_out_is_named(int8: bytes) -> None:
    with MicroProcess(int8, timeout=0.0) as process:
        assert not process.works(100_000)
        assert process.fault == "no answer within 0 seconds"


@needs_micro
def test_a_small_arena_is_refused_by_size(int8: bytes) -> None:
    inputs = np.zeros((2, 1, 8, 8, 1), np.int8)
    with (
        MicroProcess(int8) as process,
        pytest.raises(ExportError, match="image 0 and following with an arena of 1024 bytes"),
    ):
        process.run(inputs, 1_024)


@needs_micro
def test_what_the_interpreter_lacks_is_named() -> None:
    file = convert(sequential((8,), layers.Dense(5, "gelu"), layers.Dense(3)), "int8")
    with MicroProcess(file) as process, pytest.raises(ExportError, match="no operator GELU"):
        smallest_arena(process, read_flatmodel(file))


@needs_micro
def test_what_the_interpreter_refuses_is_named(trained: keras.Model) -> None:
    file = convert(trained, "float16")
    with MicroProcess(file) as process, pytest.raises(ExportError, match="DEQUANTIZE, fails to"):
        smallest_arena(process, read_flatmodel(file))


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("float32", "this one is float32: operator 0, FULLY_CONNECTED, works on float32;"),
        ("float16", r"this one is float16: operator \d, DEQUANTIZE, works on float16 and float32"),
        ("int8-inside", "is int8 with other inputs or outputs: operator 0, QUANTIZE, works on"),
        ("dynamic", r"is dynamic-range: operator \d, FULLY_CONNECTED, works on float32 and int8"),
    ],
)
def test_other_formats_are_refused(kind: str, line: str) -> None:
    model = sequential((64,), layers.Rescaling(1 / 16), layers.Dense(32), layers.Dense(3))
    with pytest.raises(ExportError, match=line):
        judge(convert(model, kind), np.zeros((1, 64)), flash=10**6, ram=10**6)


def test_float_ends_and_unknown_operators_are_refused() -> None:
    gelu = convert(sequential((8,), layers.Dense(5, "gelu"), layers.Dense(3)), "int8")
    with pytest.raises(ExportError, match="tflite-micro has no operator GELU"):
        run_in_micro(gelu, np.zeros((1, 8)))
    entry = keras.Input((8,))
    two = keras.Model(entry, layers.Dense(3)(entry) + layers.Dense(3)(entry))
    with pytest.raises(ExportError, match="damaged or cut short"):
        run_in_micro(convert(two, "int8")[:-200], np.zeros((1, 8)))


def test_images_must_fit(int8: bytes) -> None:
    (port,) = read_flatmodel(int8).inputs
    for inputs in (np.zeros((0, 8, 8, 1)), np.zeros((3, 8, 9, 1))):
        with pytest.raises(ExportError, match=r"the model takes \(1, 8, 8, 1\)"):
            int8_inputs(inputs, port)


def test_quantization_rounds_and_clips(int8: bytes) -> None:
    (port,) = read_flatmodel(int8).inputs
    assert port.scale is not None
    assert port.zero_point is not None
    image = np.zeros((1, 8, 8, 1))
    image[0, 0, :4, 0] = [-1e9, 1e9, port.scale * 3.4, port.scale * 3.6]
    found = int8_inputs(image, port)[0, 0, :5, 0].tolist()
    zero = port.zero_point
    assert found == [-128, 127, zero + 3, zero + 4, zero]


def test_other_platforms_are_told(int8: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(InstallationError, match=r"built for Linux x86_64, and this is .*aarch64"):
        run_in_micro(int8, np.zeros((1, 8, 8, 1)))


def test_a_missing_package_is_told(int8: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(process_module.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(InstallationError, match=r"pip install 'ecavg-tf\[micro\]'"):
        run_in_micro(int8, np.zeros((1, 8, 8, 1)))
