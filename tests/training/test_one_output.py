"""One output for two classes: its loss, accuracy and class weights in training, by hand."""

import keras
import numpy as np
import pytest

from ecavg_tf.config import ClassWeights, EdgeConfig
from ecavg_tf.core.deciding.predictions import compare_with_labels
from ecavg_tf.data.dataset import Examples
from ecavg_tf.training.compiled import Compilation, CompiledModel
from ecavg_tf.training.trainer import KerasTrainer

INPUTS = np.zeros((4, 2, 1, 1), np.float32)


def trainer(activation: str | None, settings: EdgeConfig) -> KerasTrainer:
    keras.utils.set_random_seed(0)
    head = keras.layers.Dense(1, activation, kernel_initializer="zeros")
    model = keras.Sequential([keras.Input((2, 1, 1)), keras.layers.Flatten(), head])
    compiled = CompiledModel(
        model, Compilation.of(settings), input_shape=(2, 1, 1), logits=activation is None
    )
    return KerasTrainer(compiled, settings, seed=0)


@pytest.mark.parametrize("activation", ["sigmoid", None])
def test_the_loss_is_the_two_class_cross_entropy(activation: str | None) -> None:
    model = trainer(activation, EdgeConfig()).model
    labels = np.array([1, 1, 0, 1], np.int64)
    model.set_weights([np.zeros((2, 1)), np.log([1.5])])  # p = 0.6, and a logit below a half
    loss, accuracy = model.test_on_batch(INPUTS, labels)
    assert loss == pytest.approx(-(3 * np.log(0.6) + np.log(0.4)) / 4, rel=1e-6)
    assert accuracy == pytest.approx(0.75)
    outputs = model.predict(INPUTS, verbose=0)
    scored = compare_with_labels(outputs, labels, logits=activation is None)
    assert -scored.log_likelihood.mean() == pytest.approx(float(loss), rel=1e-6)
    assert scored.correct.mean() == pytest.approx(float(accuracy))


@pytest.mark.parametrize("activation", ["sigmoid", None])
def test_balanced_weights_take_the_rare_class_as_seriously(activation: str | None) -> None:
    examples = Examples(INPUTS, np.array([0, 0, 0, 1], np.int64))
    moved = []
    for weights in ClassWeights:
        settings = EdgeConfig(
            epochs=1, batch_size=4, optimizer="sgd", learning_rate=1.0, class_weights=weights
        )
        start = [np.zeros((2, 1), np.float32), np.zeros(1, np.float32)]
        fitted = trainer(activation, settings).fit(start, examples, round_number=1, who="a")
        moved.append(float(fitted[1][0]))
    # At p = 0.5 the bias' gradient is (3 * 0.5 - 0.5) / 4; weighted (3 * 2/3 * 0.5 - 2 * 0.5) / 4.
    assert dict(zip(ClassWeights, moved, strict=True)) == {
        ClassWeights.NONE: pytest.approx(-0.25),
        ClassWeights.BALANCED: pytest.approx(0.0, abs=1e-7),
    }
