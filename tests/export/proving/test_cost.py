import keras
import numpy as np

import export
from ecavg_tf.core.runtime_releases import release_of
from export.proving.cost import cost_sheet
from export.reading.flatmodel import read_flatmodel

L = keras.layers


def test_a_loop_is_said_to_run_where_it_ran():
    model = keras.Sequential([keras.Input((4, 2)), L.SimpleRNN(2), L.Dense(3, "softmax")])
    content = export.to_tflite(model, formats="float16")["float16"].content
    assert read_flatmodel(content).min_runtime == "1.15.0"  # so the converter says
    cost = cost_sheet(content, np.zeros((4, 2), np.float32), seconds=0.001)
    assert cost.min_runtime in ("2.17.0", "2.22.0")


def test_known_operators_keep_the_release_that_first_had_them():
    model = keras.Sequential([keras.Input((4,)), L.Dense(3, "softmax")])
    content = export.to_tflite(model, formats="float32")["float32"].content
    cost = cost_sheet(content, np.zeros(4, np.float32), seconds=0.001)
    assert cost.min_runtime == read_flatmodel(content).min_runtime


def test_releases_of_runtimes():
    assert release_of("ai-edge-litert", "2.3.0") == (2, 22, 0)
    assert release_of("ai-edge-litert", "1.4.0") == (2, 17, 0)
    assert release_of("tflite-runtime", "2.14.0") == (2, 14, 0)
