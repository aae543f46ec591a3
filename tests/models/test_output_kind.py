"""What a model gives is found by trying: one sigmoid, one logit, several sigmoids, a softmax."""

import sys
from types import ModuleType

import keras
import numpy as np
import pytest

from ecavg_tf.config import Config, with_fields
from ecavg_tf.core.errors import ModelError
from ecavg_tf.data.dataset import DataSpec
from ecavg_tf.models.builders import build_model
from ecavg_tf.models.output_kind import check_output, has_one_output, stays_in_unit_range

layers = keras.layers
SPEC = DataSpec("tiny", (4, 4, 1), "uint8", (0.0, 16.0), ("a", "b"))
INPUTS = np.random.default_rng(0).uniform(0, 16, (4, 4, 4, 1)).astype("float32")


class Own(keras.Model):
    """A subclassed model, of whose graph Keras knows nothing."""

    def __init__(self, activation: str | None) -> None:
        super().__init__()
        self.flatten, self.head = layers.Flatten(), layers.Dense(1, activation)

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return self.head(self.flatten(inputs))


def net(*ends: keras.layers.Layer) -> keras.Model:
    first = [keras.Input(SPEC.input_shape), layers.Rescaling(1 / 16), layers.Flatten()]
    return keras.Sequential([*first, *ends])


def make(kind: str) -> keras.Model:
    keras.utils.set_random_seed(0)
    norm = layers.BatchNormalization()
    return {
        "sigmoid": lambda: net(layers.Dense(1, "sigmoid")),
        "logit": lambda: net(layers.Dense(1)),
        "sigmoid layer": lambda: net(layers.Dense(1), layers.Activation("sigmoid")),
        "deep sigmoid": lambda: net(layers.Dense(4, "relu"), norm, layers.Dense(1, "sigmoid")),
        "own sigmoid": lambda: Own("sigmoid"),
        "own logit": lambda: Own(None),
        "sigmoids": lambda: net(layers.Dense(2, "sigmoid")),
        "softmax": lambda: net(layers.Dense(2, "softmax")),
        "logits": lambda: net(layers.Dense(2)),
        "softmax of one": lambda: net(layers.Dense(1, "softmax")),
    }[kind]()


def built(
    kind: str, output: str, monkeypatch: pytest.MonkeyPatch, spec: DataSpec = SPEC
) -> keras.Model:
    module = ModuleType("mine_of_two")
    module.__dict__["net"] = lambda _: make(kind)
    monkeypatch.setitem(sys.modules, "mine_of_two", module)
    fields = {"model.name": "mine_of_two:net", "model.output": output}
    return build_model(with_fields(Config(), fields), spec)


@pytest.mark.parametrize(
    ("kind", "output"),
    [
        ("sigmoid", "probabilities"),
        ("sigmoid layer", "probabilities"),
        ("deep sigmoid", "probabilities"),
        ("own sigmoid", "probabilities"),
        ("softmax", "probabilities"),
        ("logit", "logits"),
        ("own logit", "logits"),
        ("logits", "logits"),
    ],
)
def test_what_is_accepted_and_what_it_may_not_be_taken_for(
    kind: str, output: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(built(kind, output, monkeypatch).weights) >= 2
    other = "logits" if output == "probabilities" else "probabilities"
    with pytest.raises(ModelError, match=f"gives {output}, .*; set --config.model.output={output}"):
        built(kind, other, monkeypatch)


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis -1")
@pytest.mark.parametrize("output", ["probabilities", "logits"])
def test_what_is_refused(output: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match=r"2 numbers in 0\.\.1 that do not sum to 1 .*sigmoids"):
        built("sigmoids", output, monkeypatch)
    with pytest.raises(ModelError, match="gives 1 for all inputs, as a softmax of one output"):
        built("softmax of one", output, monkeypatch)
    three = DataSpec("tiny", (4, 4, 1), "uint8", (0.0, 16.0), ("a", "b", "c"))
    with pytest.raises(ModelError, match=r"gives shape \(n, 1\).* 3 classes, expected shape"):
        built("sigmoid", output, monkeypatch, three)


@pytest.mark.parametrize("kind", ["sigmoid", "own sigmoid", "logit", "own logit", "logits"])
def test_trying_leaves_no_trace(kind: str) -> None:
    model = make(kind)
    model(INPUTS)
    before = model.get_weights()
    assert has_one_output(model, INPUTS) == (kind != "logits")
    assert stays_in_unit_range(model, INPUTS) == ("sigmoid" in kind)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_sigmoid_that_raw_values_saturate_is_no_softmax_of_one() -> None:
    dense = keras.layers.Dense(1, "sigmoid", kernel_initializer="ones", name="end")
    model = keras.Sequential([keras.Input((4,)), dense])
    raw = np.full((2, 4), 4254.0, np.float32)
    outputs = keras.ops.convert_to_numpy(model(raw))
    assert (outputs == 1.0).all()
    check_output(model, raw, outputs, "mine:net", logits=False)
