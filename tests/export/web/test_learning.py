"""A tab trains as a device does in Python: headless Chromium beside the device's own learner."""

import base64
import functools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import exports_for_tests as made
import keras
import numpy as np
import pytest
from learning_for_tests import STORE, evaluated, served_modules
from web_for_tests import chromium

from ecavg_tf.config import ModelConfig
from ecavg_tf.core.bundles.training_bundle import (
    OptimizerSpec,
    read_training_bundle,
    write_training_bundle,
)
from ecavg_tf.data.dataset import DataSpec, Examples, split_off_guard
from ecavg_tf.models.builders import mlp
from edge.device.learner import DeviceTrainer
from edge.device.runtime import find_runtime
from edge.device.training_model import TrainingModel
from edge.device.training_settings import TrainingSettings
from export.making.training import TrainingExporter

pytestmark = pytest.mark.slow

DIGITS = made.digits()
COUNT = 301  # the last batch is not full
RATES = {"sgd": 0.05, "adam": 1e-3}


def mlp_of(units: int) -> keras.Model:
    keras.utils.set_random_seed(0)
    return mlp(DIGITS.spec, ModelConfig(hidden_units=units))


def one_output() -> keras.Model:
    """Tells 0-4 from 5-9 by one sigmoid."""
    keras.utils.set_random_seed(1)
    layers = keras.layers
    ending = [layers.Dense(8, activation="relu"), layers.Dense(1, activation="sigmoid")]
    return keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Rescaling(1 / 16), layers.Flatten(), *ending]
    )


@functools.cache
def models() -> dict[str, tuple[keras.Model, str]]:
    return {
        "dense": (mlp_of(64), "dense"),
        "head": (made.model(), "head"),
        "binary": (one_output(), "dense"),
    }


def data_of(model: str) -> tuple[DataSpec, Examples]:
    """What a model is for: ten classes, or two."""
    if model != "binary":
        return DIGITS.spec, DIGITS.train.take(np.arange(COUNT))
    halves = DIGITS.train.labels[:COUNT] // 5
    spec = replace(DIGITS.spec, classes=("low", "high"))
    return spec, Examples(DIGITS.train.inputs[:COUNT], halves)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bundles")
    found = {}
    for name, (model, trainable) in models().items():
        for optimizer in RATES:
            spec, train = data_of(name)
            exporter = TrainingExporter(model, spec, trainable, OptimizerSpec(optimizer))
            path = found[f"{name}-{optimizer}"] = folder / f"{name}-{optimizer}"
            write_training_bundle(path, exporter.bundle(train, {}))
    return found


@pytest.fixture(scope="module")
def browser(bundles: dict[str, Path]) -> Iterator[Any]:
    session = chromium()
    with served_modules(**{name: path.read_bytes() for name, path in bundles.items()}) as address:
        session.set_script_timeout(60)
        session.get(address)
        yield session
        session.quit()


def decoded(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f4")


TRAIN = (
    STORE
    + """
const [name, inputs, labels, epochs, rate, stop] = given;
const { readTrainingBundle } = await load("training_bundle");
const { TrainingModel } = await load("training_model");
const { Learner } = await load("learner");
const { Examples } = await load("examples");
const text = (values) => btoa(String.fromCharCode(...new Uint8Array(values.buffer)));
const bundle = await readTrainingBundle(name, await fetched(name));
const model = await TrainingModel.load(bundle);
const examples = new Examples(Float32Array.from(inputs), Int32Array.from(labels));
const settings = { epochs, batchSize: 32, learningRate: rate, cosine: true };
const events = [];
const learner = () => new Learner(model, settings,
    { seed: 3, store, listener: (event) => events.push(event) });
const start = (await model.get()).weights;
const fit = (signal) => learner().fit(start, examples, { round: 2, who: "edge-00", signal });
if (stop) {  // the tab is closed in the middle of an epoch
    let steps = 0;
    const train = model.train.bind(model);
    model.train = (...given) => { if (++steps === stop) throw new Error("closed");
        return train(...given); };
    await fit().catch((error) => { if (error.message !== "closed") throw error; });
    model.train = train;
}
const trained = await fit();
const found = await model.predictions(trained, examples);
const state = await model.get();
return {
    trained: trained.map(text), epochs: events.map((event) => event.epoch), step: state.step,
    losses: events.map((event) => event.loss), likelihood: Array.from(found.logLikelihood),
    correct: Array.from(found.correct),
};
"""
)


def python_fit(
    bundle: Path, train: Examples, epochs: int, rate: float
) -> tuple[list[np.ndarray], DeviceTrainer]:
    model = TrainingModel(find_runtime(), read_training_bundle(bundle))
    trainer = DeviceTrainer(model, TrainingSettings(epochs, 32, rate, cosine=True), seed=3)
    start = model.get().weights
    return trainer.fit_held(start, train, round_number=2, who="edge-00"), trainer


@pytest.mark.parametrize("optimizer", RATES)
@pytest.mark.parametrize("model", ["dense", "head", "binary"])
@pytest.mark.parametrize("epochs", [1, 3])
def test_the_weights_are_those_of_the_device_learner(
    browser: Any, bundles: dict[str, Path], model: str, optimizer: str, epochs: int
) -> None:
    (_, train), rate = data_of(model), RATES[optimizer]
    given = train.inputs.reshape(-1).tolist(), train.labels.tolist()
    name = f"{model}-{optimizer}"
    found = evaluated(browser, TRAIN, name, *given, epochs, rate, 0)
    expected, trainer = python_fit(bundles[name], train, epochs, rate)
    difference = max(
        float(np.abs(decoded(text) - array.reshape(-1)).max())
        for text, array in zip(found["trained"], expected, strict=True)
    )
    print(f"{name}, {epochs} epochs: largest difference of a weight {difference:.2g}")
    # Sums of a convolution's features come in another order, and Adam divides by their size.
    assert difference <= (1e-5 if model == "head" else 1e-6)
    assert found["epochs"] == list(range(1, epochs + 1))
    said = trainer.predictions_of(expected, train)
    assert np.abs(np.array(found["likelihood"]) - said.log_likelihood).max() < 1e-4
    assert found["correct"] == said.correct.astype(int).tolist()


@pytest.mark.parametrize("stop", [1, 5, 17, 29])
def test_a_closed_tab_loses_the_epoch_at_most(browser: Any, stop: int) -> None:
    train = DIGITS.train.take(np.arange(COUNT))
    given = train.inputs.reshape(-1).tolist(), train.labels.tolist()
    whole = evaluated(browser, TRAIN, "dense-adam", *given, 3, 1e-3, 0)
    again = evaluated(browser, TRAIN, "dense-adam", *given, 3, 1e-3, stop)
    assert again["epochs"] == [1, 2, 3]  # none was trained twice
    assert again["trained"] == whole["trained"]
    assert again["losses"] == whole["losses"]


def test_the_guard_is_split_off_as_in_python(browser: Any) -> None:
    draws = np.random.default_rng(0)
    for case in range(30):
        count, classes = int(draws.integers(1, 90)), int(draws.integers(1, 7))
        labels = draws.integers(0, classes, count)
        fraction = float(draws.choice([0.0, 0.1, 0.2, 0.37, 0.9]))
        numbered = Examples(np.arange(count).reshape(-1, 1), labels)
        expected = split_off_guard(f"edge {case}", numbered, fraction, case)
        body = """
        const { Examples, splitOffGuard } = await load("examples");
        const [labels, edge, fraction, seed] = given;
        const inputs = Float32Array.from(labels, (_, at) => at);
        const split = await splitOffGuard(
            edge, new Examples(inputs, Int32Array.from(labels)), fraction, seed);
        return [split.train, split.guard].map(({ inputs }) => Array.from(inputs));"""
        found = evaluated(browser, body, labels.tolist(), f"edge {case}", fraction, case)
        parts = (expected.train, expected.guard)
        assert found == [part.inputs.reshape(-1).tolist() for part in parts]
