"""Training examples that prove a file where test examples are few.

A file that was not tuned has learned nothing from them, so what they show is no memory: two
functions, the file and Keras, are compared on inputs, and no label is asked for. Only int8's
ranges were measured on some, the calibration examples: an int8 file is not compared on those.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.seeds import permutation
from ecavg_tf.core.template import Array
from export.proving.gate import Reference
from export.proving.judging import FEW


@dataclass(frozen=True)
class SeenInputs:
    """Inputs that a model was trained on.

    Attributes:
        inputs: raw values, shape (n, …), no two alike.
        calibrated: whether int8's ranges were measured on it, shape (n,).
        source: the number of the source that each is from, shape (n,).
        sources: what they are, in words: ``pooled training examples``.
    """

    inputs: Array
    calibrated: NDArray[np.bool_]
    source: NDArray[np.int64]
    sources: tuple[str, ...]

    @property
    def words(self) -> str:
        """How many of what."""
        counts = np.bincount(self.source, minlength=len(self.sources))
        return " and ".join(
            f"{n} {what}" for n, what in zip(counts, self.sources, strict=True) if n
        )


def uncalibrated(reference: Reference, seen: SeenInputs) -> Reference:
    """Those that int8's ranges were not measured on.

    Args:
        reference: ``seen`` with Keras' answers.
        seen: the inputs.
    """
    kept = np.flatnonzero(~seen.calibrated)
    left = SeenInputs(seen.inputs[kept], seen.calibrated[kept], seen.source[kept], seen.sources)
    return Reference(left.inputs, reference.probabilities[kept], None, left.words)


def gather(
    sources: Sequence[tuple[str, Array]], calibration: Array | None, seed: int
) -> SeenInputs | None:
    """Draws at most ``FEW`` inputs: first those that int8 was not calibrated on.

    Args:
        sources: in words and inputs, the nearest to the model's own first.
        calibration: int8's, shape (n, …), if there are any.
        seed: the run's seed.

    Returns:
        What was drawn; None if there is nothing.
    """
    used = set() if calibration is None else set(_keys(calibration))
    known: set[bytes] = set()
    found: list[tuple[bool, int, int]] = []
    for number, (_, inputs) in enumerate(sources):
        keys = list(_keys(inputs))
        for at in permutation(len(inputs), seed, "seen", number).tolist():
            if keys[at] not in known:
                known.add(keys[at])
                found.append((keys[at] in used, number, at))
    if not found:
        return None
    found = sorted(found, key=lambda each: each[0])[:FEW]
    return SeenInputs(
        np.stack([sources[number][1][at] for _, number, at in found]),
        np.array([calibrated for calibrated, _, _ in found]),
        np.array([number for _, number, _ in found]),
        tuple(words for words, _ in sources),
    )


def _keys(inputs: Array) -> Iterator[bytes]:
    return (np.ascontiguousarray(each).tobytes() for each in inputs)
