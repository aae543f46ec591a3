"""Early stopping: a fit ends when its held-out loss no longer falls, and its best epoch counts."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ecavg_tf.config import EdgeConfig, FitConfig
from ecavg_tf.core.template import weights_sha256
from ecavg_tf.data.dataset import Examples
from ecavg_tf.events import Detail, EpochEnded, Event, Trained
from ecavg_tf.training.compiled import Compilation, CompiledModel
from ecavg_tf.training.patience import held_out
from ecavg_tf.training.trainer import KerasTrainer

pytestmark = pytest.mark.usefixtures("every_epoch_kept")
RNG = np.random.default_rng(0)
LABELS = np.arange(60) % 3
INPUTS = RNG.normal(size=(60, 6)).astype(np.float32) + 2 * LABELS[:, None] / 3
EXAMPLES = Examples(INPUTS, LABELS.astype(np.int64))
EPOCHS = 30


class Run:
    """A process that trains."""

    def __init__(self, folder: Path | None = None, patience: int = 2) -> None:
        settings = EdgeConfig(
            epochs=EPOCHS, batch_size=8, learning_rate=0.03, patience=patience, stop_fraction=0.25
        )
        keras.utils.set_random_seed(1)
        layers = [keras.layers.Dense(24, "relu"), keras.layers.Dense(3, "softmax")]
        compiled = CompiledModel(
            keras.Sequential([keras.Input((6,)), *layers]),
            Compilation.of(settings),
            input_shape=(6,),
            logits=False,
        )
        self.losses: list[float] = []
        self.measure = compiled.loss_on
        compiled.loss_on = self.measured  # type: ignore[method-assign]
        self.start = compiled.model.get_weights()
        self.killed_after = 0
        self.events: list[Event] = []
        self.trainer = KerasTrainer(
            compiled, settings, seed=3, listener=self.hear, checkpoints=folder
        )

    def measured(self, examples: Examples) -> float:
        assert len(examples) == 15  # a quarter
        self.losses.append(self.measure(examples))
        return self.losses[-1]

    def hear(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, EpochEnded) and event.epoch == self.killed_after:
            raise KeyboardInterrupt

    def fit(self) -> str:
        weights = self.trainer.fit(self.start, EXAMPLES, round_number=1, who="edge-00")
        self.trainer.model.set_weights(weights)
        return weights_sha256(weights)

    def heard(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def test_a_fit_ends_after_patience_and_its_best_epoch_counts() -> None:
    run = Run()
    run.fit()
    ended = len(run.losses)
    best = int(np.argmin(run.losses))
    assert 3 <= ended < EPOCHS
    assert ended == best + 1 + 2  # two epochs without a lower loss
    _, held = held_out(run.trainer.settings, EXAMPLES, 1, "edge-00", seed=3)
    assert held is not None
    assert run.measure(held) == run.losses[best]
    assert [event.text for event in run.heard(Detail)] == [
        f"edge-00 stops after epoch {ended}: its held-out loss no longer falls"
    ]
    assert run.trainer.spent.trained == 60 * ended
    assert sum(event.examples for event in run.heard(Trained)) == 45 * EPOCHS  # the bar is full


def test_with_much_patience_all_epochs_are_trained_and_the_best_one_counts() -> None:
    run = Run(patience=EPOCHS)
    run.fit()
    assert len(run.losses) == EPOCHS
    _, held = held_out(run.trainer.settings, EXAMPLES, 1, "edge-00", seed=3)
    assert held is not None
    assert run.measure(held) == min(run.losses)


@pytest.mark.parametrize("before_the_end", [0, 1, 3])
def test_a_killed_fit_ends_with_the_same_bits(tmp_path: Path, before_the_end: int) -> None:
    whole = Run()
    expected, epochs = whole.fit(), len(whole.losses)
    killed = Run(tmp_path)
    killed.killed_after = epochs - before_the_end
    with pytest.raises(KeyboardInterrupt):
        killed.fit()
    again = Run(tmp_path)
    assert again.fit() == expected
    assert again.losses == whole.losses[epochs - before_the_end :]


def test_what_is_held_out_has_the_label_mix_of_all() -> None:
    trained, held = held_out(FitConfig(patience=1, stop_fraction=0.2), EXAMPLES, 1, "x", seed=0)
    assert held is not None
    assert held.class_counts(3) == (4, 4, 4)
    assert trained.class_counts(3) == (16, 16, 16)
    both = np.concatenate([trained.inputs, held.inputs])
    assert sorted(both.tolist()) == sorted(INPUTS.tolist())


def test_nothing_is_held_out_without_patience_or_of_one_example() -> None:
    assert held_out(FitConfig(), EXAMPLES, seed=0) == (EXAMPLES, None)
    one = EXAMPLES.take(np.array([0]))
    assert held_out(FitConfig(patience=1), one, seed=0) == (one, None)
    two = EXAMPLES.take(np.array([0, 1]))
    trained, held = held_out(FitConfig(patience=1, stop_fraction=0.9), two, seed=0)
    assert held is not None
    assert (len(trained), len(held)) == (1, 1)
