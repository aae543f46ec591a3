"""A head that a microcontroller trains, proved in tflite-micro against Keras."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.bundles.quantization import dequantize
from ecavg_tf.core.errors import ExportError
from ecavg_tf.core.template import Array
from ecavg_tf.core.two_classes import class_columns
from ecavg_tf.data.dataset import Examples
from export.making.micro_head import MadeHead
from export.micro.interpreter import MicroRun, run_in_micro
from export.micro.training import MicroSteps, train_in_micro

GOLDEN_RATE = 0.01
_GOLDEN_ROWS, GOLDEN_STEPS = 4, 2
_LIMIT = 1e-5  # of a value, relative to the largest; float32 sums in other orders


@dataclass(frozen=True)
class ProvenHead:
    """What tflite-micro made of a backbone and of a training file.

    Attributes:
        backbone: its run on examples; None: there is no backbone.
        steps: the golden steps of the training file.
        features: of the golden examples as the device keeps them: int8 of a backbone, else
            float32; shape (rows, features).
        labels: their labels, shape (rows,).
        difference: largest difference of a loss or a weight from Keras after the golden steps.
        agreement: share of examples that the head, on the device's features, labels as the Keras
            model does.
        examples: how many those are.
    """

    backbone: MicroRun | None
    steps: MicroSteps
    features: Array
    labels: NDArray[np.int64]
    difference: float
    agreement: float
    examples: int


def prove_head(made: MadeHead, examples: Examples) -> ProvenHead:
    """Runs both files in tflite-micro.

    Args:
        made: the files.
        examples: labelled ones, at least one; the first few become the golden ones.

    Raises:
        ExportError: a file can't run there, or trains otherwise than Keras.
        InstallationError: there is no tflite-micro interpreter here.
    """
    if not len(examples):
        raise ExportError("no test examples: a training file is compared with Keras on some")
    kept, run = _kept(made, examples.inputs)
    values = kept.astype(np.float32)
    if run is not None:
        values = dequantize(kept, run.facts.outputs[0])
    rows = min(_GOLDEN_ROWS, made.shape.batch, len(examples))
    labels = examples.labels[:rows]
    x = np.zeros((1, made.shape.batch, made.shape.features), np.float32)
    y = np.zeros((1, made.shape.batch, made.shape.classes), np.float32)
    x[0, :rows], y[0, np.arange(rows), labels] = values[:rows], 1.0
    weights = (made.kernel, made.bias)
    steps = train_in_micro(made.training, x, y, weights, steps=GOLDEN_STEPS, rate=GOLDEN_RATE)
    expected = made.keras_steps(values[:rows], labels, steps=GOLDEN_STEPS, rate=GOLDEN_RATE)
    difference = float(np.abs(steps.rows - expected).max())
    if not difference <= _LIMIT * max(1.0, float(np.abs(expected).max())):
        raise ExportError(
            f"the training file differs from Keras by {difference:.2g} after {GOLDEN_STEPS} steps; "
            "please report it with your model"
        )
    agreement = float(np.mean(_labels(made, values) == _labels(made, _of_keras(made, examples))))
    return ProvenHead(run, steps, kept[:rows], labels, difference, agreement, len(examples))


def _kept(made: MadeHead, inputs: Array) -> tuple[Array, MicroRun | None]:
    """Of every example what a device keeps, shape (n, features)."""
    if made.backbone is None:
        return inputs.reshape(len(inputs), -1).astype(np.float32), None
    run = run_in_micro(made.backbone, made.given(inputs))
    return run.outputs, run


def _of_keras(made: MadeHead, examples: Examples) -> Array:
    if made.before is None:
        return examples.inputs.reshape(len(examples), -1).astype(np.float32)
    found: Array = made.before(examples.inputs.astype(np.float32), training=False).numpy()
    return found


def _labels(made: MadeHead, features: Array) -> Array:
    logits = features @ made.kernel + made.bias
    found: Array = class_columns(logits, logits=True).argmax(axis=1)
    return found
