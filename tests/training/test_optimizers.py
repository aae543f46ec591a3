"""Each optimizer of Keras trains by its name, or is refused in one line."""

import keras
import numpy as np
import pytest

from ecavg_tf.core.errors import ConfigError
from ecavg_tf.training.optimizers import make_optimizer

NAMES = [
    name
    for name, kind in vars(keras.optimizers).items()
    if isinstance(kind, type) and issubclass(kind, keras.optimizers.Optimizer)
]
NEED_ARGUMENTS = {"LossScaleOptimizer", "MultiOptimizer", "Optimizer"}


@pytest.mark.parametrize("decay", [0.0, 0.01])
@pytest.mark.parametrize("name", NAMES)
def test_keras_optimizers_train_or_are_refused(name: str, decay: float) -> None:
    if name in NEED_ARGUMENTS:
        with pytest.raises(ConfigError, match=f"optimizer '{name}'.* by its name alone") as caught:
            make_optimizer(name, decay)
        assert "\n" not in str(caught.value)
        return
    optimizer = make_optimizer(name.lower(), decay)
    weight = keras.Variable(np.ones((2, 2), np.float32))
    optimizer.build([weight])
    optimizer.learning_rate = 0.1
    optimizer.apply([keras.ops.ones_like(weight)])
    after = np.asarray(weight)
    assert np.isfinite(after).all()
    assert (after < 1).all()


@pytest.mark.parametrize("name", [name for name in NAMES if name not in NEED_ARGUMENTS])
@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_weights_without_a_gradient_stay_finite(name: str, size: float) -> None:
    gradient = np.full((4, 4), size, np.float32)
    gradient[0, :] = gradient[:, 0] = 0.0  # a black pixel, and a unit that is off
    optimizer = make_optimizer(name, 0.0)
    weight = keras.Variable(np.ones((4, 4), np.float32))
    optimizer.build([weight])
    optimizer.learning_rate = 0.01
    for _ in range(3):
        optimizer.apply([keras.ops.convert_to_tensor(gradient)])
    assert np.isfinite(np.asarray(weight)).all()
    assert (np.asarray(weight)[1:, 1:] <= 1).all()


@pytest.mark.parametrize("name", ["adamm", "", "loss_scale_optimizer", "Custom>Adam"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="is not one of Keras'"):
        make_optimizer(name, 0.0)


def test_a_scaled_optimizer_sets_the_learning_rate_of_the_one_inside() -> None:
    optimizer = make_optimizer("sgd", 0.0, scaled=True)
    weight = keras.Variable(np.ones((2, 2), np.float32))
    optimizer.build([weight])
    optimizer.learning_rate = 0.5
    optimizer.apply([keras.ops.ones_like(weight) * optimizer.scale_loss(1.0)])
    np.testing.assert_allclose(np.asarray(weight), 0.5)
