"""A fit depends on (seed, round, who, epoch) and on nothing that happened before it."""

import math
from typing import Any

import keras
import numpy as np
import pytest

from ecavg_tf.config import EdgeConfig, Schedule
from ecavg_tf.core.errors import ConfigError
from ecavg_tf.core.template import Array, weights_sha256
from ecavg_tf.data.dataset import Examples
from ecavg_tf.events import EpochEnded, Event, Trained
from ecavg_tf.training.compiled import Compilation, CompiledModel
from ecavg_tf.training.trainer import KerasTrainer

RNG = np.random.default_rng(0)
EXAMPLES = Examples(
    RNG.integers(0, 17, (50, 4, 4, 1), np.uint8), RNG.integers(0, 3, 50).astype(np.int64)
)
OTHERS = Examples(EXAMPLES.inputs[:20], EXAMPLES.labels[:20])


def random_model() -> keras.Model:
    """Everything that could leak from one fit into the next: dropout, noise, BatchNorm."""
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            keras.layers.Conv2D(4, 3),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )


def make_trainer(settings: EdgeConfig, **options: Any) -> KerasTrainer:
    compiled = CompiledModel(
        random_model(), Compilation.of(settings), input_shape=(4, 4, 1), logits=False
    )
    return KerasTrainer(compiled, settings, seed=3, **options)


def settings(**changes: Any) -> EdgeConfig:
    config = EdgeConfig(epochs=2, batch_size=16)
    for name, value in changes.items():
        setattr(config, name, value)
    return config


def fit(trainer: KerasTrainer, start: list[Array], who: str = "edge-00", number: int = 1) -> str:
    return weights_sha256(trainer.fit(start, EXAMPLES, round_number=number, who=who))


@pytest.mark.parametrize("augment", [False, True])
def test_the_same_place_gives_the_same_bits_whatever_came_before(augment: bool) -> None:
    trainer = make_trainer(settings(augment=augment))
    start = trainer.model.get_weights()
    first = fit(trainer, start)
    trainer.fit(start, OTHERS, round_number=2, who="edge-01")
    trainer.recalibrate(start, OTHERS, round_number=2, who="edge-01")
    assert fit(trainer, start) == first
    assert fit(make_trainer(settings(augment=augment)), start) == first
    assert fit(trainer, start, who="edge-01") != first
    assert fit(trainer, start, number=2) != first


def test_the_start_is_not_changed() -> None:
    trainer = make_trainer(settings())
    start = trainer.model.get_weights()
    before = weights_sha256(start)
    fit(trainer, start)
    assert weights_sha256(start) == before


def test_epochs_have_orders_of_their_own_and_all_examples_are_seen() -> None:
    told: list[Event] = []
    trainer = make_trainer(settings(), listener=told.append)
    fit(trainer, trainer.model.get_weights())
    assert sum(event.examples for event in told if isinstance(event, Trained)) == 100
    epochs = [event for event in told if isinstance(event, EpochEnded)]
    assert [(event.epoch, event.epochs, event.who) for event in epochs] == [
        (1, 2, "edge-00"),
        (2, 2, "edge-00"),
    ]


def test_the_cosine_schedule_reaches_the_optimizer() -> None:
    trainer = make_trainer(settings(schedule=Schedule.COSINE, epochs=4, learning_rate=0.1))
    fit(trainer, trainer.model.get_weights())
    last = float(trainer.model.optimizer.learning_rate)
    assert last == pytest.approx(0.1 * (1 + math.cos(math.pi * 3 / 4)) / 2)


def test_the_learning_rate_is_set_anew_for_each_fit() -> None:
    trainer = make_trainer(settings(schedule=Schedule.COSINE, epochs=4, learning_rate=0.1))
    start = trainer.model.get_weights()
    assert fit(trainer, start) == fit(trainer, start)


def test_augmentation_leaves_the_model_clean() -> None:
    trainer = make_trainer(settings(augment=True))
    assert not any("random" in layer.name for layer in trainer.model._flatten_layers())
    assert len(trainer.model.get_weights()) == len(random_model().get_weights())


def test_weight_decay_shrinks_weights() -> None:
    plain, decayed = make_trainer(settings()), make_trainer(settings(weight_decay=0.5))
    start = plain.model.get_weights()
    norms = [
        sum(float(np.square(w).sum()) for w in t.fit(start, EXAMPLES, round_number=1, who="e"))
        for t in (plain, decayed)
    ]
    assert norms[1] < norms[0]


def test_an_unknown_optimizer_is_named() -> None:
    with pytest.raises(ConfigError, match="'adamm' is not one of Keras'"):
        make_trainer(settings(optimizer="adamm"))


SEEN: list[tuple[int, str]] = []


def watching(round_number: int, who: str) -> keras.callbacks.Callback:
    SEEN.append((round_number, who))
    return keras.callbacks.LambdaCallback()


def not_a_callback(round_number: int, who: str) -> str:
    return f"{round_number} {who}"


def test_users_callbacks_are_called() -> None:
    trainer = make_trainer(settings(callbacks=f"{__name__}:watching"))
    fit(trainer, trainer.model.get_weights(), number=4)
    assert SEEN == [(4, "edge-00")]
    trainer = make_trainer(settings(callbacks=f"{__name__}:not_a_callback"))
    with pytest.raises(ConfigError, match=r"returned str, expected a keras.callbacks.Callback"):
        fit(trainer, trainer.model.get_weights())


def test_where_a_model_keeps_its_parts_does_not_depend_on_what_was_trained() -> None:
    trainer = make_trainer(settings())
    sure = [1000 * array for array in trainer.model.get_weights()]
    trainer.model.set_weights(sure)
    assert trainer.anatomy == make_trainer(settings()).anatomy
    assert trainer.anatomy.head_bias == 7
    assert weights_sha256(trainer.model.get_weights()) == weights_sha256(sure)


def test_recalibration_draws_as_many_examples_as_it_is_told() -> None:
    def sha256(trainer: KerasTrainer, examples: Examples) -> str:
        start = random_model().get_weights()
        return weights_sha256(trainer.recalibrate(start, examples, round_number=1, who="edge-00"))

    everything = sha256(make_trainer(settings(recalibrate_examples=0)), EXAMPLES)
    few = make_trainer(settings(recalibrate_examples=20))
    assert sha256(few, OTHERS) == sha256(make_trainer(settings(recalibrate_examples=0)), OTHERS)
    assert sha256(few, EXAMPLES) == sha256(few, EXAMPLES) != everything
    assert sha256(make_trainer(settings(recalibrate_examples=50)), EXAMPLES) == everything


def test_a_model_without_batchnorm_is_not_passed_through_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = keras.Sequential(
        [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    compiled = CompiledModel(model, Compilation.of(settings()), input_shape=(4, 4, 1), logits=True)
    monkeypatch.setattr("ecavg_tf.training.trainer.batches", None)
    weights = [array + 1 for array in model.get_weights()]
    again = KerasTrainer(compiled, settings(), seed=0).recalibrate(
        weights, EXAMPLES, round_number=1, who="edge-00"
    )
    assert weights_sha256(again) == weights_sha256(weights)
