"""Outputs that are values: each column is judged by its own range; all numbers by hand."""

import numpy as np
import pytest

from ecavg_tf.config import Format
from ecavg_tf.core.bundles.bundle import TensorSpec
from export.proving.values import compare_values

QUANTIZED = (Format.DYNAMIC, Format.INT8)
PLACE = np.linspace(0.0, 640.0, 101)  # in pixels
SCORE = np.tile([0.0, 1.0], 51)[:101]
DETECTED = np.stack([PLACE, PLACE[::-1], SCORE], axis=1)


def test_one_column() -> None:
    expected = np.linspace(0, 10, 50).reshape(50, 1)
    assert compare_values(expected, expected + 1e-5, Format.FLOAT32) == ()
    assert "0.1 of the range" in compare_values(expected, expected + 1.0, Format.INT8)[0]
    assert "NaN" in compare_values(expected, expected * np.nan, Format.INT8)[0]
    assert "shape" in compare_values(expected, expected[:3], Format.INT8)[0]
    flat = expected[:, 0]  # a model may answer (n,)
    assert compare_values(flat, flat, Format.FLOAT32) == ()
    assert compare_values(flat, flat + 1.0, Format.INT8)


@pytest.mark.parametrize("format_", [Format.FLOAT16, *QUANTIZED])
def test_a_score_beside_a_place_that_is_lost(format_: Format) -> None:
    assert compare_values(DETECTED, DETECTED, format_) == ()
    (said,) = compare_values(DETECTED, DETECTED * [1.0, 1.0, 0.0], format_)
    # 50 of 101 scores are off by 1, the range: sqrt(50 / 101) = 0.70
    assert ("output 2: " in said) and (
        "by 1 of" if format_ is Format.FLOAT16 else "by 0.7 "
    ) in said
    step = TensorSpec((1, 3), "int8", 2.25, -128)
    (said,) = compare_values(DETECTED, DETECTED * [1.0, 1.0, 0.0], format_, step)
    assert "output 2 is lost: its values run from 0 to 1, the output's step is 2.25" in said


def test_the_worst_column_is_named_and_the_others_counted() -> None:
    found = DETECTED * [1.0, 0.0, 0.0]
    (said,) = compare_values(DETECTED, found, Format.INT8)
    assert said.startswith("output 2: values differ") and "(2 of 3 outputs break this)" in said


def test_limits_of_a_column() -> None:
    """A constant shift by a share of the range 640 is that share, whatever the statistic."""
    for format_, limit in ((Format.FLOAT32, 1e-4), (Format.FLOAT16, 1e-2), (Format.INT8, 0.05)):
        inside, outside = DETECTED.copy(), DETECTED.copy()
        inside[:, 0] += 0.9 * limit * 640
        outside[:, 0] += 1.1 * limit * 640
        assert compare_values(DETECTED, inside, format_) == ()
        assert "output 0" in compare_values(DETECTED, outside, format_)[0]


def test_constant_columns() -> None:
    """Those have no range: they are measured by their size, and zeros by the whole output."""
    expected = np.stack([PLACE, np.full(101, 5.0), np.zeros(101)], axis=1)
    assert compare_values(expected, expected.astype("float32") * (1 + 2e-7), Format.FLOAT32) == ()
    off = expected + np.array([0.0, 0.2, 30.0])  # 4 % of 5, 4.7 % of 640
    assert compare_values(expected, off, Format.INT8) == ()
    assert (
        "output 1" in compare_values(expected, expected + np.array([0.0, 0.3, 0.0]), Format.INT8)[0]
    )
    assert (
        "output 2"
        in compare_values(expected, expected + np.array([0.0, 0.0, 33.0]), Format.INT8)[0]
    )
    nothing = np.zeros((4, 2))
    assert compare_values(nothing, nothing, Format.INT8) == ()


def test_a_narrow_range_far_from_zero() -> None:
    """float32 has seven digits: 1000.0 to 1000.1 in steps of 6e-5, which is no fault of a file."""
    expected = 1000.0 + np.linspace(0.0, 0.1, 101).reshape(101, 1)
    assert compare_values(expected, expected.astype("float32"), Format.FLOAT32) == ()
    assert compare_values(expected, expected + 0.01, Format.FLOAT32)


def test_tags_that_hardly_ever_rise() -> None:
    """Independent shares in 0..1 have one unit: a tag of at most 0.01 is judged as one of 0.1."""
    expected = np.stack([np.linspace(0, 1, 101), np.linspace(0, 0.01, 101)], axis=1)
    assert compare_values(expected, expected + np.array([0.0, 0.004]), Format.INT8) == ()
    assert "output 1" in compare_values(expected, expected + np.array([0.0, 0.006]), Format.INT8)[0]
    assert compare_values(2 * expected, 2 * expected + np.array([0.0, 0.004]), Format.INT8)


@pytest.mark.parametrize("format_", QUANTIZED)
def test_a_score_that_hardly_ever_rises(format_: Format) -> None:
    """In 1 of 1000 examples; a file that never says so is off by sqrt(1 / 1000) = 3 %."""
    expected = np.zeros((1000, 3))
    expected[:, :2] = np.linspace(0.0, 640.0, 1000)[:, np.newaxis]
    expected[500, 2] = 1.0
    found = expected * [1.0, 1.0, 0.0]
    (said,) = compare_values(expected, found, format_)
    assert said == (
        "output 2: values in the rarer half of their range (0 to 1) differ by 1 of it "
        "(root mean square), at most 0.25 is allowed"
    )
    found[500, 2] = 0.8
    assert compare_values(expected, found, format_) == ()
    # and where the output has no step for it, no one value that comes near helps
    step = TensorSpec((1, 3), "int8", 0.4, -128)
    (said,) = compare_values(expected, found, format_, step)
    assert said.startswith("output 2 is lost: its values run from 0 to 1, the output's step is 0.4")
    assert compare_values(expected, found, format_, TensorSpec((1, 3), "int8", 0.2, -128)) == ()


@pytest.mark.parametrize(("shape", "axis"), [((5, 40, 6), 2), ((5, 6, 40), 1), ((5, 8, 8, 3), 3)])
def test_columns_of_larger_outputs(shape: tuple[int, ...], axis: int) -> None:
    """The last axis; and of (n, channels, anchors) the channels, too."""
    expected = np.random.default_rng(0).uniform(0.0, 640.0, shape)
    place = [slice(None)] * len(shape)
    place[axis] = slice(2, 3)
    expected[tuple(place)] /= 640.0
    found = expected.copy()
    found[tuple(place)] = 0.0
    (said,) = compare_values(expected, found, Format.INT8)
    assert said.startswith("output 2: values differ")
