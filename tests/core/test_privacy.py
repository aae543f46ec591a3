"""Clipping and noise of an update, by hand."""

import hashlib
import math
import struct

import numpy as np
import pytest
from scipy.stats import kstest
from screen_for_tests import BASE, TEMPLATE

from ecavg_tf.core.privacy import gaussians, private_weights
from ecavg_tf.core.template import Array

KEY = b"k" * 32


def sent(
    trained: tuple[float, float] = (6.0, 8.0),
    clip: float = 2.5,
    noise: float = 0.0,
    round_: int = 1,
) -> list[Array]:
    """The start is (3, 4): the change is (3, 4) of norm 5 unless told otherwise."""
    weights = [np.array(trained, np.float32), np.full(1, 9, np.float32), np.ones(1, np.uint32)]
    return private_weights(
        TEMPLATE, BASE, weights, clip=clip, noise_multiplier=noise, key=KEY, place=("run", round_)
    )


def test_a_change_is_shortened_to_the_clip_by_hand() -> None:
    assert sent(clip=2.5)[0].tolist() == [4.5, 6.0]
    assert sent(clip=5.0)[0].tolist() == [6.0, 8.0]
    assert sent(clip=50.0)[0].tolist() == [6.0, 8.0]
    assert sent(trained=(3.0, 4.0))[0].tolist() == [3.0, 4.0]  # nothing was learned
    assert sent()[0].dtype == np.float32


def test_statistics_and_state_stay_the_starts() -> None:
    _, variance, seed = sent()
    assert (variance.tolist(), seed.tolist()) == ([1.0], [0])
    assert BASE[0].tolist() == [3.0, 4.0]


def test_noise_is_in_units_of_the_clip() -> None:
    """The same noise under both: (a+2a n) - (b+b n) for clips of 5 and 2.5."""
    change = sent(clip=5.0, noise=1.0)[0] - sent(clip=5.0)[0]
    half = sent(clip=2.5, noise=1.0)[0] - sent(clip=2.5)[0]
    np.testing.assert_allclose(change, 2 * half, rtol=1e-5)
    assert np.abs(half).max() > 0.01


def test_the_same_update_gets_the_same_noise_and_another_gets_other_noise() -> None:
    noise = sent(noise=1.0)[0] - sent()[0]
    np.testing.assert_array_equal(sent(noise=1.0)[0] - sent()[0], noise)
    for other in ({"trained": (6.0, 8.5)}, {"round_": 2}):
        assert not np.allclose(sent(noise=1.0, **other)[0] - sent(**other)[0], noise, atol=1e-3)


def test_the_numbers_by_hand() -> None:
    """Two words of SHAKE-256 are two uniform numbers; Box and Muller make two normal ones."""
    stream = hashlib.shake_256(KEY + b'["here",1]').digest(16)
    first, second = ((word >> 11) * 2.0**-53 + 2.0**-54 for word in struct.unpack("<2Q", stream))
    length = math.sqrt(-2 * math.log(first))
    expected = [length * math.cos(math.tau * second), length * math.sin(math.tau * second)]
    assert gaussians(2, KEY, "here", 1).tolist() == pytest.approx(expected, rel=1e-12)
    assert gaussians(1, KEY, "here", 1).tolist() == pytest.approx(expected[:1], rel=1e-12)
    assert gaussians(0, KEY).shape == (0,)


def test_the_numbers_are_normal_and_follow_the_key() -> None:
    drawn = gaussians(100_001, KEY)
    assert drawn.shape == (100_001,)
    assert kstest(drawn, "norm").pvalue > 0.01
    assert abs(np.corrcoef(drawn[:50_000], drawn[50_000:100_000])[0, 1]) < 0.02
    assert abs(np.corrcoef(drawn, gaussians(100_001, b"l" * 32))[0, 1]) < 0.02
