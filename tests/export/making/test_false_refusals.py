"""Models that are sound and were refused: layers reached by name, a class that is switched off."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

import export
from ecavg_tf.core.bundles.quantization import softmax
from ecavg_tf.core.errors import ExportError
from export.making.head import fit_range, fitted, switched_off, typical
from export.making.tracing import numbered
from export.proving.interpreter import LiteModel

layers = keras.layers
INPUTS = np.random.default_rng(0).normal(size=(60, 5)).astype("float32")


class ByName(keras.Model):
    """Looks its layers up, by names that numbers could be mistaken for."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = [
            layers.Dense(8, activation="relu", name="layer_2"),
            layers.Dense(3, activation="softmax", name="out"),
        ]

    def build(self, shape: Any) -> None:
        """Builds both."""
        self.parts[0].build(shape)
        self.parts[1].build((shape[0], 8))

    def call(self, inputs: Any) -> Any:
        """Applies both."""
        return self.get_layer("out")(self.get_layer("layer_2")(inputs))


def test_a_layer_reached_by_name_inside_a_subclass() -> None:
    keras.utils.set_random_seed(0)
    model = ByName()
    model(INPUTS)
    (_, file) = export.to_tflite(model, INPUTS, "float32").values()
    said = LiteModel(file.content).answers(INPUTS)
    np.testing.assert_allclose(said, model.predict(INPUTS, verbose=0), atol=1e-6)


class Answering(keras.Model):
    """Answers what ``given`` makes of its probabilities."""

    def __init__(self, given: Callable[[Any], Any]) -> None:
        super().__init__()
        self.given = given
        self.head = layers.Dense(3, activation="softmax")

    def call(self, inputs: Any) -> Any:
        return self.given(self.head(inputs))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (lambda y: {"p": y}, r"answers a dict of one array \(p\).*return that from call\(\)"),
        (lambda y: (y,), r"answers a tuple of one array|answers a list of one array"),
        (keras.ops.mean, r"answer of shape \(\) to one input, expected \(1, …\)"),
    ],
)
def test_what_is_no_answer_an_input_is_told(given: Callable[[Any], Any], said: str) -> None:
    model = Answering(given)
    model(INPUTS)
    with pytest.raises(ExportError, match=said):
        export.to_tflite(model, INPUTS, "float32")


def test_an_answer_in_a_dictionary_of_one_is_taken_out() -> None:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((5,))
    model = keras.Model(inputs, {"p": layers.Dense(3, activation="softmax")(inputs)})
    (_, file) = export.to_tflite(model, INPUTS, "float32").values()
    said = LiteModel(file.content).answers(INPUTS)
    np.testing.assert_allclose(said, model.predict(INPUTS, verbose=0)["p"], atol=1e-6)


def test_scopes_are_numbered_and_names_are_kept() -> None:
    model = keras.Sequential([keras.Input((5,)), layers.Dense(2, name="mine")])
    with numbered(model):
        assert [layer.name for layer in model.layers] == ["mine"]
        with model.layers[0]._open_name_scope() as scope:
            assert scope.name.startswith("layer_")
    with model.layers[0]._open_name_scope() as scope:
        assert scope.name == "mine"


LOGITS = np.random.default_rng(1).normal(0, 3, size=(200, 6))


@pytest.mark.parametrize("value", [-30.0, -1e4, -1e9, -3e38, -np.inf])
def test_a_class_that_is_off_has_no_part_in_the_range(value: float) -> None:
    off = LOGITS.copy()
    off[:, 2] = value
    assert switched_off(off).tolist() == [False, False, True, False, False, False]
    assert not switched_off(LOGITS).any()
    limits = fit_range(off)
    assert limits.off == (2,)
    assert -20 < limits.low < limits.high < 20
    assert typical(off).all()
    # What int8 can tell of these logits: the class that is off gets next to nothing.
    live = np.delete(off, 2, axis=1)
    centred = off - live.mean(axis=1, keepdims=True)
    seen = softmax(np.clip(centred, limits.low, limits.high))
    assert seen[:, 2].mean() < 0.01
    assert np.abs(seen - softmax(off)).max(axis=1).mean() < 0.02


def test_all_classes_but_one_are_off() -> None:
    alone = np.full((20, 3), -np.inf)
    alone[:, 1] = LOGITS[:20, 0]
    limits = fit_range(alone)
    assert limits.off == (0, 2)
    assert limits.low <= -6 and limits.high >= 0


def test_the_head_of_a_class_that_is_off() -> None:
    """By hand: the mean of the live classes is taken off, the class that is off gives 0."""
    head = layers.Dense(3)
    head.build((None, 1))
    head.set_weights([np.array([[1.0, 3.0, 9.0]]), np.array([0.0, 2.0, -np.inf])])
    inputs = np.array([[1.0]], np.float32)
    logits = np.array([[1.0, 5.0, -np.inf]])  # centred: -2 and 2
    limits = fit_range(logits)
    assert limits.off == (2,)
    with fitted(head, limits):
        found = keras.ops.convert_to_numpy(head(inputs))[0]
    expected = [max(0.0, -2.0 - limits.low), min(2.0, limits.high) - limits.low, 0.0]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_array_equal(head.bias.numpy(), [0.0, 2.0, -np.inf])


@pytest.mark.parametrize("output", ["probabilities", "logits"])
def test_int8_of_a_model_with_a_class_that_is_off(output: str) -> None:
    keras.utils.set_random_seed(0)
    ends = "softmax" if output == "probabilities" else None
    model = keras.Sequential([keras.Input((5,)), layers.Dense(4, activation=ends)])
    kernel, bias = model.get_weights()
    bias[3] = -np.inf
    model.set_weights([3 * kernel, bias])
    file = export.to_tflite(model, INPUTS, "int8", output=output)["int8"]
    assert file.parity is not None and file.parity.agreement == 1.0
    assert LiteModel(file.content, logits=True).probabilities(INPUTS)[:, 3].mean() < 0.01
    model.set_weights([3 * kernel, np.full_like(bias, -np.inf)])
    with pytest.raises(ExportError, match="not finite"):
        export.to_tflite(model, INPUTS, "int8", output=output)
