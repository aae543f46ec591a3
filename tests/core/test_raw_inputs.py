"""Inputs without a batch or a channel, and values that may have been rescaled by hand."""

import numpy as np
import pytest

from ecavg_tf.core.raw_inputs import as_batch, maybe_rescaled


@pytest.mark.parametrize(
    ("given", "shape", "made"),
    [
        ((5, 8, 8), (8, 8, 1), (5, 8, 8, 1)),
        ((8, 8), (8, 8, 1), (1, 8, 8, 1)),
        ((8, 8, 1), (8, 8, 1), (1, 8, 8, 1)),
        ((5, 128, 6, 1), (128, 6), (5, 128, 6)),  # windows, read as grey images
        ((128, 6), (128, 6), (1, 128, 6)),
        ((5, 8, 8, 1), (8, 8, 1), (5, 8, 8, 1)),
        ((5, 8, 8, 3), (8, 8, 1), (5, 8, 8, 3)),  # does not fit: as it came
        ((5, 8, 8), (8, 8, 3), (5, 8, 8)),
    ],
)
def test_axes_of_size_one(
    given: tuple[int, ...], shape: tuple[int, ...], made: tuple[int, ...]
) -> None:
    values = np.arange(np.prod(given)).reshape(given)
    found = as_batch(values, shape)
    assert found.shape == made
    np.testing.assert_array_equal(found.reshape(-1), values.reshape(-1))


def test_values_that_may_have_been_rescaled() -> None:
    said = maybe_rescaled(0.0, 1.0, (0.0, 16.0))
    assert said is not None and said.startswith("no value is above 1, raw inputs go from 0 to 16")
    assert maybe_rescaled(0.0, 2.5, (0.0, 16.0)) is None
    said = maybe_rescaled(-1.0, 1.0, (-8.0, 8.0))  # a sensor's range is on both sides of 0
    assert said is not None and said.startswith("no value is outside -1 to 1")
    assert maybe_rescaled(-1.5, 0.5, (-8.0, 8.0)) is None
    assert maybe_rescaled(0.0, 1.0, (0.0, 1.0)) is None
