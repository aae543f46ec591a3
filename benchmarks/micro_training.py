"""What training a head costs on a microcontroller, and what int8 features cost it.

    python benchmarks/micro_training.py MODEL.keras=digits --batches=4,8,16

Behind ``=`` stands the data set, as in ``data.name``. First the arenas in tflite-micro's
interpreter. Then, for each batch size, the arena of the training file, and the largest
difference of a weight from Keras' SGD after 50 steps from the model's own head, in LiteRT and in
tflite-micro. Last a fresh head (zeros) is trained twice, for the same steps in the same order:
on float32 features of the Keras model, and on the int8 features that the device keeps. Right
answers are on test examples, each head on features of its own kind.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.bundles.quantization import dequantize
from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import Dataset
from export.jobs.keras_file import load_keras, matching_data
from export.making.calibration import draw
from export.making.converting_process import first_outputs, first_stateless
from export.making.micro_head import MadeHead, make_micro_head
from export.micro.interpreter import int8_inputs, run_in_micro
from export.micro.training import train_in_micro
from export.reading.flatmodel import read_flatmodel

STEPS, RATE = 50, 0.01
FRESH_STEPS, FRESH_RATE = 2000, 0.02
CALIBRATION, TRAIN, TEST = 200, 2000, 1000


def made_of(path: Path, dataset: Dataset, batch: int) -> MadeHead:
    """Both files of a saved model."""
    inputs = draw(dataset.train, CALIBRATION, 0, "training examples").inputs
    return make_micro_head(load_keras(path), dataset.spec, inputs, {}, batch)


def float_features(made: MadeHead, inputs: Array) -> NDArray[np.float32]:
    """Keras', shape (n, features)."""
    assert made.before is not None
    parts = [
        made.before(inputs[at : at + 100].astype(np.float32), training=False).numpy()
        for at in range(0, len(inputs), 100)
    ]
    return np.concatenate(parts)


def int8_features(made: MadeHead, inputs: Array) -> NDArray[np.float32]:
    """The backbone's in LiteRT's reference kernels, as real numbers."""
    assert made.backbone is not None
    facts = read_flatmodel(made.backbone)
    given = int8_inputs(made.given(inputs), facts.inputs[0])
    return dequantize(first_outputs(made.backbone, given, reference=True), facts.outputs[0])


def batches(features: Array, labels: Array, made: MadeHead, count: int) -> tuple[Array, Array]:
    """Batches in a seeded order, shape (count, batch, …)."""
    rows = np.random.default_rng(0).integers(0, len(features), (count, made.shape.batch))
    one_hot = np.eye(made.shape.classes, dtype=np.float32)
    return features[rows], one_hot[labels[rows]]


def step_row(made: MadeHead, features: Array, labels: Array) -> str:
    """One line of the second table."""
    x, y = batches(features, labels, made, 1)
    weights = (made.kernel, made.bias)
    expected = made.keras_steps(x[0], y[0].argmax(axis=1), steps=STEPS, rate=RATE)[:, 1:]
    lite = first_stateless(made.training, x, y, weights, steps=STEPS, rate=RATE)[:, 1:]
    micro = train_in_micro(made.training, x, y, weights, steps=STEPS, rate=RATE)
    found = (float(np.abs(each - expected).max()) for each in (lite, micro.rows[:, 1:]))
    differences = " ".join(f"{each:>12.1e}" for each in found)
    size = len(made.training)
    return f"{made.shape.batch:>5} {size:>10,} {micro.arena.needed:>10,} {differences}"


def fresh(made: MadeHead, features: Array, labels: Array, test: Array, wanted: Array) -> float:
    """Share of right answers of a head that began as zeros."""
    x, y = batches(features, labels, made, FRESH_STEPS)
    zeros = (np.zeros_like(made.kernel), np.zeros_like(made.bias))
    rows = first_stateless(made.training, x, y, zeros, steps=FRESH_STEPS, rate=FRESH_RATE)
    kernel, bias = np.split(rows[-1, 1:], [made.kernel.size])
    answers = test @ kernel.reshape(made.kernel.shape) + bias
    return float(np.mean(answers.argmax(axis=1) == wanted))


def report(path: Path, data: str, sizes: list[int]) -> None:
    """Prints the tables of one model."""
    dataset = matching_data(load_keras(path), path, data)
    train, test = (
        each.take(np.arange(min(most, len(each))))
        for each, most in ((dataset.train, TRAIN), (dataset.test, TEST))
    )
    made = made_of(path, dataset, sizes[-1])
    assert made.backbone is not None, "a head alone has no features to compare"
    run = run_in_micro(made.backbone, made.given(test.inputs[:20]))
    print(
        f"{path.name}: backbone {len(made.backbone):,} bytes, arena {run.arena.needed:,}; "
        f"{made.shape.features:,} features; head {4 * (made.kernel.size + made.bias.size):,} bytes"
    )
    kinds = {"float32": float_features, "int8": int8_features}
    known = {
        name: (make(made, train.inputs), make(made, test.inputs)) for name, make in kinds.items()
    }
    print(f"{'batch':>5} {'file':>10} {'arena':>10} {'LiteRT':>12} {'tflite-micro':>12}")
    for size in sizes:
        print(step_row(made_of(path, dataset, size), known["int8"][0], train.labels), flush=True)
    print(f"{'features':>8} {'bytes an example':>16} {'right':>6}  (of {len(test)}, fresh head)")
    for name, (given, asked) in known.items():
        right = fresh(made, given, train.labels, asked, test.labels)
        kept = made.shape.features * (1 if name == "int8" else 4)
        print(f"{name:>8} {kept:>16,} {right:>6.3f}", flush=True)


def main() -> None:
    """Parses, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="+", metavar="MODEL.keras=DATA")
    parser.add_argument("--batches", default="4,8,16")
    arguments = parser.parse_args()
    for each in arguments.models:
        name, _, data = each.partition("=")
        report(Path(name), data, [int(size) for size in arguments.batches.split(",")])


if __name__ == "__main__":
    main()
