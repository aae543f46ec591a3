"""Int8 files with operators that have no int8 form: GroupNormalization's NEG and SQUARE."""

import keras
import numpy as np
import pytest

import export
from ecavg_tf.core.errors import ExportError
from ecavg_tf.core.exports import Exported
from ecavg_tf.report.exports import notes
from export.micro.operators import require_micro
from export.proving.cost import cost_sheet
from export.reading.number_types import float_operators

L = keras.layers
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def files():
    keras.utils.set_random_seed(0)
    layers = [L.Conv2D(4, 3), L.GroupNormalization(2), L.ReLU(), L.Flatten(), L.Dense(3)]
    model = keras.Sequential([keras.Input((6, 6, 1)), *layers, L.Softmax()])
    inputs = np.random.default_rng(0).random((40, 6, 6, 1), np.float32)
    return inputs, export.to_tflite(model, inputs, "float16,int8")


def test_operators_in_float32_are_named(files):
    inputs, made = files
    names = float_operators(made["int8"].content)
    assert {"NEG", "SQUARE"} <= set(names)
    assert not {"QUANTIZE", "DEQUANTIZE"} & set(names)
    assert float_operators(made["float16"].content) == ()
    cost = cost_sheet(made["int8"].content, inputs[0], seconds=0.001)
    row = Exported("mine", None, "0", "int8", "passed", cost=cost)
    (told,) = notes([row])
    assert "int8 is not 8 bits throughout: NEG, SQUARE run in float32" in told.replace(
        ", ".join(names), "NEG, SQUARE"
    )


def test_a_microcontroller_refuses_them_with_what_to_do(files):
    _, made = files
    with pytest.raises(ExportError, match=r"NEG.*no int8 form.*BatchNormalization"):
        require_micro(made["int8"].content)
