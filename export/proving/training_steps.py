"""Runs a training file for a few steps, as a device does."""

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.bundles.batches import padded
from ecavg_tf.core.errors import ExportError, brief
from ecavg_tf.core.template import Array
from export.proving.interpreter import open_file


def training_steps(
    content: bytes, inputs: Array, one_hot: Array, *, steps: int, rate: float
) -> NDArray[np.float32]:
    """Probabilities before and after some steps on one batch.

    Args:
        content: the file's bytes.
        inputs: raw values, shape (n, …), float32; n is at most the file's batch.
        one_hot: the labels, shape (n, classes), float32.
        steps: how many.
        rate: the learning rate.

    Returns:
        Shape (2, n, classes).

    Raises:
        ExportError: the interpreter refuses the file.
    """
    try:
        interpreter = open_file(content, num_threads=1)
        run = {
            name: interpreter.get_signature_runner(name) for name in ("features", "train", "infer")
        }
        batch, n = int(run["infer"].get_input_details()["x"]["shape"][0]), len(inputs)
        features = run["features"](image=padded(inputs, batch))["features"]
        answers = [run["infer"](x=features)["probabilities"][:n]]
        for _ in range(steps):
            run["train"](x=features, y=padded(one_hot, batch), learning_rate=np.float32(rate))
        answers.append(run["infer"](x=features)["probabilities"][:n])
    except (ValueError, RuntimeError) as error:
        raise ExportError(f"LiteRT refuses the training file: {brief(error)}") from error
    return np.stack(answers)
