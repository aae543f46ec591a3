"""Weights are all there is to a model, or its layer is refused by name."""

import inspect
import itertools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from ecavg_tf.core.errors import ModelError
from ecavg_tf.models.outputs import Outputs
from ecavg_tf.models.round_trip import check_round_trip
from ecavg_tf.models.state import follow_weights

LAYERS = keras.layers
IMAGES = np.random.default_rng(0).uniform(0.0, 1.0, (2, 8, 8, 3))

# Every layer of Keras that holds weights, each behind what gives it an input that it takes.
STATEFUL: dict[str, Callable[[], list[Any]]] = {
    "BatchNormalization": lambda: [LAYERS.BatchNormalization()],
    "Bidirectional": lambda: [LAYERS.Reshape((8, 24)), LAYERS.Bidirectional(LAYERS.LSTM(3))],
    "Conv1D": lambda: [LAYERS.Reshape((8, 24)), LAYERS.Conv1D(2, 3)],
    "Conv1DTranspose": lambda: [LAYERS.Reshape((8, 24)), LAYERS.Conv1DTranspose(2, 3)],
    "Conv2D": lambda: [LAYERS.Conv2D(2, 3)],
    "Conv2DTranspose": lambda: [LAYERS.Conv2DTranspose(2, 3)],
    "Conv3D": lambda: [LAYERS.Reshape((4, 4, 4, 3)), LAYERS.Conv3D(2, 2)],
    "Conv3DTranspose": lambda: [LAYERS.Reshape((4, 4, 4, 3)), LAYERS.Conv3DTranspose(2, 2)],
    "ConvLSTM1D": lambda: [LAYERS.ConvLSTM1D(2, 3)],
    "ConvLSTM2D": lambda: [LAYERS.Reshape((2, 4, 8, 3)), LAYERS.ConvLSTM2D(2, 3)],
    "ConvLSTM3D": lambda: [LAYERS.Reshape((2, 2, 4, 4, 3)), LAYERS.ConvLSTM3D(2, 2)],
    "Dense": lambda: [LAYERS.Dense(3)],
    "DepthwiseConv1D": lambda: [LAYERS.Reshape((8, 24)), LAYERS.DepthwiseConv1D(3)],
    "DepthwiseConv2D": lambda: [LAYERS.DepthwiseConv2D(3)],
    "EinsumDense": lambda: [LAYERS.EinsumDense("abcd,de->abce", (8, 8, 2), bias_axes="e")],
    "Embedding": lambda: [LAYERS.Lambda(lambda x: x[..., 0] * 4), LAYERS.Embedding(5, 2)],
    "GRU": lambda: [LAYERS.Reshape((8, 24)), LAYERS.GRU(3)],
    "GroupNormalization": lambda: [LAYERS.GroupNormalization(3)],
    "LSTM": lambda: [LAYERS.Reshape((8, 24)), LAYERS.LSTM(3)],
    "LayerNormalization": lambda: [LAYERS.LayerNormalization()],
    "Normalization": lambda: [LAYERS.Normalization()],
    "PReLU": lambda: [LAYERS.PReLU()],
    "RMSNormalization": lambda: [LAYERS.RMSNormalization()],
    "SeparableConv1D": lambda: [LAYERS.Reshape((8, 24)), LAYERS.SeparableConv1D(2, 3)],
    "SeparableConv2D": lambda: [LAYERS.SeparableConv2D(2, 3)],
    "SimpleRNN": lambda: [LAYERS.Reshape((8, 24)), LAYERS.SimpleRNN(3)],
    "SpectralNormalization": lambda: [LAYERS.SpectralNormalization(LAYERS.Conv2D(2, 3))],
    "TimeDistributed": lambda: [LAYERS.TimeDistributed(LAYERS.Dense(2))],
    "Dropout": lambda: [LAYERS.Dropout(0.5)],
}  # fmt: skip


def net(*layers: Any) -> keras.Model:
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), *layers, LAYERS.Flatten(), LAYERS.Dense(4, "softmax")]
    )
    follow_weights(model)
    return model


@pytest.mark.parametrize("name", STATEFUL)
def test_keras_own_layers_come_back(name: str) -> None:
    check_round_trip(net(*STATEFUL[name]()), net(*STATEFUL[name]()), IMAGES, name="mine:f")


def attention() -> keras.Model:
    inputs = keras.Input((8, 8, 3))
    rows = LAYERS.Reshape((8, 24))(inputs)
    both = [
        LAYERS.MultiHeadAttention(2, 3)(rows, rows),
        LAYERS.GroupQueryAttention(3, 2, 1)(rows, rows),
        LAYERS.Attention(use_scale=True)([rows, rows]),
        LAYERS.AdditiveAttention()([rows, rows]),
    ]
    merged = LAYERS.Flatten()(LAYERS.Concatenate()(both))
    return keras.Model(inputs, LAYERS.Dense(4, "softmax")(merged))


def test_attention_comes_back() -> None:
    check_round_trip(attention(), attention(), IMAGES, name="mine:f")


ATTENTION = {"AdditiveAttention", "Attention", "GroupQueryAttention", "MultiHeadAttention"}
INSIDE_OTHERS = {"GRUCell", "LSTMCell", "SimpleRNNCell", "StackedRNNCells", "RNN", "Wrapper"}
NO_IMAGES = {  # they take words or sound
    *("IntegerLookup", "ReversibleEmbedding", "STFTSpectrogram", "StringLookup"),
    "TextVectorization",
}


def test_no_layer_of_keras_that_makes_weights_is_forgotten() -> None:
    """A Keras that brings another one fails here, and the layer is then tried above."""
    made = set()
    for kind in vars(LAYERS).values():
        if inspect.isclass(kind) and issubclass(kind, LAYERS.Layer):
            bases = [
                base for base in kind.__mro__ if base.__module__.startswith("keras.src.layers")
            ]
            own = [inspect.getsource(base) for base in bases if base is not LAYERS.Layer]
            if any("add_weight(" in source for source in own):
                made.add(kind.__name__)
    assert {"Conv2D", "BatchNormalization", "LSTM"} <= made
    assert made - ATTENTION - INSIDE_OTHERS - NO_IMAGES <= set(STATEFUL)


class Drawn(LAYERS.Layer):
    """Computes with a matrix that is drawn where it is made, and is no weight."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = np.random.default_rng().normal(size=(3, 3)).astype("float32")

    def call(self, x: Any) -> Any:
        return x @ self.matrix


class Forgetful(LAYERS.Layer):
    """Saves one of its two weights."""

    def build(self, shape: Any) -> None:
        self.scale = self.add_weight(shape=(shape[-1],), initializer="ones", name="scale")
        self.shift = self.add_weight(shape=(shape[-1],), name="shift")

    def call(self, x: Any) -> Any:
        return x * self.scale + self.shift

    def save_own_variables(self, store: Any) -> None:
        store["0"] = self.scale

    def load_own_variables(self, store: Any) -> None:
        self.scale.assign(store["0"])


class Wavering(LAYERS.Layer):
    """Draws numbers as it answers, on purpose."""

    def call(self, x: Any) -> Any:
        return x + keras.random.normal(keras.ops.shape(x))


class Untracked(LAYERS.Layer):
    """Keeps a running mean where Keras does not look."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = tf.Variable(0.0)

    def call(self, x: Any, training: bool = False) -> Any:
        if training:
            self.mean.assign(keras.ops.mean(x))
        return x - self.mean


class Counting(LAYERS.Layer):
    """Counts its answers, and answers by the count."""

    def build(self, _: Any) -> None:
        self.count = self.add_weight(shape=(), initializer="zeros", trainable=False, name="count")

    def call(self, x: Any) -> Any:
        self.count.assign_add(1.0)
        return x * self.count


class Tossed(LAYERS.Layer):
    """Draws by numpy in each call: once, where it is traced."""

    def call(self, x: Any) -> Any:
        return x + np.random.default_rng().uniform(0.0, 0.5, x.shape[1:]).astype("float32")


class Lazy(keras.Model):
    """Makes its layer anew in each call."""

    def call(self, x: Any) -> Any:
        return LAYERS.Dense(4, "softmax")(LAYERS.Flatten()(x))


def frozen() -> keras.Model:
    model = net()
    model.trainable = False
    return model


def broken() -> keras.Model:
    model = net()
    model.layers[-1].bias.assign(np.full(4, np.nan))
    return model


def quantized() -> keras.Model:
    model = net(LAYERS.Dense(6, name="small"))
    model.get_layer("small").quantize("int8")
    return model


def inner_adapters() -> keras.Model:
    layer = LAYERS.Dense(6, name="adapted")
    model = net(keras.Sequential([keras.Input((8, 8, 3)), layer]))
    layer.enable_lora(2)
    return model


SIZES = itertools.count(3)


def adapters(kind: type[Any], *arguments: Any) -> keras.Model:
    layer = kind(*arguments, name="adapted")
    model = net(layer)
    layer.enable_lora(2)
    return model


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: adapters(LAYERS.Dense, 6), r"'adapted' \(Dense\) has LoRA adapters"),
        (lambda: adapters(LAYERS.Conv2D, 6, 3), r"'adapted' \(Conv2D\) has LoRA adapters"),
        (lambda: net(Drawn()), r"\(Drawn\) computes with something that is not in its weights"),
        (lambda: net(Forgetful()), r"\(Forgetful\) does not save its weight 'shift'"),
        (inner_adapters, r"'adapted' \(Dense\) has LoRA adapters"),
        (quantized, r"'small' \(Dense\) is quantized \(int8\)"),
        (lambda: net(LAYERS.Dense(6, dtype="int8_from_float32")), r"is quantized \(int8\)"),
        (lambda: net(Untracked()), r"\(Untracked\) keeps a tf.Variable as 'mean'"),
        (lambda: net(Counting()), r"counting.*/count changes as the model answers"),
        (lambda: net(Tossed()), r"draws random numbers by numpy or Python"),
        (Lazy, r"has no trainable weights"),
        (frozen, r"has no trainable weights"),
        (broken, r"bias has values that are NaN or infinite before any training"),
        (lambda: net(LAYERS.Dense(next(SIZES))), r"makes another architecture each time"),
        (lambda: net(*[LAYERS.Dense(3)] * (next(SIZES) % 2)), r"makes another architecture"),
    ],
)
def test_state_outside_of_weights_is_refused_by_name(
    make: Callable[[], keras.Model], said: str
) -> None:
    with pytest.raises(ModelError, match=said) as caught:
        check_round_trip(make(), make(), IMAGES, name="mine:f")
    assert "\n" not in str(caught.value)


def test_chance_in_an_answer_is_no_fault() -> None:
    check_round_trip(net(Wavering()), net(Wavering()), IMAGES, name="mine:f")


def test_normalization_follows_its_weights_in_traced_functions() -> None:
    model = net(LAYERS.Normalization(name="norm"))
    outputs = Outputs(model, 8)
    before = outputs(IMAGES.astype("float32"))
    weights = model.get_weights()
    weights[0], weights[1] = weights[0] + 3.0, weights[1] * 9.0
    model.set_weights(weights)
    fresh = keras.Sequential.from_config(model.get_config())
    fresh.get_layer("norm").load_own_variables(dict(zip("012", weights, strict=False)))
    fresh.layers[-1].set_weights(weights[-2:])
    after = outputs(IMAGES.astype("float32"))
    np.testing.assert_allclose(after, np.asarray(fresh(IMAGES)), rtol=1e-5)
    assert np.abs(after - before).max() > 1e-3
