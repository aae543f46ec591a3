"""Checks that a model gives the declared output (probabilities or logits); makes random inputs."""

import keras
import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.errors import ConfigError, ExportError
from ecavg_tf.core.template import Array
from ecavg_tf.core.two_classes import class_columns, class_probabilities
from ecavg_tf.models.output_kind import has_one_output, stays_in_unit_range

HINT = "--logits for a .keras file, model.output=logits for a run"
_NO_LOGITS = (
    "the model's answers are probabilities and were said to be logits ({hint}): leave that out"
)
_FEW = 8  # inputs that tell what one output is
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
        answers: shape (n, classes), or (n, 1) of two classes.
        logits: whether they were said to be logits.
        hint: how to say so.

    Returns:
        Shape (n, classes).

    Raises:
        ConfigError: they are logits and were said to be probabilities, or the other way round.
        ExportError: they are neither (ECAvg has no such classifiers), or not finite.
    """
    values = np.asarray(answers, np.float64)
    if values.ndim != 2:
        raise ExportError(
            f"the model's answers have shape {values.shape}; expected (n, classes), classes "
            "whose probabilities sum to 1, or (n, 1), that of the second of two classes"
        )
    check_finite(values, logits=logits)
    if values.shape[1] > 1 or not logits:  # one logit may lie in 0..1, too
        _check(values, logits, hint)
    return np.asarray(class_probabilities(values, logits=logits))


def check_one_logit(model: keras.Model, inputs: Array, hint: str = HINT) -> None:
    """Refuses a sigmoid that was said to be a logit: answers alone don't tell them apart.

    Args:
        model: a built model; only one with one output is looked at.
        inputs: at least one, as the model takes them.
        hint: how to say what it gives.

    Raises:
        ConfigError: it gives a probability.
    """
    few = inputs[:_FEW].astype(np.float32)
    if has_one_output(model, few) and stays_in_unit_range(model, few):
        raise ConfigError(_NO_LOGITS.format(hint=hint))


def check_finite(answers: Array, inputs: str = "inputs", *, logits: bool = False) -> None:
    """Refuses NaN and infinity: no file can be calibrated or compared with them.

    Args:
        answers: shape (n, …).
        inputs: what they are answers to.
        logits: whether they are logits: minus infinity then switches a class off.

    Raises:
        ExportError: there is one.
    """
    axes = tuple(range(1, answers.ndim))
    sound = np.isfinite(answers)
    if logits:
        sound = (sound | np.isneginf(answers)) & sound.any(axis=axes, keepdims=True)
    wrong = (~sound).any(axis=axes)
    if wrong.any():
        raise ExportError(
            f"the model's answers are not finite (NaN or infinity) for {np.sum(wrong)} of "
            f"{len(answers)} {inputs}: its training diverged, or it does not take such inputs; "
            "give a model whose answers are finite numbers"
        )


def _check(values: NDArray[np.float64], logits: bool, hint: str) -> None:
    if logits != are_probabilities(class_columns(values, logits=logits)):
        return
    if logits:
        raise ConfigError(_NO_LOGITS.format(hint=hint))
    if in_unit_range(values):
        sums = values.sum(axis=1)
        raise ExportError(
            f"the model's answers are in 0..1 and sum to {sums.min():.3g} to {sums.max():.3g} (a "
            "sigmoid?): ECAvg exports classifiers whose outputs sum to 1, end it in a softmax (or, "
            f"if they are logits, say so: {hint})"
        )
    raise ConfigError(
        f"the model's answers run from {values.min():.3g} to {values.max():.3g}: these are no "
        f"probabilities; if they are logits of classes, say so: {hint}; if they are values "
        "(regression, independent tags), export.to_tflite(model, …, output='values') makes files"
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
