"""Streamed weighted averaging: memory of one model, however many edges there are."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.template import Array


class RunningMean:
    """Weighted mean of a stream of arrays, in float64.

    Uses West's update ``mean += (w / W) * (x - mean)`` (D. H. D. West, CACM 22(9),
    1979), in place. Beside its bounded rounding error it has a property that a sum
    divided at the end lacks: the mean of equal arrays is that array, to the bit.

    Args:
        shape: shape of every array.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._mean: NDArray[np.float64] = np.zeros(shape, np.float64)
        self.total_weight = 0.0

    def add(self, array: Array, weight: float) -> None:
        """Takes one array in; it is not changed.

        Raises:
            ValueError: the shape differs, or the weight is not finite and positive.
        """
        if array.shape != self._mean.shape:
            raise ValueError(f"an array of shape {array.shape}, expected {self._mean.shape}")
        _check_weight(weight)
        weight = float(weight)  # numpy's own float32 would round the total
        first = self.total_weight == 0
        self.total_weight += weight
        if first:
            self._mean[...] = array
            return
        difference = np.subtract(array, self._mean, dtype=np.float64)
        difference *= weight / self.total_weight
        # -0.0 + 0.0 is 0.0: where nothing changes, nothing is added.
        np.add(self._mean, difference, out=self._mean, where=difference != 0)

    def result(self, dtype: np.dtype[Any] | str = "float64") -> Array:
        """The mean so far, rounded once to ``dtype``.

        Raises:
            ValueError: nothing was added.
        """
        if self.total_weight == 0:
            raise ValueError("the mean of no arrays is undefined")
        return self._mean.astype(dtype)


def _check_weight(weight: float) -> None:
    if not (np.isfinite(weight) and weight > 0):
        raise ValueError(f"a weight must be finite and above zero, got {weight}")


def average_weights(
    models: Iterable[Sequence[Array]], weights: Iterable[float] | None = None
) -> list[Array]:
    """Averages lists of weights as ``keras.Model.get_weights()`` returns them.

    Floating-point arrays are averaged in float64 and come back in their own dtype;
    arrays of another dtype (seed states, counters) are taken from the first model.
    ``models`` may be a generator: one model is held at a time.

    Args:
        models: for each model, its arrays; shapes and dtypes must agree.
        weights: one positive number a model, such as its count of examples; equal
            when left out (the ECAvg paper's choice, arXiv 2310.03823; weighting by
            examples is FedAvg's, arXiv 1602.05629).

    Returns:
        The averaged list; the inputs are not changed.

    Raises:
        ValueError: there is no model, or lengths, shapes, dtypes or weights are wrong.
    """
    pairs = (
        ((model, 1.0) for model in models) if weights is None else zip(models, weights, strict=True)
    )
    slots: list[_Slot] | None = None
    for number, (model, weight) in enumerate(pairs):
        arrays = [np.asarray(array) for array in model]
        if slots is None:
            slots = [_Slot(array) for array in arrays]
        if len(arrays) != len(slots):
            raise ValueError(f"model {number} has {len(arrays)} arrays, model 0 has {len(slots)}")
        for position, (slot, array) in enumerate(zip(slots, arrays, strict=True)):
            try:
                slot.add(array, weight)
            except ValueError as error:
                raise ValueError(f"model {number}, array {position}: {error}") from error
    if slots is None:
        raise ValueError("the mean of no models is undefined; give at least one")
    return [slot.result() for slot in slots]


class _Slot:
    """One position of the list: a running mean, or the first array that arrived."""

    def __init__(self, first: Array) -> None:
        self.dtype, self.shape = first.dtype, first.shape
        self._mean: RunningMean | None = None
        self._kept: Array | None = None
        # bfloat16 and its like are no np.floating.
        if np.issubdtype(first.dtype, np.floating) or "float" in first.dtype.name:
            self._mean = RunningMean(first.shape)
        else:
            self._kept = first.copy()

    def add(self, array: Array, weight: float) -> None:
        if (array.dtype, array.shape) != (self.dtype, self.shape):
            raise ValueError(
                f"{array.dtype}{array.shape} came, {self.dtype}{self.shape} was expected"
            )
        if self._mean is not None:
            self._mean.add(array, weight)
        else:
            _check_weight(weight)

    def result(self) -> Array:
        if self._mean is not None:
            return self._mean.result(self.dtype)
        assert self._kept is not None
        return self._kept


def combine_moments(
    counts: Sequence[float], means: Sequence[Array], variances: Sequence[Array]
) -> tuple[Array, Array]:
    """Mean and variance of a pooled population, from those of its parts.

    Law of total variance: with p_i = n_i / Σn, the pooled mean is m = Σ p_i m_i and
    the pooled variance Σ p_i v_i + Σ p_i (m_i − m)². The second term is what a plain
    average of BatchNorm's moving variances forgets.

    Args:
        counts: examples of each part.
        means: one array of shape (channels,) a part.
        variances: likewise.

    Returns:
        (mean, variance), both float64, shape (channels,).

    Raises:
        ValueError: there is no part, or shapes or counts are wrong.
    """
    if not means:
        raise ValueError("the moments of no parts are undefined")
    mean, within, between = (RunningMean(means[0].shape) for _ in range(3))
    for count, part in zip(counts, means, strict=True):
        mean.add(part, count)
    pooled = mean.result()
    for count, part, variance in zip(counts, means, variances, strict=True):
        within.add(variance, count)
        between.add(np.square(np.asarray(part, np.float64) - pooled), count)
    return pooled, within.result() + between.result()
