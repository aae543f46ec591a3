"""Moments of several sets of samples combined: hand-computed numbers, and numpy's own."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ecavg_tf.core.averaging import combine_moments
from ecavg_tf.core.template import Array

SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, max_side=4)
SHARES = st.floats(1e-3, 1e6)
VALUES = st.floats(-1e6, 1e6)


def test_moments_by_hand() -> None:
    # p = 1/4, 3/4; mean 3; within 1/4·1 + 3/4·2 = 1.75; between 1/4·9 + 3/4·1 = 3
    mean, variance = combine_moments(
        [1, 3], [np.array([0.0]), np.array([4.0])], [np.array([1.0]), np.array([2.0])]
    )
    assert mean == [3.0]
    assert variance == [4.75]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.integers(1, 6).flatmap(
            lambda n: hnp.arrays(np.float64, (n, 2), elements=st.floats(-1e3, 1e3))
        ),
        min_size=1,
        max_size=5,
    )
)
def test_combined_moments_are_those_of_all_samples_together(parts: list[Any]) -> None:
    mean, variance = combine_moments(
        [len(part) for part in parts],
        [part.mean(axis=0) for part in parts],
        [part.var(axis=0) for part in parts],
    )
    together = np.concatenate(parts)
    np.testing.assert_allclose(mean, together.mean(axis=0), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(variance, together.var(axis=0), rtol=1e-9, atol=1e-6)


def test_moments_leave_their_inputs_and_come_in_float64() -> None:
    means = [np.array([1.0, 2.0], np.float32), np.array([3.0, 2.0], np.float32)]
    variances = [np.array([1.0, 0.0], np.float32), np.array([1.0, 0.0], np.float32)]
    mean, variance = combine_moments([5, 5], means, variances)
    assert [mean.dtype.name, variance.dtype.name] == ["float64", "float64"]
    np.testing.assert_array_equal(mean, [2.0, 2.0])
    np.testing.assert_array_equal(variance, [2.0, 0.0])
    np.testing.assert_array_equal(means[1], [3.0, 2.0])
    np.testing.assert_array_equal(variances[0], [1.0, 0.0])


@pytest.mark.parametrize(
    ("counts", "means", "variances"),
    [
        ([], [], []),
        ([1], [np.zeros(2), np.zeros(2)], [np.zeros(2), np.zeros(2)]),
        ([1, 1], [np.zeros(2), np.zeros(2)], [np.zeros(2)]),
        ([1, 1], [np.zeros(2), np.zeros(1)], [np.zeros(2), np.zeros(2)]),
        ([1, 1], [np.zeros(2), np.zeros(2)], [np.zeros(2), np.zeros(1)]),
        ([1, 0], [np.zeros(2), np.zeros(2)], [np.zeros(2), np.zeros(2)]),
        ([1, -1], [np.zeros(2), np.zeros(2)], [np.zeros(2), np.zeros(2)]),
    ],
    ids=["none", "counts", "variances", "mean shape", "variance shape", "zero", "negative"],
)
def test_moments_that_do_not_fit_are_refused(
    counts: list[float], means: list[Array], variances: list[Array]
) -> None:
    with pytest.raises(ValueError):
        combine_moments(counts, means, variances)
