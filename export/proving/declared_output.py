"""Checks that a model gives the declared output (probabilities or logits); makes random inputs."""

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.bundles.quantization import softmax
from ecavg_tf.core.errors import ConfigError, ExportError
from ecavg_tf.core.template import Array

HINT = "--logits for a .keras file, model.output=logits for a run"
_SUM = 1e-3  # how far a row's sum may be from 1
_LARGEST = float(np.finfo(np.float32).max) / 4


def are_probabilities(answers: Array) -> bool:
    """Whether every row is at least 0 and sums to 1."""
    values = np.asarray(answers, np.float64)
    return bool((values >= 0).all() and (np.abs(values.sum(axis=1) - 1.0) <= _SUM).all())


def in_unit_range(answers: Array) -> bool:
    """Whether all lie in [0, 1] and rows do not sum to 1: what sigmoids give."""
    values = np.asarray(answers)
    return bool((values >= 0).all() and (values <= 1).all()) and not are_probabilities(values)


def checked_probabilities(answers: Array, *, logits: bool, hint: str = HINT) -> NDArray[np.float64]:
    """Keras' answers as probabilities, if they are what the export was told.

    A gate compares a file with its model. It can't see that both give something else
    than what is written in the file.

    Args:
        answers: shape (n, classes).
        logits: whether they were said to be logits.
        hint: how to say so.

    Raises:
        ConfigError: they are logits and were said to be probabilities, or the other way round.
        ExportError: they are neither (ECAvg has no such classifiers), or not finite.
    """
    values = np.asarray(answers, np.float64)
    if values.ndim != 2 or values.shape[1] < 2:
        raise ExportError(
            f"the model's answers have shape {values.shape}; expected (n, classes), 2 classes or "
            "more whose probabilities sum to 1"
        )
    check_finite(values)
    _check(values, logits, hint)
    return softmax(values) if logits else values


def check_finite(answers: Array, inputs: str = "inputs") -> None:
    """Refuses NaN and infinity: no file can be calibrated or compared with them.

    Args:
        answers: shape (n, …).
        inputs: what they are answers to.

    Raises:
        ExportError: there is one.
    """
    wrong = (~np.isfinite(answers)).any(axis=tuple(range(1, answers.ndim)))
    if wrong.any():
        raise ExportError(
            f"the model's answers are not finite (NaN or infinity) for {np.sum(wrong)} of "
            f"{len(answers)} {inputs}: its training diverged, or it does not take such images; "
            "give a model whose answers are finite numbers"
        )


def _check(values: NDArray[np.float64], logits: bool, hint: str) -> None:
    if logits != are_probabilities(values):
        return
    if logits:
        raise ConfigError(
            f"the model's answers are probabilities and were said to be logits: don't ({hint})"
        )
    if in_unit_range(values):
        sums = values.sum(axis=1)
        raise ExportError(
            f"the model's answers are in 0..1 and sum to {sums.min():.3g} to {sums.max():.3g} (a "
            "sigmoid?): ECAvg exports classifiers whose outputs sum to 1, end it in a softmax (or, "
            f"if they are logits, say so: {hint})"
        )
    raise ConfigError(
        f"the model's answers run from {values.min():.3g} to {values.max():.3g}: these are no "
        f"probabilities; if they are logits, say so: {hint}"
    )


def random_inputs(
    shape: tuple[int, ...], count: int, value_range: tuple[float, float]
) -> NDArray[np.float32]:
    """Uniform inputs, shape (count, *shape), always the same.

    Raises:
        ConfigError: the range is not two finite numbers, the lower one first.
    """
    low, high = value_range
    if not -_LARGEST <= low < high <= _LARGEST:
        raise ConfigError(
            f"value_range is {low:g},{high:g}; expected two finite numbers, the lower one first"
        )
    noise = np.random.default_rng(0).uniform(low, high, (count, *shape))
    return noise.astype(np.float32)
