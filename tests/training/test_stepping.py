"""Several batches a call are the same steps, to the bit; Keras' own fit is what they equal."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from ecavg_tf.config import ClassWeights, EdgeConfig
from ecavg_tf.config.choices import JitCompile
from ecavg_tf.core.errors import RoundError
from ecavg_tf.core.seeds import epoch_order
from ecavg_tf.core.template import weights_sha256
from ecavg_tf.data.dataset import Examples
from ecavg_tf.data.pipeline import batches, steps
from ecavg_tf.events import Detail, EpochEnded, Event, Note, Trained
from ecavg_tf.narrate import LogFile, line
from ecavg_tf.training.balance import class_weight
from ecavg_tf.training.compiled import Compilation, CompiledModel
from ecavg_tf.training.sizing import steps_per_execution, work_of
from ecavg_tf.training.trainer import KerasTrainer

RNG = np.random.default_rng(0)
EXAMPLES = Examples(
    RNG.integers(0, 17, (53, 4, 4, 1), np.uint8), RNG.integers(0, 3, 53).astype(np.int64)
)
SIZE = 8  # 7 batches an epoch, the last one short


def net(*first: keras.layers.Layer) -> keras.Model:
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            *first,
            keras.layers.Flatten(),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )


def settings(**changes: Any) -> EdgeConfig:
    config = EdgeConfig(epochs=2, batch_size=SIZE)
    for name, value in changes.items():
        setattr(config, name, value)
    return config


def trained(said: list[Event], model: keras.Model | None = None, **changes: Any) -> str:
    config = settings(**changes)
    compiled = CompiledModel(
        model or net(),
        Compilation.of(config),
        input_shape=(4, 4, 1),
        logits=False,
        listener=said.append,
    )
    trainer = KerasTrainer(compiled, config, seed=3, listener=said.append)
    start = trainer.model.get_weights()
    return weights_sha256(trainer.fit(start, EXAMPLES, round_number=1, who="edge-00"))


def by_keras(weights: dict[int, float] | None) -> str:
    model = net()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(), metrics=["accuracy"])
    orders = [epoch_order(len(EXAMPLES), 3, 1, "edge-00", epoch) for epoch in range(2)]
    model.fit(
        batches(EXAMPLES, orders, SIZE),
        epochs=2,
        steps_per_epoch=steps(len(EXAMPLES), SIZE),
        shuffle=False,
        class_weight=weights,
        verbose=0,
    )
    return weights_sha256(model.get_weights())


@pytest.mark.parametrize("weighs", list(ClassWeights))
def test_the_bits_are_those_of_keras_however_many_batches_a_call(weighs: ClassWeights) -> None:
    expected = by_keras(class_weight(settings(class_weights=weighs), EXAMPLES))
    for at_once in (0, 1, 3, 7, 8, 2**63 - 1):
        said: list[Event] = []
        assert trained(said, class_weights=weighs, steps_per_execution=at_once) == expected
        seen = [event.examples for event in said if isinstance(event, Trained)]
        assert sum(seen) == 2 * len(EXAMPLES)
        assert len(seen) == 2 * (-(-7 // at_once) if at_once else 1)
        losses = [event.loss for event in said if isinstance(event, EpochEnded)]
        assert len(losses) == 2
        assert losses[1] < losses[0]


@pytest.mark.parametrize("weighs", ClassWeights)
def test_a_step_is_traced_once(weighs: ClassWeights) -> None:
    """Of a deep net a trace takes many seconds."""
    traces = []

    class Counting(keras.layers.Layer):
        def call(self, inputs: Any, training: bool | None = None) -> Any:
            if training:
                traces.append(tf.inside_function())
            return inputs

    trained([], net(Counting()), class_weights=weighs)
    assert traces == [True]


def test_the_reason_is_in_the_log_alone(tmp_path: Path) -> None:
    said: list[Event] = []
    trained(said)
    details = [event for event in said if isinstance(event, Detail)]
    assert [event.text for event in details] == [
        "edge: TensorFlow trains on up to 64 batches of 8 at a time (about 179 multiply-adds an "
        "example); edge.steps_per_execution sets another number, which changes no bit"
    ]
    assert line(details[0]) is None
    LogFile(tmp_path / "log.txt")(details[0])
    assert "64 batches of 8" in (tmp_path / "log.txt").read_text()


def of_epochs(round_number: int, who: str) -> keras.callbacks.Callback:
    del round_number, who
    return keras.callbacks.LambdaCallback(on_epoch_end=print)


BATCHES: list[int] = []


def of_batches(round_number: int, who: str) -> keras.callbacks.Callback:
    del round_number, who
    return keras.callbacks.LambdaCallback(on_train_batch_end=lambda at, **_: BATCHES.append(at))


def test_a_users_callback_gets_every_batch_if_it_wants_one() -> None:
    said: list[Event] = []
    trained(said, callbacks=f"{__name__}:of_epochs")
    assert not [event for event in said if isinstance(event, Note)]
    trained(said, callbacks=f"{__name__}:of_batches")
    assert [*range(7), *range(7)] == BATCHES
    notes = [event.text for event in said if isinstance(event, Note)]
    assert len(notes) == 1
    assert "edge.callbacks: LambdaCallback does something at every batch" in notes[0]


class Words(keras.layers.Layer):
    """Goes through a string, which XLA does not know."""

    def call(self, x: Any) -> Any:
        numbers = tf.strings.to_number(tf.strings.as_string(tf.stop_gradient(x)))
        return x + 0 * tf.ensure_shape(numbers, x.shape)


def test_what_xla_cannot_compile_trains_without_it() -> None:
    said: list[Event] = []
    plain = trained([], net(Words()))
    assert trained(said, net(Words()), jit_compile=JitCompile.ON) == plain
    notes = [event.text for event in said if isinstance(event, Note)]
    assert len(notes) == 1
    assert notes[0].startswith("jit_compile=on: XLA can't compile this model, so it trains withou")


def test_a_model_that_fits_in_its_own_way_is_left_alone() -> None:
    fits: list[int] = []

    class Own(keras.Sequential):
        def fit(self, *arguments: Any, **more: Any) -> Any:
            fits.append(more["steps_per_epoch"])
            return super().fit(*arguments, **more)

    assert trained([], Own(net().layers)) == trained([])
    assert fits == [7]


def test_the_larger_the_model_the_fewer_batches() -> None:
    small, large = net(), net(keras.layers.Conv2D(64, 3, padding="same"))
    assert work_of(small) == 16 + 16 + (16 * 4 + 16) + (16 * 3 + 3 + 16)
    assert steps_per_execution(small, 32)[0] == 64
    assert steps_per_execution(large, 2048)[0] == 6
    assert steps_per_execution(large, 10**7)[0] == 1

    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.last = keras.layers.Dense(3)

        def call(self, x: Any) -> Any:
            return self.last(x)

    own = Own()
    own(np.zeros((1, 4)))
    assert steps_per_execution(own, 32) == (1, "its layers do not say how large they are")


def fitting(round_number: int, who: str) -> keras.callbacks.Callback:
    del round_number, who
    return Trains("fit")


def training_on_a_batch(round_number: int, who: str) -> keras.callbacks.Callback:
    del round_number, who
    return Trains("train_on_batch")


class Trains(keras.callbacks.Callback):
    """Trains the model on other examples in the middle of its fit."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self._how = how

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        del epoch, logs
        getattr(self.model, self._how)(EXAMPLES.inputs[:4], EXAMPLES.labels[:4])


@pytest.mark.parametrize("callback", [fitting, training_on_a_batch])
def test_a_callback_that_trains_the_model_is_told_so(callback: Any) -> None:
    with pytest.raises(RoundError, match="called while the model is being trained"):
        trained([], callbacks=f"{__name__}:{callback.__name__}")
