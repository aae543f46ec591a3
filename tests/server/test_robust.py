"""Robust rules: hand-computed numbers, and hostile minorities that move nothing."""

from pathlib import Path

import numpy as np
import pytest

from ecavg_tf.config import ServerConfig, Weighting
from ecavg_tf.core.messages.update_file import Update, UpdateInfo, write_update
from ecavg_tf.core.template import Role, Template, WeightSpec
from server.combine import combine
from server.robust import (
    clipped_factors,
    geometric_median_shares,
    median_of,
    multi_krum_shares,
    trimmed_mean_of,
)

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


def products_of(*points: tuple[float, float]) -> np.ndarray:
    changes = np.array(points)
    return changes @ changes.T


def test_the_geometric_median_by_hand() -> None:
    """Of three points of an equilateral triangle it is the centre, of four on a cross the middle;
    a point far away moves it no further than the others lie apart."""
    triangle = products_of((0, 0), (2, 0), (1, np.sqrt(3)))
    np.testing.assert_allclose(geometric_median_shares(triangle), [1 / 3] * 3, atol=1e-6)
    corners = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)]
    shares = geometric_median_shares(products_of(*corners, (1e6, 0.0)))
    middle = shares @ np.array([*corners, (1e6, 0.0)])
    assert np.abs(middle - 0.5).max() < 0.6
    assert shares.sum() == pytest.approx(1.0)


def test_the_geometric_median_of_equal_updates_is_their_mean() -> None:
    np.testing.assert_allclose(geometric_median_shares(np.zeros((4, 4))), [0.25] * 4)


def test_multi_krum_by_hand() -> None:
    """Five on a line at 0, 1, 2, 3 and 50, one hostile: each has 5 - 1 - 2 = 2 neighbours, with
    scores 5, 2, 2, 5 and much: the first four are averaged."""
    line = products_of((0, 0), (1, 0), (2, 0), (3, 0), (50, 0))
    np.testing.assert_allclose(multi_krum_shares(line, 0.2), [0.25, 0.25, 0.25, 0.25, 0])
    np.testing.assert_allclose(multi_krum_shares(line, 0.0), [0.2] * 5)
    np.testing.assert_allclose(multi_krum_shares(line[:1, :1], 0.4), [1.0])


def test_clipping_by_hand() -> None:
    """Lengths 1, 2 and 8: the median is 2, and the last is a quarter of what it was."""
    factors = clipped_factors(products_of((1, 0), (0, 2), (8, 0)))
    np.testing.assert_allclose(factors, [1, 1, 0.25])
    np.testing.assert_allclose(clipped_factors(np.zeros((2, 2))), [1, 1])


@pytest.mark.parametrize(
    ("rule", "shares"),
    [("geometric_median", True), ("multi_krum", True), ("clipped", True)],
)
def test_one_of_five_moves_whole_updates_little(tmp_path: Path, rule: str, shares: bool) -> None:
    near = [(1.0, 2.0), (1.1, 2.0), (0.9, 2.0), (1.0, 2.1)]
    sent = updates(tmp_path, *near, (-1e4, 1e4))
    config = ServerConfig(combine=rule, weighting=Weighting.UNIFORM)
    made = combine(sent, TEMPLATE, BASE, config)
    assert np.abs(made.weights[0] - [1.0, 2.0]).max() < 0.8
    np.testing.assert_array_equal(made.weights[1], [7.0])
    assert (made.shares is not None) is shares


def test_multi_krum_gives_no_share_to_who_is_left_out(tmp_path: Path) -> None:
    sent = updates(tmp_path, (1.0, 2.0), (1.0, 2.0), (1.0, 2.0), (9.0, 9.0))
    made = combine(sent, TEMPLATE, BASE, ServerConfig(combine="multi_krum"))
    assert made.shares == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0])
