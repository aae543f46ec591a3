"""A file's answers beside those that it must give."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.config import Format
from ecavg_tf.core.bundles.bundle import TensorSpec
from ecavg_tf.core.template import Array
from export.proving.gate import Reference, ties_of


@dataclass(frozen=True)
class Compared:
    """Answers of a file and of the model that it is held against.

    Attributes:
        wanted: what the model says, probabilities, shape (n, classes).
        answers: what the file says, likewise.
        ties: which examples the file's output can't tell, shape (n,).
        words: what the examples are.
    """

    wanted: NDArray[np.float64]
    answers: Array
    ties: NDArray[np.bool_]
    words: str

    @property
    def differs(self) -> NDArray[np.float64]:
        """1 where the label differs, else 0, shape (n,)."""
        same = self.wanted.argmax(axis=1) == self.answers.argmax(axis=1)
        return np.asarray(1.0 - same, np.float64)

    @property
    def distances(self) -> NDArray[np.float64]:
        """Largest difference of a probability, shape (n,)."""
        off = np.abs(self.answers.astype(np.float64) - self.wanted)
        return np.asarray(off.max(axis=1), np.float64)


def compared(
    reference: Reference,
    answers: Array,
    format_: Format,
    output: TensorSpec,
    *,
    logits: bool,
    near: float,
) -> Compared:
    """Lays a file's answers beside a reference's; the arguments are those of ``ties_of``."""
    wanted = reference.probabilities
    ties, _, _ = ties_of(wanted, answers, format_, output, logits=logits, near=near)
    return Compared(wanted, np.asarray(answers), ties, reference.words)


def joined_of(parts: Sequence[Compared]) -> Compared:
    """Several comparisons as one."""
    return Compared(
        np.concatenate([part.wanted for part in parts]),
        np.concatenate([part.answers for part in parts]),
        np.concatenate([part.ties for part in parts]),
        " and ".join(part.words for part in parts),
    )
