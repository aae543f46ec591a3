"""Training without TensorFlow takes the steps that Keras takes."""

import functools
from collections.abc import Callable
from pathlib import Path

import exports_for_tests as made
import keras
import numpy as np
import pytest
from models_for_tests import convolution

from ecavg_tf.config import EdgeConfig, ModelConfig, Schedule
from ecavg_tf.core.bundles.training_bundle import (
    OptimizerSpec,
    TrainingBundle,
    read_training_bundle,
    write_training_bundle,
)
from ecavg_tf.core.errors import ConfigError, ExportError, ModelError, RoundError, WorkdirError
from ecavg_tf.models.builders import mlp
from edge.device.checkpoint import locked
from edge.device.learner import DeviceTrainer
from edge.device.runtime import find_runtime
from edge.device.training_model import TrainingModel
from edge.device.training_settings import TrainingSettings
from export.making.trainable import make_trainable
from export.making.trained_layers import trained_layers
from export.making.training import TrainingExporter, optimizer_spec, twin_of

DIGITS = made.digits()


def bundle_of(model: keras.Model, trainable: str, optimizer: OptimizerSpec) -> TrainingBundle:
    exporter = TrainingExporter(model, DIGITS.spec, trainable, optimizer)
    return exporter.bundle(DIGITS.test, {"edge": None})


def small_mlp() -> keras.Model:
    keras.utils.set_random_seed(0)
    return mlp(DIGITS.spec, ModelConfig(hidden_units=32))


@pytest.mark.parametrize("optimizer", [
    pytest.param(OptimizerSpec("sgd"), marks=pytest.mark.slow),
    pytest.param(OptimizerSpec("sgd", momentum=0.9), marks=pytest.mark.slow),
    OptimizerSpec("adam"),
])  # fmt: skip
def test_200_steps_are_those_of_keras(optimizer: OptimizerSpec) -> None:
    model = small_mlp()
    bundle = bundle_of(model, "dense", optimizer)
    rate = 0.05 if optimizer.name == "sgd" else 1e-3
    model.compile(
        keras.optimizers.Adam(rate)
        if optimizer.name == "adam"
        else keras.optimizers.SGD(rate, momentum=optimizer.momentum),
        "sparse_categorical_crossentropy",
    )
    lite = TrainingModel(find_runtime(), bundle)
    lite.set(lite.fresh(model.get_weights()))
    train, draws = DIGITS.train, np.random.default_rng(1)
    for step in range(200):
        indices = draws.integers(0, len(train), 32 if step % 10 else 7)
        inputs, labels = train.inputs[indices].astype(np.float32), train.labels[indices]
        model.train_on_batch(inputs, labels)
        lite.train(lite.features(inputs), labels, rate)
    for ours, theirs in zip(lite.get().weights, model.get_weights(), strict=True):
        assert np.abs(ours - theirs).max() <= 1e-5


def test_a_head_on_a_frozen_backbone() -> None:
    model = made.model()
    bundle = bundle_of(model, "head", OptimizerSpec("adam"))
    assert bundle.info.frozen_layers
    assert bundle.info.held == bundle.info.head == (6, 7)
    _, layers = make_trainable(model, "head", OptimizerSpec("adam"))
    inputs = DIGITS.train.inputs.astype(np.float32)
    features = keras.Model(model.inputs, layers[0].input).predict(inputs, verbose=0)
    lite = TrainingModel(find_runtime(), bundle)
    np.testing.assert_allclose(lite.features(inputs), features, atol=1e-4)
    twin = twin_of(layers, OptimizerSpec("adam"), 1e-3)
    draws = np.random.default_rng(1)
    for _ in range(200):  # not one batch: Adam divides its vanishing gradient by itself
        indices = draws.integers(0, len(inputs), 32)
        twin.train_on_batch(features[indices], DIGITS.train.labels[indices])
        lite.train(features[indices], DIGITS.train.labels[indices], 1e-3)
    for ours, theirs in zip(lite.get().weights, twin.get_weights(), strict=True):
        assert np.abs(ours - theirs).max() <= 1e-5


def test_a_bundle_is_read_as_it_was_written(tmp_path: Path) -> None:
    bundle = bundle_of(small_mlp(), "dense", OptimizerSpec("sgd"))
    path = tmp_path / "t.zip"
    write_training_bundle(path, bundle)
    found = read_training_bundle(path)
    assert found.info == bundle.info
    assert found.model == bundle.model
    content = bytearray(path.read_bytes())
    content[content.index(b"TFL3") + 999] ^= 4
    path.write_bytes(content)
    with pytest.raises(ExportError, match=r"model.tflite is damaged"):
        read_training_bundle(path)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_the_size_of_the_files_batch_is_no_matter(optimizer: str) -> None:
    model, trained = small_mlp(), []
    inputs, labels = DIGITS.train.inputs[:5].astype(np.float32), DIGITS.train.labels[:5]
    for batch in (5, 32):
        exporter = TrainingExporter(model, DIGITS.spec, "dense", OptimizerSpec(optimizer), batch)
        bundle = exporter.bundle(DIGITS.test, {})
        assert len(bundle.golden_inputs) == min(16, batch)
        lite = TrainingModel(find_runtime(), bundle)
        losses = [lite.train(lite.features(inputs), labels, 1e-2) for _ in range(20)]
        assert lite.get().step == 20
        assert lite.infer(lite.features(DIGITS.test.inputs[:70])).shape == (70, 10)
        trained.append([*lite.get().weights, np.array(losses)])
    for one, other in zip(*trained, strict=True):  # missing rows count for nothing
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)


def test_models_that_a_device_can_not_train() -> None:
    layers = keras.layers
    convolution = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Conv2D(10, 8, activation="softmax"), layers.Flatten()]
    )
    with pytest.raises(ExportError, match="does not end in a Dense layer"):
        make_trainable(convolution, "head", OptimizerSpec("sgd"))
    with pytest.raises(ConfigError, match="valid: sgd, adam"):
        optimizer_spec("rmsprop")
    with pytest.raises(ConfigError, match="it goes with sgd"):
        optimizer_spec("adam", 0.9)


@pytest.mark.parametrize(
    ("term", "value"),
    [
        ("kernel_regularizer", "l2"),
        ("bias_regularizer", "l1"),
        ("activity_regularizer", "l2"),
        ("kernel_constraint", "non_neg"),
        ("bias_constraint", "unit_norm"),
    ],
)
def test_terms_that_a_device_would_leave_out(term: str, value: str) -> None:
    def net(**settings: str) -> keras.Model:
        layers = keras.layers
        before = layers.Dense(4, name="before", **settings)
        head = layers.Dense(3, name="head", activation="softmax")
        return keras.Sequential([keras.Input((5,)), before, head])

    model = net(**{term: value})
    with pytest.raises(ExportError, match=rf"layer 'before' has a {term}.*build the model without"):
        trained_layers(model, "dense")
    assert len(trained_layers(model, "head")) == 1  # the layer before is not trained
    assert len(trained_layers(net(), "dense")) == 2
    setattr(model.layers[-1], term, keras.regularizers.L2())
    with pytest.raises(ExportError, match=f"layer 'head' has a {term}"):
        trained_layers(model, "head")


@functools.cache
def adam_bundle() -> TrainingBundle:
    """One conversion for all."""
    return bundle_of(small_mlp(), "dense", OptimizerSpec("adam"))


@pytest.mark.parametrize("build", [small_mlp, lambda: convolution(DIGITS.spec)])
def test_a_model_built_again_gives_identical_bytes(build: Callable[[], keras.Model]) -> None:
    first, again = (build() for _ in range(2))
    again.set_weights(first.get_weights())
    files = [bundle_of(model, "head", OptimizerSpec("adam")).model for model in (first, again)]
    assert files[0] == files[1]


def learner(folder: Path | None = None, epochs: int = 3) -> DeviceTrainer:
    settings = TrainingSettings(epochs, 32, 1e-3, cosine=True)
    checkpoint = None if folder is None else folder / "learner.safetensors"
    model = TrainingModel(find_runtime(), adam_bundle())
    return DeviceTrainer(model, settings, seed=3, checkpoint=checkpoint)


def test_a_fit_is_that_of_the_keras_trainer() -> None:
    from ecavg_tf.training.compiled import Compilation, CompiledModel
    from ecavg_tf.training.trainer import KerasTrainer

    model, train = small_mlp(), DIGITS.train.take(np.arange(301))
    before = model.get_weights()
    settings = EdgeConfig(epochs=3, schedule=Schedule.COSINE)
    compiled = CompiledModel(model, Compilation.of(settings), input_shape=(8, 8, 1), logits=False)
    keras_trained = KerasTrainer(compiled, settings, seed=3).fit(
        before, train, round_number=2, who="edge-00"
    )
    ours = learner().fit(before, train, round_number=2, who="edge-00")
    for one, other in zip(ours, keras_trained, strict=True):
        assert np.abs(one - other).max() <= 1e-5


def test_a_killed_fit_goes_on_to_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, train = small_mlp().get_weights(), DIGITS.train.take(np.arange(100))
    whole = learner().fit(start, train, round_number=1, who="edge-00")
    broken = learner(tmp_path)
    step, seen = broken._model.train, 0

    def killed(*arguments: object) -> float:
        nonlocal seen
        seen += 1
        if seen == 10:  # in the third epoch of four steps
            raise KeyboardInterrupt
        return step(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(broken._model, "train", killed)
    with pytest.raises(KeyboardInterrupt):
        broken.fit(start, train, round_number=1, who="edge-00")
    again = learner(tmp_path)
    counted = 0
    step = again._model.train

    def counting(*arguments: object) -> float:
        nonlocal counted
        counted += 1
        return step(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(again._model, "train", counting)
    resumed = again.fit(start, train, round_number=1, who="edge-00")
    assert counted == 4
    for one, other in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_a_learner_refuses(tmp_path: Path) -> None:
    start, train = small_mlp().get_weights(), DIGITS.train.take(np.arange(100))
    with pytest.raises(ModelError, match="of another model: it knows 4 weights"):
        learner().fit(start[:2], train, round_number=1, who="edge-00")
    head = DeviceTrainer(
        TrainingModel(find_runtime(), bundle_of(made.model(), "head", OptimizerSpec("adam"))),
        TrainingSettings(1, 32, 1e-3),
        seed=0,
    )
    other = [weight + 1 for weight in made.model().get_weights()]
    with pytest.raises(ModelError, match=r"came with other weights; set model\.train=head"):
        head.fit(other, train, round_number=1, who="edge-00")
    with pytest.raises(RoundError, match="the loss is no number in round 1, epoch 1"):
        learner().fit([np.full_like(w, np.nan) for w in start], train, round_number=1, who="e")
    for wrong in (
        EdgeConfig(optimizer="sgd"),
        EdgeConfig(augment=True),
        EdgeConfig(weight_decay=1),
    ):
        with pytest.raises(ConfigError, match="this device's training file can do"):
            TrainingSettings.of(wrong, OptimizerSpec("adam"))
    busy = pytest.raises(WorkdirError, match="in use by another process")
    with locked(tmp_path), busy, locked(tmp_path):
        pass
