"""Whether an int8 file means the same to two implementations of TFLite's operators."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc

from ecavg_tf.core.bundles.quantization import quantize
from ecavg_tf.core.template import Array
from export.making.converting_process import first_outputs
from export.proving.claims import LEVEL
from export.reading.flatmodel import read_flatmodel

_MOST = 400  # examples
_MACS = 2e11  # of all of them together: about a minute of the reference kernels


class Disagreement(NamedTuple):
    """On how many of how many examples the labels differ."""

    differ: int
    of: int

    def shows_more_than(self, share: float) -> bool:
        """Whether it shows (exact binomial test, one-sided, 5 %) that more than a share differ."""
        return self.differ > 0 and float(bdtrc(self.differ - 1, self.of, share)) < LEVEL


def kernels_disagree(content: bytes, inputs: Array) -> Disagreement:
    """How often LiteRT's fast kernels and its reference kernels label an example differently.

    Both compute what TFLite specifies, up to one step of a result. In a deep net that step is
    another rounding in every layer after it.

    Args:
        content: an int8 file of a classifier.
        inputs: raw values, shape (n, …); fewer are compared the more the file computes.

    Returns:
        Counts; examples whose best two answers are equal in either count as alike.

    Raises:
        ExportError: the file crashes, or takes too long.
    """
    model = read_flatmodel(content)
    port, most = model.inputs[0], min(_MOST, int(_MACS / max(1, model.macs)) + 1)
    given = quantize(inputs[:most], port).reshape(-1, *port.shape[1:])
    fast, reference = (
        first_outputs(content, given, reference=each).astype(np.int64) for each in (False, True)
    )
    apart = fast.argmax(axis=1) != reference.argmax(axis=1)
    differ = np.count_nonzero(apart & ~_tied(fast) & ~_tied(reference))
    return Disagreement(int(differ), len(given))


def _tied(outputs: NDArray[np.int64]) -> NDArray[np.bool_]:
    best = np.sort(outputs, axis=1)
    return np.asarray(best[:, -1] == best[:, -2])
