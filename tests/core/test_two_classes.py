"""One output for two classes, by hand."""

import math

import numpy as np
import pytest

from ecavg_tf.core.bundles.bundle import OUTPUT_KINDS
from ecavg_tf.core.deciding.predictions import compare_with_labels
from ecavg_tf.core.deciding.prior import prior_shift
from ecavg_tf.core.two_classes import (
    are_logits,
    bias_shift,
    class_columns,
    class_probabilities,
    output_kind,
)

ONE = np.array([[0.25], [0.9]], np.float32)
LOGITS = np.log(ONE / (1 - ONE))


def test_a_sigmoid_is_two_probabilities() -> None:
    columns = class_columns(ONE, logits=False)
    assert columns.dtype == np.float32
    np.testing.assert_allclose(columns, [[0.75, 0.25], [0.1, 0.9]], rtol=1e-6)
    np.testing.assert_array_equal(ONE, np.array([[0.25], [0.9]], np.float32))


def test_a_logit_is_two_logits_of_which_a_softmax_makes_the_sigmoid() -> None:
    np.testing.assert_allclose(class_columns(np.array([[3.0]]), logits=True), [[-1.5, 1.5]])
    found = class_probabilities(LOGITS, logits=True)
    np.testing.assert_allclose(found, [[0.75, 0.25], [0.1, 0.9]], rtol=1e-6)
    sure = class_probabilities(np.array([[-2000.0], [2000.0]]), logits=True)
    np.testing.assert_array_equal(sure, [[1.0, 0.0], [0.0, 1.0]])


@pytest.mark.parametrize("logits", [False, True])
def test_outputs_of_several_classes_are_left_alone(logits: bool) -> None:
    outputs = np.array([[0.2, 0.8]])
    assert class_columns(outputs, logits=logits) is outputs


@pytest.mark.parametrize(("outputs", "logits"), [(ONE, False), (LOGITS, True)])
def test_scores_are_those_of_the_binary_cross_entropy(outputs: np.ndarray, logits: bool) -> None:
    found = compare_with_labels(outputs, np.array([0, 0]), logits=logits)
    np.testing.assert_allclose(found.log_likelihood, np.log([0.75, 0.1]), rtol=1e-6)
    assert found.correct.tolist() == [True, False]
    of_ones = compare_with_labels(outputs, np.array([1, 1]), logits=logits)
    np.testing.assert_allclose(of_ones.log_likelihood, np.log([0.25, 0.9]), rtol=1e-6)
    assert of_ones.correct.tolist() == [False, True]


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("logits", [False, True])
def test_what_is_no_number_is_wrong_whatever_the_label(odd: float, logits: bool) -> None:
    found = compare_with_labels(np.array([[odd], [odd]]), np.array([0, 1]), logits=logits)
    assert found.correct.tolist() == [False, False]
    np.testing.assert_allclose(found.log_likelihood, math.log(1e-7))


@pytest.mark.parametrize("outside", [-0.1, 1.1])
def test_what_is_no_probability_is_wrong(outside: float) -> None:
    found = compare_with_labels(np.array([[outside]] * 2), np.array([0, 1]), logits=False)
    assert found.correct.tolist() == [False, False]


def test_the_prior_moves_one_bias_by_the_difference_of_the_two_log_ratios() -> None:
    # Laplace: an edge with 8 and 0 has (9/10, 1/10), the model's 3 and 5 are (4/10, 6/10).
    shift = prior_shift([8, 0], [3, 5])
    one = bias_shift(shift, np.zeros(1, np.float32))
    np.testing.assert_allclose(one, [math.log(1 / 6) - math.log(9 / 4)])
    np.testing.assert_array_equal(bias_shift(shift, np.zeros(2, np.float32)), shift)
    # A probability of 0.6 has odds of 3/2, and 3/2 * (1/6) / (9/4) = 1/9: 0.1 it becomes.
    moved = class_probabilities(np.array([[math.log(1.5)]]) + one, logits=True)
    np.testing.assert_allclose(moved, [[0.9, 0.1]])
    both = class_probabilities(np.log([[0.4, 0.6]]) + shift, logits=True)
    np.testing.assert_allclose(moved, both)


def test_words_for_what_a_file_gives() -> None:
    words = [
        output_kind(logits=logits, one_output=one) for one in (False, True) for logits in (0, 1)
    ]
    assert tuple(words) == OUTPUT_KINDS
    assert [are_logits(word) for word in words] == [False, True, False, True]
