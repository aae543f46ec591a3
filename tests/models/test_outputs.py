"""How many examples a model answers in one step, and that its answers do not depend on it."""

import keras
import numpy as np

from ecavg_tf.models.outputs import Outputs, rows_a_step


def dense(width: int) -> keras.Model:
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(width)])


def test_a_small_net_answers_many_examples_a_step_and_a_wide_one_few() -> None:
    assert [rows_a_step(dense(width)) for width in (2, 1024, 100_000)] == [8192, 4096, 256]


def test_a_model_whose_layers_have_no_shape_keeps_the_usual_number() -> None:
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(2)

        def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
            return self.dense(inputs)

    model = Own()
    model(np.zeros((1, 4), np.float32))
    assert rows_a_step(model) == 256


def test_the_answers_are_those_of_any_number_of_examples_a_step() -> None:
    model, inputs = dense(3), np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    few, many = Outputs(model, 6)(inputs), Outputs(model)(inputs)
    np.testing.assert_allclose(few, many, rtol=1e-6)
    np.testing.assert_allclose(many, model.predict(inputs, verbose=0), rtol=1e-6)
