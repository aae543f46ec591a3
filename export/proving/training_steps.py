"""Runs a training file for a few steps, as a device does."""

from collections.abc import Sequence

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


def stateless_steps(
    content: bytes, x: Array, y: Array, weights: Sequence[Array], *, steps: int, rate: float
) -> NDArray[np.float32]:
    """Steps of a file that keeps nothing: what one gives goes into the next.

    Args:
        content: the file's bytes.
        x: features, shape (n, batch, features), float32; step ``s`` takes ``x[s % n]``.
        y: one-hot labels, shape (n, batch, classes), float32; a row of zeros does not count.
        weights: the head's kernel and bias.
        steps: how many.
        rate: the learning rate.

    Returns:
        A row a step: the loss before it, and the kernel and the bias after it, flattened; shape
        (steps, 1 + kernel + bias).

    Raises:
        ExportError: the interpreter refuses the file.
    """
    kernel, bias = weights
    rows = []
    try:
        step = open_file(content, num_threads=1).get_signature_runner("train")
        for number in range(steps):
            found = step(
                x=x[number % len(x)],
                y=y[number % len(y)],
                kernel=kernel,
                bias=bias,
                learning_rate=np.float32(rate),
            )
            kernel, bias = found["new_kernel"], found["new_bias"]
            rows.append(np.concatenate([found["loss"].reshape(-1), kernel.reshape(-1), bias]))
    except (ValueError, RuntimeError) as error:
        raise ExportError(f"LiteRT refuses the training file: {brief(error)}") from error
    return np.stack(rows)
