"""Paired comparisons on an edge's own mix, against numbers computed by hand."""

import numpy as np
import pytest

from ecavg_tf.core.deciding.predictions import Predictions
from ecavg_tf.study.analysis import is_above, is_below, p_of
from ecavg_tf.study.judging import own_mix, paired


def said(*correct: int) -> Predictions:
    return Predictions(np.zeros(len(correct)), np.array(correct, bool))


def test_the_exact_test_counts_coins() -> None:
    one = said(0, 0, 0, 0, 0, 1, 1, 0)
    other = said(1, 1, 1, 1, 1, 0, 1, 0)
    found = paired(one, other, np.arange(8))
    assert found == {"n": 8, "wins": 1, "losses": 5}
    assert p_of(5, 6) == pytest.approx(7 / 64)  # five or six heads of six coins
    assert p_of(1, 6) == pytest.approx(63 / 64)
    assert p_of(0, 0) == 1.0  # they differ nowhere
    assert not is_below(found)
    assert is_below({"wins": 0, "losses": 5})  # 1 of 32
    assert is_above({"wins": 5, "losses": 0})


def test_the_mix_is_the_edges_and_takes_no_example_twice() -> None:
    labels = np.array([0] * 10 + [1] * 10 + [2] * 10)
    found = own_mix((30, 10, 0), labels)
    # Class 0 is the scarcest for its share: all ten; class 1 a third of that.
    assert np.bincount(labels[found], minlength=3).tolist() == [10, 3, 0]
    assert found.tolist() == sorted(set(found.tolist()))
    assert own_mix((0, 0, 5), np.array([0, 1])).tolist() == []  # no test example of its class
