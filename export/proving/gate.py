"""The parity gate: compares a file with its Keras model on the same images."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from ecavg_tf.config import Format, Limits
from ecavg_tf.core.bundles.bundle import TensorSpec
from ecavg_tf.core.errors import ExportError
from ecavg_tf.core.exports import Parity, Proportion
from ecavg_tf.core.template import Array

_Z = 1.959963984540054  # 97.5th percentile of the normal distribution: 95 % intervals
# What a format's arithmetic can't tell apart, in probability (its output is not quantized).
_MARGINS = {Format.FLOAT32: 1e-5, Format.FLOAT16: 2e-3, Format.DYNAMIC: 1e-5, Format.INT8: 1e-5}


@dataclass(frozen=True)
class Reference:
    """The images of a comparison, with the Keras model's answers.

    Attributes:
        inputs: raw values, shape (n, …).
        probabilities: Keras' answers, shape (n, classes).
        labels: the true ones, shape (n,), or None.
        words: what the images are.
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
    """Change of accuracy on the same images, with its paired 95 % interval.

    Only images on which the two differ count (Wald interval of a difference of paired
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
    reference: Reference, probabilities: Array, format_: Format, output: TensorSpec, *, logits: bool
) -> Parity:
    """Measures a file's answers against Keras'.

    Args:
        reference: images and Keras' answers.
        probabilities: the file's answers, shape (n, classes).
        format_: the file's format.
        output: its output tensor.
        logits: whether that tensor holds logits.

    Raises:
        ExportError: there are no two classes to compare.
    """
    if reference.probabilities.ndim != 2 or reference.probabilities.shape[1] < 2:
        shape = reference.probabilities.shape
        raise ExportError(f"Keras' answers have shape {shape}; expected (n, classes), 2 or more")
    difference = np.abs(np.asarray(probabilities, np.float64) - reference.probabilities)
    ties, margin, unit = _ties(reference.probabilities, format_, output, logits)
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


def _ties(
    probabilities: NDArray[np.float64], format_: Format, output: TensorSpec, logits: bool
) -> tuple[NDArray[np.bool_], float, str]:
    """Images whose two best classes are closer than what the file's output can tell apart."""
    best = np.sort(probabilities, axis=1)[:, -2:]
    margin = _MARGINS[format_] if output.scale is None else output.scale
    if output.scale is not None and logits:
        with np.errstate(divide="ignore", invalid="ignore"):
            gap = np.log(best[:, 1]) - np.log(best[:, 0])
        return np.nan_to_num(gap, posinf=np.inf) < margin, margin, "nats"
    return best[:, 1] - best[:, 0] < margin, margin, "probability"


def verdict(parity: Parity, format_: Format, limits: Limits) -> tuple[str, ...]:
    """Why a file fails, a line for every limit that it breaks; empty: it passed."""
    reasons: list[str] = []
    if not math.isfinite(parity.max_difference):
        return ("it answers NaN or infinity",)
    reasons += _differences(parity, format_, limits)
    least = {
        Format.DYNAMIC: limits.min_agreement_dynamic,
        Format.INT8: limits.min_agreement_int8,
    }.get(format_, limits.min_agreement_float)
    if parity.agreement < least:
        reasons.append(
            f"labels agree with Keras' on {100 * parity.agreement:.2f} % of "
            f"{parity.n - parity.ties} examples ({parity.ties} ties aside), "
            f"at least {100 * least:g} % is needed"
        )
    if parity.ties > limits.max_ties * parity.n:
        reasons.append(
            f"{parity.ties} of {parity.n} examples are ties at the output's step of "
            f"{parity.tie_margin:.2g} {parity.tie_unit}: nothing is proved "
            f"(at most {100 * limits.max_ties:g} % may be)"
        )
    change = parity.accuracy_change
    if change is not None and -change > limits.max_accuracy_loss:
        reasons.append(
            f"accuracy changes by {100 * change:+.1f} points (95 % interval "
            f"{100 * (parity.accuracy_change_low or 0.0):+.1f} to "
            f"{100 * (parity.accuracy_change_high or 0.0):+.1f}), "
            f"at most {100 * limits.max_accuracy_loss:g} may be lost"
        )
    return tuple(reasons)


def _differences(parity: Parity, format_: Format, limits: Limits) -> list[str]:
    """Labels can all be right where probabilities are far off: confidence is an answer, too."""
    largest = {
        Format.FLOAT32: limits.max_difference,
        Format.FLOAT16: limits.max_difference_float16,
    }.get(format_, math.inf)
    mean = {
        Format.DYNAMIC: limits.max_mean_difference_dynamic,
        Format.INT8: limits.max_mean_difference_int8,
    }.get(format_, math.inf)
    reasons = []
    if parity.max_difference > largest:
        reasons.append(
            f"a probability differs by {parity.max_difference:.2g} from Keras', "
            f"at most {largest:g} is allowed"
        )
    if parity.mean_difference > mean:
        reasons.append(
            f"probabilities differ by {parity.mean_difference:.2g} from Keras', images' largest "
            f"differences on average; at most {mean:g} is allowed"
        )
    return reasons


# Largest difference of a value, and for quantized formats its root mean square, as shares
# of the range of Keras' own values.
_VALUES = {Format.FLOAT32: 1e-4, Format.FLOAT16: 1e-2, Format.DYNAMIC: 0.05, Format.INT8: 0.05}


def compare_values(keras_values: Array, file_values: Array, format_: Format) -> tuple[str, ...]:
    """Judges a model whose output is not classes: one line for every limit that is broken."""
    expected = np.asarray(keras_values, np.float64)
    found = np.asarray(file_values, np.float64)
    if found.shape != expected.shape:
        return (f"its answers have shape {found.shape}, Keras' {expected.shape}",)
    if not np.isfinite(found).all():
        return ("it answers NaN or infinity",)
    spread = max(float(np.ptp(expected)), 1e-6)
    difference = np.abs(found - expected) / spread
    floating = format_ in (Format.FLOAT32, Format.FLOAT16)
    worst = float(difference.max() if floating else np.sqrt(np.mean(difference**2)))
    if worst <= _VALUES[format_]:
        return ()
    how = "a value differs" if floating else "values differ (root mean square)"
    return (
        f"{how} by {worst:.2g} of the range of Keras' values, "
        f"at most {_VALUES[format_]:g} is allowed",
    )
