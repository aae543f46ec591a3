"""Models that the converter can't do end nothing but their own row."""

import keras
import numpy as np
import pytest

import export
from ecavg_tf.config import Format
from ecavg_tf.core.errors import ExportError
from ecavg_tf.core.template import weights_sha256
from ecavg_tf.data.dataset import DataSpec
from export.child_process import End
from export.exporter import Exporter
from export.making import converting_process
from export.making.calibration import Calibration
from export.making.converting_process import ConversionError, FixedBatchOnly
from export.making.formats import Variant, variants
from export.making.translation import Layer, translated
from export.subject import Subject

L = keras.layers
_LAYERS = (Layer("input", "InputLayer"), Layer("rows", "LSTM", True), Layer("odd", "Odd"))
_FLOAT32, _INT8 = variants((Format.FLOAT32,)), variants((Format.INT8,))


def _exported(model, tmp_path, wanted):
    inputs = np.random.default_rng(0).normal(size=(300, *model.input_shape[1:])).astype("float32")
    sha256 = weights_sha256(model.get_weights())
    subject = Subject("mine", sha256, {}, Calibration(inputs, "random"), inputs, None, "random")
    spec = DataSpec("x", model.input_shape[1:], "float32", (-5.0, 5.0), ("a", "b", "c"))
    exporter = Exporter(model, spec, logits=False, latency_s=0.001)
    rows = exporter.export(subject, wanted, tmp_path / "mine")
    return {row.variant: row for row in rows}


def _recurrent(layer, shape):
    keras.utils.set_random_seed(0)
    ends = [L.Flatten(), L.Dense(3, activation="softmax")]
    return keras.Sequential([keras.Input(shape), layer, *ends])


def test_a_converter_that_crashes_is_a_failed_row_and_the_others_are_made(tmp_path):
    rows = _exported(_recurrent(L.SimpleRNN(4, name="rows"), (5, 2)), tmp_path, (*_FLOAT32, *_INT8))
    said = {name: row.status for name, row in rows.items()}
    assert said == {
        "float32-batch": "skipped",
        "float32": "passed",
        "int8": "failed",
    }
    (why,) = rows["int8"].reasons
    assert "\n" not in why
    assert "layer 'rows' (SimpleRNN)" in why
    assert "unroll=True" in why
    (why,) = rows["float32-batch"].reasons
    assert "layer 'rows' (SimpleRNN) is a loop, which TFLite has for a fixed batch alone" in why
    assert "element_shape" in (tmp_path / "mine" / "float32-batch.converter.txt").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (L.LSTM(4), (5, 2)),
        (L.GRU(4), (5, 2)),
        (L.Bidirectional(L.GRU(4)), (5, 2)),
        (L.ConvLSTM2D(2, 3), (3, 5, 5, 1)),
    ],
    ids=["lstm", "gru", "bidirectional", "convlstm"],
)
def test_loops_of_every_kind_are_refused_in_int8_and_made_in_float32(layer, shape):
    model = _recurrent(layer, shape)
    inputs = np.random.default_rng(0).normal(size=(30, *shape)).astype("float32")
    with pytest.raises(ExportError, match=r"layer '\w+' \(\w+\).*unroll=True"):
        export.to_tflite(model, inputs, "int8")
    assert list(export.to_tflite(model, inputs, "float32")) == ["float32"]


@pytest.mark.slow
def test_an_error_of_any_kind_is_the_row_of_its_format(tmp_path, monkeypatch):
    def odd(*_, **__):
        raise AttributeError("no 'assign'")

    monkeypatch.setattr("export.making.convert.Converter._int8", odd)
    keras.utils.set_random_seed(0)
    rows = _exported(_recurrent(L.Flatten(), (4, 2)), tmp_path, (Variant.FLOAT32, *_INT8))
    assert rows["int8"].reasons == ("AttributeError: no 'assign'",)
    assert rows["float32"].status == "passed"


def test_a_head_with_lora_weights_is_made_in_int8(tmp_path):
    model = _recurrent(L.Flatten(), (4, 2))
    model.layers[-1].enable_lora(2)
    assert {row.status for row in _exported(model, tmp_path, _INT8).values()} <= {
        "passed",
        "undecided",
    }


@pytest.mark.slow
def test_a_child_that_hangs_is_stopped_and_the_next_file_is_made(monkeypatch):
    model = _recurrent(L.Flatten(), (4, 2))
    with monkeypatch.context() as patch:
        patch.setattr(converting_process, "CONVERT_SECONDS", 0.0)
        patch.setattr(converting_process, "IMAGE_SECONDS", 0.0)
        with pytest.raises(ExportError, match=r"no answer within 0 seconds.*leave float16 out"):
            export.to_tflite(model, formats="float16")
    assert "float16" in export.to_tflite(model, formats="float16")


def test_a_missing_operator_is_told_with_its_layer():
    said = (
        'loc(fused["Odd:", "layer_2_1/Odd@__inference_serve_1"]): error: '
        "'tf.Odd' op is neither a custom op nor a flex op"
    )
    told = translated(ConversionError(said, said), Variant.FLOAT16, _LAYERS, ())
    assert str(told) == (
        "layer 'odd' (Odd) has no TFLite operator (tf.Odd); build the model without, or leave "
        "float16 out"
    )
    assert told.said == said


def test_a_crash_in_a_model_without_loops_says_what_to_do():
    crash = ConversionError("its process ended by signal 6", "abort", End.CRASHED)
    told = str(translated(crash, Variant.INT8, _LAYERS, ()))
    assert "signal 6" in told
    assert "leave int8 out" in told


def test_a_machine_without_memory_is_no_fault_of_the_model():
    end = ConversionError("it takes more than 0.1 GiB of memory", "", End.TOO_LARGE)
    assert str(translated(end, Variant.INT8, _LAYERS, ("layer_1",))) == (
        "the converter fails on int8 of this model (it takes more than 0.1 GiB of memory, which is "
        "all that this machine has free); end other programs that hold memory, or leave int8 out"
    )


def test_a_value_that_overflows_inside_crashes_the_converter():
    said = "INT8\nerror: scale out of expressed type range [1.401298e-45, 3.402823e+38]\n"
    crash = ConversionError("its process ended by signal 11", said, End.CRASHED)
    told = str(translated(crash, Variant.INT8, _LAYERS, ()))
    assert "a value inside it overflows on the calibration examples" in told
    assert "rescale the inputs in the model, or leave int8 out" in told


def test_a_loop_alone_needs_a_fixed_batch():
    said = (
        'loc(fused["TensorListReserve:", "layer_1_1/TensorArrayV2@serve"]): error: '
        "'tf.TensorListReserve' op requires element_shape to be static during TF Lite "
        "transformation pass"
    )
    master = translated(ConversionError(said, said), Variant.MASTER, _LAYERS, ())
    assert isinstance(master, FixedBatchOnly)
    fixed = translated(ConversionError(said, said), Variant.FLOAT32, _LAYERS, ())
    assert not isinstance(fixed, FixedBatchOnly)
