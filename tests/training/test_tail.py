"""The mean of a fit's last epochs, also where the fit was killed in between."""

from pathlib import Path

import keras
import numpy as np
import pytest

from ecavg_tf.config import Config, ServerConfig
from ecavg_tf.config.checks import validated
from ecavg_tf.core.errors import ConfigError
from ecavg_tf.core.template import Array, weights_sha256
from ecavg_tf.data.dataset import Examples
from ecavg_tf.events import EpochEnded, Event
from ecavg_tf.training.compiled import Compilation, CompiledModel
from ecavg_tf.training.trainer import KerasTrainer

pytestmark = pytest.mark.usefixtures("every_epoch_kept")
RNG = np.random.default_rng(0)
LABELS = np.arange(60) % 3
EXAMPLES = Examples(RNG.normal(size=(60, 6)).astype(np.float32), LABELS.astype(np.int64))
EPOCHS = 5


@keras.saving.register_keras_serializable("tail")
class Counting(keras.layers.Layer):  # type: ignore[misc]
    """Counts its training steps in a weight that is no float."""

    def build(self, shape: tuple[int, ...]) -> None:
        del shape
        self.steps = self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False)

    def call(self, inputs: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        if training:
            self.steps.assign_add(1)
        return inputs


class Run:
    """A process that trains a net with a counter."""

    def __init__(self, tail: int, epochs: int = EPOCHS, folder: Path | None = None) -> None:
        settings = ServerConfig(epochs=epochs, batch_size=8, tail_epochs=tail)
        keras.utils.set_random_seed(1)
        layers = [keras.layers.Dense(8, "relu"), Counting(), keras.layers.Dense(3)]
        compiled = CompiledModel(
            keras.Sequential([keras.Input((6,)), *layers, keras.layers.Softmax()]),
            Compilation.of(settings),
            input_shape=(6,),
            logits=False,
        )
        self.start = compiled.model.get_weights()
        self.killed_after = 0
        self.by_epoch: list[list[Array]] = []
        self.trainer = KerasTrainer(
            compiled, settings, seed=3, listener=self.hear, checkpoints=folder
        )

    def hear(self, event: Event) -> None:
        if isinstance(event, EpochEnded):
            self.by_epoch.append(self.trainer.model.get_weights())
            if event.epoch == self.killed_after:
                raise KeyboardInterrupt

    def fit(self) -> list[Array]:
        return self.trainer.fit(self.start, EXAMPLES, round_number=1, who="server")


@pytest.mark.parametrize(("tail", "counted"), [(1, 1), (2, 2), (3, 3), (99, 5)])
def test_it_is_the_mean_of_the_last_epochs(tail: int, counted: int) -> None:
    run = Run(tail)
    found = run.fit()
    last = run.by_epoch[-1]
    assert len(run.by_epoch) == EPOCHS
    for at, array in enumerate(found):
        assert array.dtype == last[at].dtype
        if not np.issubdtype(array.dtype, np.floating):
            np.testing.assert_array_equal(array, last[at])
            continue
        expected = np.mean([each[at] for each in run.by_epoch[-counted:]], axis=0, dtype=np.float64)
        np.testing.assert_allclose(array, expected, rtol=1e-6)
    assert any(not np.issubdtype(each.dtype, np.floating) for each in found)


def test_without_a_tail_the_last_epoch_counts() -> None:
    run = Run(0)
    found = run.fit()
    for array, last in zip(found, run.by_epoch[-1], strict=True):
        np.testing.assert_array_equal(array, last)


@pytest.mark.parametrize("killed_after", [1, 3, 4, 5])
def test_a_killed_fit_gives_the_same_bits(tmp_path: Path, killed_after: int) -> None:
    expected = weights_sha256(Run(3).fit())
    killed = Run(3, folder=tmp_path)
    killed.killed_after = killed_after
    with pytest.raises(KeyboardInterrupt):
        killed.fit()
    again = Run(3, folder=tmp_path)
    assert weights_sha256(again.fit()) == expected
    assert len(again.by_epoch) <= EPOCHS - killed_after + 1  # not from the beginning


def test_the_best_epoch_and_the_mean_exclude_each_other() -> None:
    config = Config()
    config.server.tail_epochs, config.server.patience = 2, 1
    with pytest.raises(ConfigError, match=r"server\.tail_epochs takes the mean .* set one of them"):
        validated(config)
