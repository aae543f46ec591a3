"""Judging outputs and scoring them: hand-computed numbers."""

import math

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ecavg_tf.core.deciding.predictions import (
    SMALLEST_PROBABILITY,
    Predictions,
    compare_with_labels,
)
from ecavg_tf.core.reweighting import own_weights, score
from ecavg_tf.core.scores import Score
from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import Examples
from ecavg_tf.training.evaluation import KerasScorer

PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.2, 0.3, 0.5]])
LABELS = np.array([0, 1, 2])


def predictions(probabilities: list[float], correct: list[bool]) -> Predictions:
    return Predictions(np.log(probabilities), np.array(correct))


def softmax(logits: Array) -> Array:
    exponentials: Array = np.exp(logits - logits.max(axis=1, keepdims=True))
    exponentials /= exponentials.sum(axis=1, keepdims=True)
    return exponentials


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_probabilities_are_judged_by_hand(dtype: str) -> None:
    judged = compare_with_labels(PROBABILITIES.astype(dtype), LABELS, logits=False)
    np.testing.assert_allclose(judged.log_likelihood, np.log([0.7, 0.3, 0.5]), atol=1e-3)
    np.testing.assert_array_equal(judged.correct, [True, False, True])
    assert judged.log_likelihood.dtype == np.float64
    assert judged.correct.dtype == np.bool_


def test_probabilities_are_taken_as_they_are() -> None:
    judged = compare_with_labels(PROBABILITIES, LABELS, logits=False)
    np.testing.assert_allclose(judged.log_likelihood, np.log([0.7, 0.3, 0.5]), rtol=1e-15)


@settings(deadline=None, max_examples=100)
@given(
    logits=hnp.arrays(np.float64, (5, 3), elements=st.floats(-12, 12)),
    labels=hnp.arrays(np.int64, 5, elements=st.integers(0, 2)),
)
def test_logits_are_judged_as_their_softmax(logits: Array, labels: Array) -> None:
    from_logits = compare_with_labels(logits, labels, logits=True)
    from_softmax = compare_with_labels(softmax(logits), labels, logits=False)
    np.testing.assert_allclose(
        from_logits.log_likelihood, from_softmax.log_likelihood, rtol=1e-12, atol=1e-12
    )
    np.testing.assert_array_equal(from_logits.correct, from_softmax.correct)


def test_logits_by_hand() -> None:
    judged = compare_with_labels(
        np.array([[math.log(3), 0.0], [2.0, 2.0]]), np.array([0, 1]), logits=True
    )
    np.testing.assert_allclose(judged.log_likelihood, np.log([0.75, 0.5]), rtol=1e-15)
    assert judged.correct[0]


def test_large_logits_do_not_overflow() -> None:
    logits = np.array([[1e4, 0.0], [-1e4, 0.0], [3e38, 3e38]], np.float32)
    judged = compare_with_labels(logits, np.array([0, 0, 0]), logits=True)
    expected = np.log([1.0, SMALLEST_PROBABILITY, 0.5])
    np.testing.assert_allclose(judged.log_likelihood, expected, rtol=1e-12)
    np.testing.assert_array_equal(judged.correct[:2], [True, False])


def test_a_probability_of_zero_has_a_finite_loss() -> None:
    judged = compare_with_labels(np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([0, 0]), logits=False)
    np.testing.assert_array_equal(judged.log_likelihood, [np.log(SMALLEST_PROBABILITY), 0.0])


def test_rounding_above_one_is_no_gain() -> None:
    judged = compare_with_labels(np.array([[1.0000001, 0.0]]), np.array([0]), logits=False)
    assert judged.log_likelihood == 0.0


@pytest.mark.parametrize("logits", [True, False])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("position", [0, 1])
def test_an_output_that_is_not_finite_is_a_wrong_answer_of_the_smallest_probability(
    logits: bool, bad: float, position: int
) -> None:
    outputs = np.array([[0.9, 0.1], [0.9, 0.1]])
    outputs[0, position] = bad
    for label in (0, 1):
        judged = compare_with_labels(outputs, np.array([label, 0]), logits=logits)
        assert judged.log_likelihood[0] == np.log(SMALLEST_PROBABILITY)
        assert not judged.correct[0]
        assert judged.correct[1]
        assert judged.log_likelihood[1] > -1


def test_judging_leaves_the_outputs_as_they_are() -> None:
    outputs = np.array([[1.0, np.nan], [2.0, 3.0]])
    compare_with_labels(outputs, np.array([0, 1]), logits=True)
    np.testing.assert_array_equal(outputs, [[1.0, np.nan], [2.0, 3.0]])


def test_own_weights_by_hand() -> None:
    # ratios 1/2, 1/2, 1/1 for labels 0, 0, 1; none for label 2: sum 2
    weights = own_weights((1, 1, 0), np.array([0, 0, 1, 2]))
    assert weights is not None
    np.testing.assert_array_equal(weights, [0.25, 0.25, 0.5, 0.0])


def test_an_edge_with_the_test_set_s_mix_weighs_all_examples_equally() -> None:
    weights = own_weights((20, 10, 10), np.array([0, 1, 0, 2]))
    assert weights is not None
    np.testing.assert_allclose(weights, np.full(4, 0.25), rtol=1e-15)


def test_a_class_that_the_test_set_lacks_leaves_the_others_their_proportions() -> None:
    # class 2 has no test example: classes 0 and 1 stay 1 : 3
    weights = own_weights((1, 3, 100), np.array([0, 0, 1]))
    assert weights is not None
    np.testing.assert_allclose(weights, [0.125, 0.125, 0.75], rtol=1e-15)


def test_no_weights_where_the_test_set_has_no_class_of_the_edge() -> None:
    assert own_weights((0, 0, 5), np.array([0, 0, 1])) is None
    assert own_weights((0, 0, 0), np.array([0, 1, 2])) is None


@settings(deadline=None, max_examples=100)
@given(
    counts=st.lists(st.integers(0, 1000), min_size=4, max_size=4).filter(any),
    extra=st.lists(st.integers(0, 3), max_size=30),
)
def test_the_weighted_test_set_has_the_label_mix_of_the_edge(
    counts: list[int], extra: list[int]
) -> None:
    labels = np.array([0, 1, 2, 3, *extra])
    weights = own_weights(counts, labels)
    assert weights is not None
    assert np.all(weights >= 0)
    mix = np.bincount(labels, weights=weights, minlength=4)
    np.testing.assert_allclose(mix, np.array(counts) / sum(counts), rtol=1e-12, atol=1e-15)


def test_a_score_by_hand() -> None:
    scored = score(predictions([0.5, 0.25, 0.5, 0.25], [True, False, True, True]))
    assert scored.accuracy == 0.75
    assert scored.loss == pytest.approx(1.5 * math.log(2), rel=1e-15)
    assert scored.n == 4


def test_a_weighted_score_by_hand() -> None:
    shares = np.array([0.5, 0.25, 0.25, 0.0])
    scored = score(predictions([0.5, 0.25, 1.0, 1e-7], [True, False, True, False]), shares)
    assert scored.accuracy == 0.75
    assert scored.loss == pytest.approx(math.log(2), rel=1e-15)
    assert scored.n == 3


def test_a_score_holds_plain_numbers_for_json() -> None:
    scored = score(predictions([0.5], [True]), np.array([1.0]))
    assert (type(scored.accuracy), type(scored.loss), type(scored.n)) == (float, float, int)
    assert scored == Score(1.0, math.log(2), 1)


SIZES = [*range(1, 60), 359, 4000, 5000]


def test_an_accuracy_lies_between_none_and_all_also_after_rounding() -> None:
    for n in SIZES:
        right = score(predictions([1.0] * n, [True] * n))
        assert right.accuracy == pytest.approx(1.0, rel=1e-12), n
        assert right.accuracy <= 1.0, n
        assert score(predictions([0.5] * n, [False] * n)).accuracy == 0.0


def test_a_weighted_accuracy_lies_between_none_and_all_also_after_rounding() -> None:
    for n in SIZES[1:]:
        weights = own_weights((1, 2), np.array([0, *([1] * (n - 1))]))
        right = score(predictions([1.0] * n, [True] * n), weights)
        assert right.accuracy == pytest.approx(1.0, rel=1e-12), n
        assert right.accuracy <= 1.0, n


def test_a_model_goes_through_the_same_examples_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, activation="softmax")])
    test, own = (Examples(np.ones((n, 2), np.float32), np.arange(n) % 3) for n in (6, 3))
    scorer, asked = KerasScorer(model, test, logits=False), []
    predict = scorer.predictions_on

    def counted(examples: Examples, weights: list[Array]) -> Predictions:
        asked.append(len(examples))
        return predict(examples, weights)

    monkeypatch.setattr(scorer, "predictions_on", counted)
    weights = model.get_weights()
    others = [[array + number for array in weights] for number in range(1, 13)]
    scores = [scorer.scores(each, (1, 1, 1), own) for each in (weights, *others, weights)]
    assert scores[0] == scores[-1] and scores[0].all == scorer.all(weights)
    hits = scorer.hits(weights, (1, 0, 1)), scorer.hits(weights, (1, 0, 1), own)
    assert [each and each.n for each in hits] == [(2, 2), (1, 1, 1)]
    assert sorted(asked) == 13 * [3] + 13 * [6]
