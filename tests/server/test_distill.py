"""Ensemble distillation: targets by hand, and fits that learn probabilities."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

import ecavg_tf
from ecavg_tf.config import Config, ServerConfig
from ecavg_tf.core.errors import ConfigError
from ecavg_tf.core.template import Array, weights_sha256
from ecavg_tf.data.dataset import Examples, SoftExamples, one_hot
from ecavg_tf.events import EpochEnded, Event
from ecavg_tf.training.compiled import Compilation, CompiledModel, check_own_loss
from ecavg_tf.training.trainer import KerasTrainer
from server.distill import Teacher

pytestmark = pytest.mark.usefixtures("every_epoch_kept")
RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(40, 5)).astype(np.float32)


def update(value: float) -> Any:
    named = [(SimpleNamespace(key="w"), np.array([value], np.float32))]
    return SimpleNamespace(items=lambda _: named)


def says(examples: Examples, weights: Sequence[Array]) -> Array:
    """Every example: class 0 is as likely as the model's one number."""
    first = np.full(len(examples), weights[0][0], np.float32)
    return np.stack([first, 1 - first], axis=1)


def test_targets_are_shares_of_the_label_and_of_the_mean_answer() -> None:
    template: Any = SimpleNamespace(listed=lambda named, _: [named["w"]])
    pool = Examples(np.zeros((2, 3), np.float32), np.array([0, 1]))
    found = Teacher(0.25, says)([update(0.2), update(0.6)], template, [], pool)
    # The edges' mean answer is (0.4, 0.6): 0.75 of the label and 0.25 of it.
    np.testing.assert_allclose(found.targets, [[0.85, 0.15], [0.1, 0.9]], atol=1e-7)
    np.testing.assert_array_equal(found.labels, pool.labels)
    alone = Teacher(1.0, says)([update(0.2)], template, [], pool)
    np.testing.assert_allclose(alone.targets, [[0.2, 0.8]] * 2, atol=1e-7)


def test_taking_some_takes_their_targets() -> None:
    soft = SoftExamples(INPUTS[:3], np.arange(3), one_hot(np.arange(3), 3) / 2)
    np.testing.assert_array_equal(soft.take(np.array([2, 0])).targets, soft.targets[[2, 0]])


class Run:
    """A process that trains a net of three classes, or of two with one output."""

    def __init__(self, distill: float, *, outputs: int = 3, folder: Path | None = None) -> None:
        settings = ServerConfig(epochs=3, batch_size=8, distill=distill)
        keras.utils.set_random_seed(1)
        last = "softmax" if outputs > 1 else "sigmoid"
        layers = [keras.layers.Dense(8, "relu"), keras.layers.Dense(outputs, last)]
        compiled = CompiledModel(
            keras.Sequential([keras.Input((5,)), *layers]),
            Compilation.of(settings),
            input_shape=(5,),
            logits=False,
        )
        self.start = compiled.model.get_weights()
        self.killed_after = 0
        self.trainer = KerasTrainer(
            compiled, settings, seed=3, listener=self.hear, checkpoints=folder
        )

    def hear(self, event: Event) -> None:
        if isinstance(event, EpochEnded) and event.epoch == self.killed_after:
            raise KeyboardInterrupt

    def fit(self, examples: Examples) -> list[Array]:
        return self.trainer.fit(self.start, examples, round_number=1, who="server")


@pytest.mark.parametrize("outputs", [3, 1])
def test_probabilities_that_are_the_labels_train_as_the_labels_do(outputs: int) -> None:
    classes = max(2, outputs)
    labels = np.arange(40) % classes
    hard = Run(0.0, outputs=outputs).fit(Examples(INPUTS, labels))
    soft = SoftExamples(INPUTS, labels, one_hot(labels, classes))
    for made in (soft, Examples(INPUTS, labels)):  # a warm-up knows labels alone
        for one, other in zip(hard, Run(0.5, outputs=outputs).fit(made), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5)
    flat = replace(soft, targets=np.full_like(soft.targets, 1 / classes))
    learned = Run(0.5, outputs=outputs).fit(flat)
    assert max(np.abs(a - b).max() for a, b in zip(hard, learned, strict=True)) > 1e-3


def test_a_killed_fit_goes_on_to_the_same_bits_and_knows_its_targets(tmp_path: Path) -> None:
    labels = np.arange(40) % 3
    soft = SoftExamples(INPUTS, labels, one_hot(labels, 3) * 0.7 + 0.1)
    expected = weights_sha256(Run(0.5).fit(soft))
    killed = Run(0.5, folder=tmp_path)
    killed.killed_after = 2
    with pytest.raises(KeyboardInterrupt):
        killed.fit(soft)
    other = replace(soft, targets=one_hot(labels, 3))
    assert weights_sha256(Run(0.5, folder=tmp_path).fit(other)) == weights_sha256(
        Run(0.5).fit(other)
    )
    with pytest.raises(KeyboardInterrupt):
        killed.fit(soft)
    assert weights_sha256(Run(0.5, folder=tmp_path).fit(soft)) == expected


def test_a_loss_of_its_own_does_not_learn_probabilities() -> None:
    class Own(keras.Sequential):  # type: ignore[misc]
        def compute_loss(self, *_: Any, **__: Any) -> float:
            return 0.0

    with pytest.raises(ConfigError, match="mine:net has a compute_loss of its own"):
        check_own_loss(Own([keras.Input((2,)), keras.layers.Dense(2)]), "mine:net")
    check_own_loss(keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)]), "mlp")


@pytest.mark.slow
def test_a_run_with_a_teacher_ends_in_other_weights_and_repeats_them(tmp_path: Path) -> None:
    config = Config()
    config.data.train_examples, config.model.hidden_units = 400, 16

    def ran(name: str, distill: float) -> str | None:
        config.server.distill = distill
        results = ecavg_tf.run(config, tmp_path / name)
        return results.rounds[0].server.global_.weights_sha256

    assert ran("one", 0.5) == ran("again", 0.5) != ran("without", 0.0)
