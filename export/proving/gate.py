"""Measures how far a file is from its Keras model, on the same examples."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from ecavg_tf.config import Format
from ecavg_tf.core.bundles.bundle import TensorSpec
from ecavg_tf.core.errors import ExportError
from ecavg_tf.core.exports import Parity, Proportion
from ecavg_tf.core.template import Array

_Z = 1.959963984540054  # 97.5th percentile of the normal distribution: 95 % intervals
# What a format's arithmetic can't tell apart, in probability (its output is not quantized).
_MARGINS = {
    Format.FLOAT32: 1e-5,
    Format.FLOAT16: 2e-3,
    Format.DYNAMIC: 1e-5,
    Format.INT8: 1e-5,
    Format.INT16X8: 1e-5,
}


@dataclass(frozen=True)
class Reference:
    """The examples of a comparison, with the Keras model's answers.

    Attributes:
        inputs: raw values, shape (n, …).
        probabilities: Keras' answers, shape (n, classes).
        labels: the true ones, shape (n,), or None.
        words: what the inputs are.
    """

    inputs: Array
    probabilities: NDArray[np.float64]
    labels: NDArray[np.int64] | None
    words: str


def wilson(hits: int, n: int) -> Proportion:
    """A share and its 95 % score interval (Wilson 1927).

    Args:
        hits: how many of ``n``.
        n: at least 1.
    """
    interval = binomtest(hits, n).proportion_ci(0.95, method="wilson")
    return Proportion(hits / n, float(interval.low), float(interval.high))


def paired_change(
    before: NDArray[np.bool_], after: NDArray[np.bool_]
) -> tuple[float, float, float]:
    """Change of accuracy on the same examples, with its paired 95 % interval.

    Only examples on which the two differ count (Wald interval of a difference of paired
    proportions, with Agresti and Min's correction of +0.5 to each kind of difference).
    """
    n = len(before)
    gained = int(np.count_nonzero(~before & after))
    lost = int(np.count_nonzero(before & ~after))
    change = (gained - lost) / n
    b, c, m = gained + 0.5, lost + 0.5, n + 2.0
    half = _Z * math.sqrt(max(0.0, (b + c) - (b - c) ** 2 / m)) / m
    centre = (b - c) / m
    return change, max(-1.0, min(change, centre - half)), min(1.0, max(change, centre + half))


def compare(
    reference: Reference,
    probabilities: Array,
    format_: Format,
    output: TensorSpec,
    *,
    logits: bool,
    near: float = 0.0,
) -> Parity:
    """Measures a file's answers against Keras'.

    Args:
        reference: examples and Keras' answers.
        probabilities: the file's answers, shape (n, classes).
        format_: the file's format.
        output: its output tensor.
        logits: whether that tensor holds logits.
        near: see ``ties_of``.

    Raises:
        ExportError: there are no two classes to compare.
    """
    if reference.probabilities.ndim != 2 or reference.probabilities.shape[1] < 2:
        shape = reference.probabilities.shape
        raise ExportError(f"Keras' answers have shape {shape}; expected (n, classes), 2 or more")
    difference = np.abs(np.asarray(probabilities, np.float64) - reference.probabilities)
    ties, margin, unit = ties_of(
        reference.probabilities, probabilities, format_, output, logits=logits, near=near
    )
    theirs, ours = reference.probabilities.argmax(axis=1), probabilities.argmax(axis=1)
    same = theirs == ours
    clear = same[~ties]
    parity = Parity(
        inputs=reference.words,
        n=len(same),
        max_difference=float(difference.max()),
        mean_difference=float(difference.max(axis=1).mean()),
        agreement=float(clear.mean()) if len(clear) else 1.0,
        agreement_all=float(same.mean()),
        ties=int(ties.sum()),
        tie_margin=margin,
        tie_unit=unit,
    )
    if reference.labels is None:
        return parity
    before, after = theirs == reference.labels, ours == reference.labels
    change, low, high = paired_change(before, after)
    return Parity(
        **{
            **vars(parity),
            "keras_accuracy": wilson(int(before.sum()), len(before)),
            "file_accuracy": wilson(int(after.sum()), len(after)),
            "accuracy_change": change,
            "accuracy_change_low": low,
            "accuracy_change_high": high,
        }
    )


def ties_of(
    keras_says: NDArray[np.float64],
    file_says: Array,
    format_: Format,
    output: TensorSpec,
    *,
    logits: bool,
    near: float = 0.0,
) -> tuple[NDArray[np.bool_], float, str]:
    """Examples whose label the file's output can't tell, whatever the file computes.

    These are the examples whose two best classes Keras holds closer than one step of the
    output: two outputs, each rounded by half a step, can change places. A file that answers
    a third class, farther off, is not excused.

    Args:
        keras_says: Keras' probabilities, shape (n, classes).
        file_says: the file's, likewise.
        format_: the file's format.
        output: its output tensor.
        logits: whether that tensor holds logits.
        near: a label may differ, too, where Keras holds the two classes no farther apart than
            this. For a float file that is twice what a probability may be off: two
            probabilities that keep to this limit can change places there and nowhere else.

    Returns:
        Which are ties, shape (n,); the step; its unit.
    """
    margin = _MARGINS[format_] if output.scale is None else output.scale
    if output.scale is not None and output.shape[-1] == 1 and not logits:
        margin *= 2  # a step of the one probability moves the other one, too
    unit = "nats" if output.scale is not None and logits else "probability"
    chosen = np.argmax(file_says, axis=1)[:, np.newaxis]
    with np.errstate(divide="ignore"):
        held = np.log(keras_says) if unit == "nats" else keras_says
    second, best = np.sort(held, axis=1)[:, -2:].T
    below = best - np.take_along_axis(held, chosen, axis=1)[:, 0]
    off = keras_says.max(axis=1) - np.take_along_axis(keras_says, chosen, axis=1)[:, 0]
    ties = (best - second < margin) & (below < margin)
    return ties | ((off > 0) & (off <= near)), margin, unit
