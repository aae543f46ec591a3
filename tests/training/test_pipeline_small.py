"""Small data is gathered beforehand: the same batches as with functions of TensorFlow."""

import numpy as np
import pytest

from ecavg_tf.data import pipeline
from ecavg_tf.data.dataset import Examples


def test_batches_gathered_beforehand_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    examples = Examples(np.arange(14, dtype=np.uint8).reshape(7, 2), np.arange(7))
    orders = [np.array([3, 1, 0, 2, 6, 5, 4]), np.array([0, 1, 2, 3, 4, 5, 6])]
    small = pipeline.batches(examples, orders, 3)
    monkeypatch.setattr(pipeline, "_SMALL", 0)
    large = pipeline.batches(examples, orders, 3)
    assert small.element_spec == large.element_spec
    one, other = (list(each.as_numpy_iterator()) for each in (small, large))
    assert [len(labels) for _, labels in one] == [3, 3, 1, 3, 3, 1]
    for (x, y), (a, b) in zip(one, other, strict=True):
        np.testing.assert_array_equal(x, a)
        np.testing.assert_array_equal(y, b)


@pytest.mark.parametrize("small", [2**24, 0])
def test_nobody_waits_for_a_thread_that_tunes_nothing(
    small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """tf.data's own autotuning sleeps up to a minute, and ends its pipeline only then."""
    monkeypatch.setattr(pipeline, "_SMALL", small)
    inputs = np.zeros((4, 2), np.float32)
    data = pipeline.batches(Examples(inputs, np.zeros(4, np.int64)), [np.arange(4)], 2)
    assert data.options().autotune.enabled is False
    assert sum(len(labels) for _, labels in data) == 4
