"""The data sets of ``inputs.py``, and the text model: tables, signals and token ids."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.seeds import uniforms
from ecavg_tf.data.dataset import DataSpec

if TYPE_CHECKING:
    import keras

Arrays = dict[str, NDArray[np.generic]]

STEPS, LENGTH, VOCABULARY = 128, 24, 600


def breast_cancer() -> Arrays:
    """scikit-learn's 569 tumours, 30 features from 0.001 to 4,000, two classes."""
    from sklearn.datasets import load_breast_cancer

    return _table(load_breast_cancer())


def wine() -> Arrays:
    """scikit-learn's 178 wines, 13 features, three classes."""
    from sklearn.datasets import load_wine

    return _table(load_wine())


def signals(count: int = 1200) -> Arrays:
    """Sines, squares and saws in noise: two channels, the second a hundred times the first.

    Frequency, phase and height are drawn for every signal.
    """
    drawn = uniforms(count * 4, 0, "signals").reshape(count, 4)
    noise = uniforms(count * STEPS * 2, 0, "noise").reshape(count, STEPS, 2)
    labels = np.arange(count) % 3
    time = np.linspace(0, 1, STEPS, endpoint=False)
    turns = (2 + 6 * drawn[:, :1]) * time + drawn[:, 1:2]
    waves = np.stack(
        [np.sin(2 * np.pi * turns), np.sign(np.sin(2 * np.pi * turns)), 2 * (turns % 1) - 1]
    )
    wave = waves[labels, np.arange(count)] * (0.5 + drawn[:, 2:3])
    both = np.stack([wave, np.gradient(wave, axis=1)], axis=-1) + (noise - 0.5) * 0.8
    return _split((both * [1.0, 100.0]).astype(np.float32), labels, ["sine", "square", "saw"])


def tokens(count: int = 1500) -> Arrays:
    """Sentences of three topics, as token ids: four words in ten are of the topic's own hundred.

    The others are drawn from all words; words beyond a sentence's end are 0.
    """
    drawn = uniforms(count * LENGTH * 3, 0, "tokens").reshape(count, LENGTH, 3)
    labels = np.arange(count) % 3
    common = 1 + (drawn[..., 0] * (VOCABULARY - 1)).astype(int)
    own = 1 + labels[:, None] * 100 + (drawn[..., 1] * 100).astype(int)
    words = np.where(drawn[..., 2] < 0.4, own, common)
    ends = 8 + (uniforms(count, 0, "ends") * (LENGTH - 8)).astype(int)
    words[np.arange(LENGTH) >= ends[:, None]] = 0
    return _split(words.astype(np.int32), labels, ["sport", "weather", "money"])


def text_model(spec: DataSpec) -> "keras.Model":
    """An Embedding, the mean over words, and a softmax."""
    import keras  # not at the top: who imports TensorFlow first may keep it quiet

    return keras.Sequential(
        [
            keras.Input(spec.input_shape, dtype="int32"),
            keras.layers.Embedding(VOCABULARY, 16),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(spec.num_classes, activation="softmax"),
        ]
    )


SETS: dict[str, tuple[Callable[[], Arrays], str]] = {
    "breast cancer": (breast_cancer, "mlp"),
    "wine": (wine, "mlp"),
    "signals": (signals, "conv1d"),
    "token ids": (tokens, "inputs_data:text_model"),
}


def _table(bunch: Any) -> Arrays:
    return _split(bunch.data.astype(np.float32), bunch.target, list(bunch.target_names))


def _split(inputs: NDArray[np.generic], labels: NDArray[np.int64], names: list[str]) -> Arrays:
    """Every third example tests, in a drawn order."""
    order = np.argsort(uniforms(len(labels), 0, "split"), kind="stable")
    test, train = order[::3], np.setdiff1d(order, order[::3])
    return {
        "x_train": inputs[train],
        "y_train": labels[train],
        "x_test": inputs[test],
        "y_test": labels[test],
        "classes": np.array(names),
    }
