"""Robust rules: hand-computed numbers, and hostile minorities that move nothing."""

from pathlib import Path

import numpy as np
import pytest

from ecavg_tf.config import ServerConfig
from ecavg_tf.core.messages.update_file import Update, UpdateInfo, write_update
from ecavg_tf.core.template import Role, Template, WeightSpec
from server.combine import combine
from server.robust import median_of, trimmed_mean_of

TEMPLATE = Template(
    (
        WeightSpec("kernel", (2,), "float32", Role.TRAINABLE),
        WeightSpec("mean", (1,), "float32", Role.STATISTIC, omittable=True),
        WeightSpec("seed", (1,), "uint32", Role.STATE, omittable=True),
    )
)
BASE = [np.zeros(2, np.float32), np.array([7.0], np.float32), np.array([9], np.uint32)]
VALUES = np.array([[1.0, -8.0], [2.0, 4.0], [6.0, 5.0], [7.0, 0.0], [1e30, 3.0]])


def updates(folder: Path, *kernels: tuple[float, float]) -> list[Update]:
    made = []
    for at, kernel in enumerate(kernels):
        info = UpdateInfo(1, f"{at}", 10**at, (10**at,), TEMPLATE.sha256, {})
        write_update(folder / f"{at}", info, {"kernel": np.array(kernel, np.float32)})
        made.append(Update(folder / f"{at}"))
    return made


def test_the_median_by_hand() -> None:
    before = VALUES.copy()
    np.testing.assert_array_equal(median_of(VALUES), [6.0, 3.0])
    np.testing.assert_array_equal(median_of(VALUES[:4]), [4.0, 2.0])  # of 2 and 6, of 0 and 4
    np.testing.assert_array_equal(VALUES, before)


@pytest.mark.parametrize(
    ("trim", "count", "expected"),
    [
        (0.2, 5, [5.0, 7 / 3]),  # (2 + 6 + 7) / 3, (0 + 3 + 4) / 3
        (0.4, 5, [6.0, 3.0]),  # two at either end: the median
        (0.2, 4, [4.0, 2.0]),  # 0.8 of an edge is one edge
        (0.2, 2, [1.5, -2.0]),  # one edge is always left: nothing can be cut of two
        (0.0, 4, [4.0, 0.25]),  # the mean
    ],
)
def test_the_trimmed_mean_by_hand(trim: float, count: int, expected: list[float]) -> None:
    np.testing.assert_allclose(trimmed_mean_of(VALUES[:count], trim), expected)


@pytest.mark.parametrize("rule", ["median", "trimmed_mean"])
def test_a_minority_takes_them_nowhere(tmp_path: Path, rule: str) -> None:
    """The hostile edge claims 10,000 of 11,111 examples."""
    sent = updates(tmp_path, (1.0, 2.0), (1.0, 2.0), (1.0, 2.0), (1.0, 2.0), (-1e30, 1e30))
    made = combine(sent, TEMPLATE, BASE, ServerConfig(combine=rule))
    np.testing.assert_array_equal(made.weights[0], [1.0, 2.0])
    np.testing.assert_array_equal(made.weights[1], [7.0])  # nobody sent it
    np.testing.assert_array_equal(made.weights[2], [9])
    assert [array.dtype.name for array in made.weights] == ["float32", "float32", "uint32"]
    assert made.shares is None


def test_how_much_is_trimmed_is_configured(tmp_path: Path) -> None:
    sent = updates(tmp_path, (0.0, 0.0), (1.0, 1.0), (5.0, 5.0))
    for trim, expected in ((0.0, 2.0), (0.1, 1.0)):
        made = combine(sent, TEMPLATE, BASE, ServerConfig(combine="trimmed_mean", trim=trim))
        np.testing.assert_array_equal(made.weights[0], [expected, expected])
