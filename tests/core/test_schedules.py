"""Learning-rate schedules, by hand."""

import pytest

from ecavg_tf.core.schedules import cosine_rate


def test_the_cosine_falls_from_the_rate_to_almost_none() -> None:
    rates = [cosine_rate(0.4, epoch, 4) for epoch in range(5)]
    root = 2**0.5 / 2
    assert rates == pytest.approx([0.4, 0.2 * (1 + root), 0.2, 0.2 * (1 - root), 0.0])
