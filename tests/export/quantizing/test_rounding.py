"""Weights that are rounded together."""

import numpy as np
import pytest

from export.quantizing.rounding import rounded_to_fit


def lost(weights: np.ndarray, chosen: np.ndarray, gram: np.ndarray) -> float:
    off = weights - chosen
    return float(np.einsum("gio,gij,gjo->", off, gram, off))


def test_errors_of_inputs_that_go_together_cancel() -> None:
    """Two equal inputs: what one weight loses, the other gains. By hand: 0.4 + 0.4 is 0 + 1."""
    weights = np.array([[[127.0], [0.4], [0.4]]])
    gram = np.array([[[9.0, 0.0, 0.0], [0.0, 1.0, 0.999], [0.0, 0.999, 1.0]]])
    chosen = rounded_to_fit(weights, gram, np.full((1, 1, 1), 127.0))
    assert chosen.ravel().tolist()[0] == 127.0
    assert sorted(chosen.ravel().tolist()[1:]) == [0.0, 1.0]


@pytest.mark.parametrize("seed", range(5))
def test_less_is_lost_than_by_rounding_to_the_nearest(seed: int) -> None:
    generator = np.random.default_rng(seed)
    inputs = generator.normal(size=(3, 200, 80)) @ generator.normal(size=(3, 80, 80))
    gram = np.swapaxes(inputs, 1, 2) @ inputs / 200
    weights = generator.normal(size=(3, 80, 10))
    most = np.abs(weights).max(axis=1, keepdims=True)
    chosen = rounded_to_fit(weights, gram, most)
    steps = chosen / (most / 127)
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-9)
    np.testing.assert_allclose(np.abs(chosen).max(axis=1, keepdims=True), most)
    nearest = np.round(weights / (most / 127)) * (most / 127)
    assert lost(weights, chosen, gram) < 0.8 * lost(weights, nearest, gram)


def test_inputs_that_never_change_are_no_trouble() -> None:
    weights = np.array([[[1.0], [0.5]]])
    chosen = rounded_to_fit(weights, np.zeros((1, 2, 2)), np.ones((1, 1, 1)))
    np.testing.assert_allclose(chosen, np.round(weights * 127) / 127)
