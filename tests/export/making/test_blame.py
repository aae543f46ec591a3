"""The layer at which the converter crashes is found, and named."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from nets_for_tests import depthwise

import export
from ecavg_tf.core.errors import ExportError
from export.child_process import End
from export.making import convert
from export.making.blame import crashes_at
from export.making.converting_process import ConversionError
from export.making.formats import Variant
from export.quantizing.reading import read_net

L = keras.layers


def holds(name: str, asked: list[int]) -> Callable[[keras.Model], bool]:
    """A converter that crashes wherever a layer is part of the model."""

    def crashes(beginning: keras.Model) -> bool:
        asked.append(len(beginning.layers))
        return name in [layer.name for layer in beginning._flatten_layers()]

    return crashes


def named(model: keras.Model, bad: str) -> tuple[str, int]:
    asked: list[int] = []
    found = crashes_at(model, holds(bad, asked))
    assert found is not None
    return found.name, len(asked)


def test_bisection_finds_every_layer_of_a_chain() -> None:
    chain = keras.Sequential(
        [keras.Input((4,)), *(L.Dense(2, name=f"dense_{at}") for at in range(16))]
    )
    found = [named(chain, f"dense_{at}") for at in range(16)]
    assert [name for name, _ in found] == [f"dense_{at}" for at in range(16)]
    assert max(asked for _, asked in found) <= 1 + 4 + 1  # whole, bisection, what comes before


def test_in_a_graph_with_branches_and_a_model_inside() -> None:
    inside = keras.Sequential([keras.Input((3,)), L.Dense(3, name="deep")], name="inside")
    given = keras.Input((4,))
    left, right = L.Dense(3, name="left")(given), L.Dense(3, name="right")(given)
    joined = L.Add(name="joined")([inside(left), right])
    model = keras.Model(given, L.Dense(2, name="last")(joined))
    for bad, told in [("left", "left"), ("right", "right"), ("deep", "inside"), ("last", "last")]:
        assert named(model, bad)[0] == told


def test_in_long_branches_each_layer_is_found() -> None:
    given = keras.Input((8, 8, 3))
    left = right = given
    for at in range(3):
        left = L.Conv2D(4, 3, padding="same", name=f"left_{at}")(left)
        right = L.Conv2D(4, 1, name=f"right_{at}")(right)
    model = keras.Model(given, L.Dense(2, name="last")(L.Add(name="joined")([left, right])))
    for layer in model.layers[1:]:
        assert named(model, layer.name)[0] == layer.name


def test_a_model_with_a_call_of_its_own_has_no_beginnings() -> None:
    class Own(keras.Model):
        def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
            return inputs

    given = keras.Input((4,))
    for model in (Own(), Own(given, L.Dense(2, name="out")(given))):
        assert crashes_at(model, lambda _: True) is None


def test_what_does_not_crash_again_names_no_layer() -> None:
    chain = keras.Sequential([keras.Input((4,)), L.Dense(2)])
    assert crashes_at(chain, lambda _: False) is None


def conversions_that_die(monkeypatch: pytest.MonkeyPatch, end: End) -> list[Path]:
    """Every conversion ends its process; the folders that were to be converted."""
    asked: list[Path] = []

    def dies(folder: Path, *_: object) -> bytes:
        asked.append(folder)
        raise ConversionError("its process ended", "", end)

    monkeypatch.setattr(convert, "convert_saved", dies)
    return asked


def test_memory_that_runs_out_is_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = conversions_that_die(monkeypatch, End.KILLED)
    with (
        convert.Converter(depthwise(), (8, 8, 1)) as converter,
        pytest.raises(ExportError, match="of this model \\(its process ended\\)"),
    ):
        converter.convert(Variant.FLOAT32)
    assert len(asked) == 1


def test_no_layer_is_blamed_for_a_net_that_is_no_keras_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = conversions_that_die(monkeypatch, End.CRASHED)
    with (
        convert.Converter(depthwise(), (8, 8, 1)) as converter,
        pytest.raises(ExportError, match="of this model \\(its process ended\\)"),
    ):
        converter.convert_net(read_net(depthwise(), (8, 8, 1)), Variant.FLOAT32)
    assert len(asked) == 1


@pytest.mark.slow
def test_what_crashes_a_finished_file_is_named() -> None:
    """An unrolled GRU behind a mask: the converter makes the int8 file, and LiteRT aborts."""
    keras.utils.set_random_seed(0)
    draw = np.random.default_rng(0)
    inputs = draw.normal(size=(120, 12, 4)).astype(np.float32)
    for series in inputs:
        series[draw.integers(1, 12) :] = 0
    layers = [L.Masking(0.0), L.GRU(6, unroll=True, name="recurrent")]
    model = keras.Sequential([keras.Input((12, 4)), *layers, L.Dense(3, activation="softmax")])
    told = r"crashes LiteRT or hangs in it at layer 'recurrent' \(GRU\)"
    with pytest.raises(ExportError, match=told):
        export.to_tflite(model, formats="int8", calibration=inputs)


@pytest.mark.slow
def test_what_overflows_in_a_real_conversion_is_named() -> None:
    keras.utils.set_random_seed(0)
    first, last = L.Dense(8, activation="relu"), L.Dense(3, activation="softmax")
    overflows = L.Dense(8, activation="softplus", name="overflows")
    model = keras.Sequential([keras.Input((6,)), first, overflows, L.Dense(8), last])
    inputs = 1e4 * np.random.default_rng(0).normal(size=(64, 6)).astype(np.float32)
    told = r"fails on int8 of this model at layer 'overflows' \(Dense\).*overflows on the calib"
    with pytest.raises(ExportError, match=told):
        export.to_tflite(model, formats="int8", calibration=inputs)
