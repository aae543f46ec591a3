"""Steps a second of on-device training beside Keras' ``train_on_batch``, on the MNIST net.

    python benchmarks/device_training.py

Prints the steps a second of both, their ratio, and the largest difference of a weight after
200 steps on the same batches.
"""

import statistics
import sys
import time

import keras
import numpy as np

from ecavg_tf.config import ModelConfig
from ecavg_tf.core.bundles.training_bundle import OptimizerSpec
from ecavg_tf.data.dataset import DataSpec, Examples
from ecavg_tf.models.builders import mlp
from edge.device.runtime import find_runtime
from edge.device.training_model import TrainingModel
from export.making.training import TrainingExporter

_STEPS, _BATCH, _REPEATS = 200, 32, 5
_SPEC = DataSpec("noise", (28, 28, 1), "uint8", (0.0, 255.0), tuple(map(str, range(10))))
_RATES = {"sgd": 0.05, "adam": 1e-3}


def main() -> int:
    """Measures SGD, SGD with momentum, and Adam."""
    draws = np.random.default_rng(0)
    inputs = draws.integers(0, 256, (_STEPS, _BATCH, 28, 28, 1)).astype(np.float32)
    labels = draws.integers(0, 10, (_STEPS, _BATCH)).astype(np.int64)
    print(f"{_STEPS} steps of {_BATCH} examples, 784-128-10, {find_runtime()}, one thread")
    for spec in (OptimizerSpec("sgd"), OptimizerSpec("sgd", momentum=0.9), OptimizerSpec("adam")):
        row(spec, inputs, labels)
    return 0


def row(spec: OptimizerSpec, inputs: np.ndarray, labels: np.ndarray) -> None:
    """Prints one optimizer's line."""
    keras.utils.set_random_seed(0)
    model, rate = mlp(_SPEC, ModelConfig()), _RATES[spec.name]
    examples = Examples(inputs[0].astype(np.uint8), labels[0])
    bundle = TrainingExporter(model, _SPEC, "dense", spec).bundle(examples, {})
    start = model.get_weights()
    lite = TrainingModel(find_runtime(), bundle)
    made = (
        keras.optimizers.Adam(rate)
        if spec.name == "adam"
        else keras.optimizers.SGD(rate, momentum=spec.momentum)
    )
    model.compile(made, "sparse_categorical_crossentropy")
    lite.set(lite.fresh(start))

    def ours() -> None:
        for batch, truth in zip(inputs, labels, strict=True):
            lite.train(lite.features(batch), truth, rate)

    def theirs() -> None:
        for batch, truth in zip(inputs, labels, strict=True):
            model.train_on_batch(batch, truth)

    ours()
    theirs()
    pairs = zip(lite.get().weights, model.get_weights(), strict=True)
    difference = max(float(np.abs(one - other).max()) for one, other in pairs)
    device = statistics.median(seconds(ours) for _ in range(_REPEATS))
    keras_s = statistics.median(seconds(theirs) for _ in range(_REPEATS))
    name = f"{spec.name}{f', momentum {spec.momentum}' if spec.momentum else ''}"
    print(
        f"{name:20s} device {_STEPS / device:6.0f} steps/s, Keras {_STEPS / keras_s:6.0f}, "
        f"ratio {keras_s / device:.1f}; largest difference {difference:.1e}",
        flush=True,
    )


def seconds(work: object) -> float:
    """How long a call takes."""
    began = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
