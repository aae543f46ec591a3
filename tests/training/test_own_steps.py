"""What a user's model brings along is used, or a note says that it is not; chance is set anew."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from ecavg_tf.config import EdgeConfig
from ecavg_tf.core.errors import ModelError
from ecavg_tf.core.template import weights_sha256
from ecavg_tf.data.dataset import Examples
from ecavg_tf.events import EpochEnded, Event, Note
from ecavg_tf.training.compiled import Compilation, CompiledModel
from ecavg_tf.training.trainer import KerasTrainer

RNG = np.random.default_rng(0)
EXAMPLES = Examples(
    RNG.integers(0, 17, (20, 4, 4, 1), np.uint8), RNG.integers(0, 3, 20).astype(np.int64)
)


class OwnStep(keras.Sequential):
    """Its training step changes nothing."""

    def train_step(self, data: Any) -> dict[str, Any]:
        inputs, labels = data
        outputs = self(inputs, training=True)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(0.0)
            else:
                metric.update_state(labels, outputs)
        metrics: dict[str, Any] = self.get_metrics_result()
        return metrics


class OwnLoss(keras.Sequential):
    """Its loss is always 0, so nothing can be learnt."""

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, *others: Any, **more: Any
    ) -> Any:
        del x, y, others, more
        return 0.0 * keras.ops.sum(y_pred)


class OwnTest(keras.Sequential):
    def test_step(self, data: Any) -> dict[str, Any]:
        raise AssertionError(data)


class Noise(keras.layers.Layer):
    """Adds what ``draw`` draws, in training."""

    def __init__(self, draw: Callable[..., Any]) -> None:
        super().__init__()
        self.draw = draw

    def call(self, x: Any, training: bool = False) -> Any:
        return x + self.draw(tf.shape(x)) if training else x


class Counting(keras.layers.Layer):
    """Keeps a count that Keras does not know of."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = [lambda: None]
        variable = tf.Variable(0.0, trainable=False)
        self.hidden.append(lambda: variable.assign_add(1.0))

    def call(self, x: Any, training: bool = False) -> Any:
        return x + self.hidden[1]() if training else x


def net(*first: keras.layers.Layer, kind: type[keras.Model] = keras.Sequential) -> keras.Model:
    keras.utils.set_random_seed(1)
    last = keras.layers.Dense(3, activation="softmax")
    return kind([keras.Input((4, 4, 1)), *first, keras.layers.Flatten(), last])


def trainer_of(model: keras.Model, said: list[Event], *, augment: bool = False) -> KerasTrainer:
    settings = EdgeConfig(epochs=2, batch_size=8, augment=augment)
    compiled = CompiledModel(
        model,
        Compilation.of(settings),
        input_shape=(4, 4, 1),
        logits=False,
        listener=said.append,
    )
    return KerasTrainer(compiled, settings, seed=3)


def fitted(trainer: KerasTrainer, start: Any, number: int = 1) -> str:
    return weights_sha256(trainer.fit(start, EXAMPLES, round_number=number, who="edge-00"))


@pytest.mark.parametrize("augment", [False, True])
@pytest.mark.parametrize("kind", [OwnStep, OwnLoss])
def test_a_step_or_a_loss_of_the_users_is_used(kind: type[keras.Model], augment: bool) -> None:
    trainer = trainer_of(net(kind=kind), [], augment=augment)
    start = trainer.model.get_weights()
    assert fitted(trainer, start) == weights_sha256(start)


LOGS: dict[str, Callable[[Any], Any]] = {
    "a scalar": lambda losses: tf.reduce_mean(losses),
    "a number": lambda _: 0.5,
    "nothing": lambda _: None,
    "one for each example": lambda losses: losses,
    "of unknown shape": lambda losses: tf.py_function(lambda x: x, [losses], tf.float32),
    "nested": lambda losses: {"inside": tf.reduce_mean(losses)},
}


@pytest.mark.parametrize("told", LOGS)
def test_a_step_of_the_users_may_tell_anything(told: str) -> None:
    class Telling(keras.Sequential):
        def train_step(self, data: Any) -> dict[str, Any]:
            inputs, labels = data
            with tf.GradientTape() as tape:
                outputs = self(inputs, training=True)
                losses = keras.losses.sparse_categorical_crossentropy(labels, outputs)
                loss = tf.reduce_mean(losses)
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
            return {"loss": loss, "told": LOGS[told](losses)}

    assert of_step(Telling) == of_step(Plain)


def of_step(kind: type[keras.Sequential]) -> str:
    """The weights after two epochs of 20 examples, 8 a batch."""
    keras.utils.set_random_seed(1)
    layers = [keras.Input((4, 4, 1)), keras.layers.Flatten()]
    model = kind([*layers, keras.layers.Dense(3, activation="softmax")])
    settings = EdgeConfig(epochs=2, batch_size=8)
    compiled = CompiledModel(model, Compilation.of(settings), input_shape=(4, 4, 1), logits=False)
    trainer = KerasTrainer(compiled, settings, seed=0)
    return weights_sha256(trainer.fit(model.get_weights(), EXAMPLES, round_number=1, who="edge"))


class Plain(keras.Sequential):
    """Keras' own step."""


def test_a_users_own_metrics_are_left_alone() -> None:
    """F1Score can give no result before it is updated."""

    class WithMetric(Plain):
        def __init__(self, layers: Any) -> None:
            super().__init__(layers)
            self.score = keras.metrics.F1Score()

        @property
        def metrics(self) -> list[keras.Metric]:
            return [self.score]

        def train_step(self, data: Any) -> dict[str, Any]:
            super().train_step(data)
            return {"loss": tf.constant(0.0)}

        def get_metrics_result(self) -> dict[str, Any]:
            return {}

    assert of_step(WithMetric) == of_step(Plain)


def test_augmented_training_gives_the_bits_that_it_always_gave() -> None:
    model = net(keras.layers.GaussianNoise(0.1), keras.layers.Dropout(0.5))
    seen: list[Any] = []
    kept = model.train_step

    def step(data: Any) -> Any:
        seen.append(data[0])
        return kept(data)

    model.train_step = step
    trainer = trainer_of(model, [], augment=True)
    trainer.model.run_eagerly = True
    fitted(trainer, model.get_weights())
    states = [v for v in model.variables if v.name == "seed_generator_state"]
    # The augmenting layers take seeds 0 and 1, the model's own follow, as in earlier versions.
    from ecavg_tf.core.seeds import derive_seed

    expected = [derive_seed(3, "generator", 1, "edge-00", 1, number) for number in (2, 3)]
    assert [int(np.asarray(state)[0]) for state in states] == expected
    inputs = np.concatenate([np.asarray(batch) for batch in seen])
    assert inputs.dtype == np.float32
    plain = {image.tobytes() for image in EXAMPLES.inputs.astype(np.float32)}
    assert sum(image.tobytes() in plain for image in inputs) < len(inputs) / 2


class Raising(keras.Sequential):
    def train_step(self, data: Any) -> dict[str, Any]:
        raise ValueError(f"I want three parts, got {len(data)}")


class Silent(keras.Sequential):
    def train_step(self, data: Any) -> None:
        del data


class OwnFit(keras.Sequential):
    def fit(self, *given: Any, **more: Any) -> Any:
        del given, more
        raise RuntimeError("call fit_generator")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Raising, r"class Raising has its own train_step: ValueError: I want three parts, got 2"),
        (Silent, "class Silent has its own train_step: TypeError: "),
        (OwnFit, "class OwnFit has its own fit: RuntimeError: call fit_generator"),
    ],
)
def test_a_step_of_the_users_that_fails_is_told_in_one_line(
    kind: type[keras.Sequential], said: str
) -> None:
    with pytest.raises(ModelError, match=said) as told:
        of_step(kind)
    assert "\n" not in str(told.value)


class OtherOptimizer(keras.Sequential):
    def compile(self, *given: Any, **more: Any) -> None:
        del given, more
        super().compile("sgd", "mse")


class OtherLoss(keras.Sequential):
    def compile(self, optimizer: Any = None, *given: Any, **more: Any) -> None:
        del given, more
        super().compile(optimizer, "mse")


class TwoOptimizers(keras.Sequential):
    def compile(self, d_optimizer: Any = None, **more: Any) -> None:
        del d_optimizer
        super().compile(**more)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (
            OtherOptimizer,
            r"OtherOptimizer has its own compile\(\), which does not keep the optimizer",
        ),
        (OtherLoss, r"OtherLoss has its own compile\(\), which does not keep the loss"),
        (TwoOptimizers, r"can't be called as Keras' own: TypeError: .*positional arguments"),
    ],
)
def test_a_compile_of_the_users_must_pass_on_what_comes(
    kind: type[keras.Sequential], said: str
) -> None:
    with pytest.raises(ModelError, match=said) as told:
        of_step(kind)
    assert str(told.value).endswith("super().compile(*args, **kwargs)")


class Usual(keras.Sequential):
    def train_step(self, data: Any) -> Any:
        return super().train_step(data)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), BrokenPipeError()])
def test_what_the_machine_lacks_is_not_the_models_fault(error: OSError) -> None:
    def full(event: Event) -> None:
        if isinstance(event, EpochEnded):
            raise error

    model = net(kind=Usual)
    settings = EdgeConfig(epochs=1, batch_size=8)
    compiled = CompiledModel(model, Compilation.of(settings), input_shape=(4, 4, 1), logits=False)
    trainer = KerasTrainer(compiled, settings, seed=3, listener=full)
    with pytest.raises(OSError) as told:
        fitted(trainer, model.get_weights())
    assert told.value is error


def test_what_is_ignored_is_said_once() -> None:
    said: list[Event] = []
    model = net(kind=OwnTest)
    model.compile("sgd", "mse")
    trainer = trainer_of(model, said)
    assert said == []  # no log is open before training
    for number in (1, 2):
        fitted(trainer, model.get_weights(), number)
    texts = [event.text for event in said if isinstance(event, Note)]
    assert len(texts) == 2
    assert "came compiled: its loss, optimizer and metrics are not used" in texts[0]
    assert "own test_step is not used" in texts[1]


def keras_draw(shape: Any) -> Any:
    return 0.3 * keras.random.normal(shape)


def tf_draw(shape: Any) -> Any:
    return 0.3 * tf.random.normal(shape)


def traced_draw(shape: Any) -> Any:
    return tf.ones(shape) * np.random.normal()  # noqa: NPY002  # a constant of the graph


def python_draw(shape: Any) -> Any:
    return tf.zeros(shape) + tf.ensure_shape(tf.py_function(lambda: 0.0, [], tf.float32), ())


@pytest.mark.parametrize(
    ("draw", "noted"), [(keras_draw, []), (tf_draw, ["tf.random"]), (traced_draw, [])]
)
def test_chance_without_a_seed_is_fixed_by_the_place(
    draw: Callable[..., Any], noted: list[str]
) -> None:
    said: list[Event] = []
    whole = trainer_of(net(Noise(draw)), said)
    start = whole.model.get_weights()
    fitted(whole, start, 1)
    second = fitted(whole, start, 2)
    keras.utils.set_random_seed(99)  # whatever else a program draws
    resumed = trainer_of(net(Noise(draw)), [])
    keras.utils.set_random_seed(98)
    assert fitted(resumed, start, 2) == second
    assert fitted(whole, start, 2) == second
    assert fitted(whole, start, 1) != second
    texts = [event.text for event in said if isinstance(event, Note)]
    assert len(texts) == len(noted)
    assert all(word in text for word, text in zip(noted, texts, strict=True))


@pytest.mark.parametrize(
    ("layer", "said_of_it"),
    [
        (Counting(), "changes a variable that is no weight"),
        (Noise(python_draw), "calls Python code"),
    ],
)
def test_state_that_cannot_be_set_back_is_noted(layer: keras.layers.Layer, said_of_it: str) -> None:
    said: list[Event] = []
    trainer = trainer_of(net(layer), said)
    fitted(trainer, trainer.model.get_weights())
    assert [said_of_it in event.text for event in said if isinstance(event, Note)] == [True]
