"""Averaging: hand-computed numbers, and properties that hold for all numbers."""

import weakref
from collections.abc import Iterator
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ecavg_tf.core.averaging import RunningMean, average_weights
from ecavg_tf.core.template import Array

SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, max_side=4)
SHARES = st.floats(1e-3, 1e6)
VALUES = st.floats(-1e6, 1e6)


def finite_arrays(width: Literal[16, 32, 64]) -> st.SearchStrategy[Array]:
    """Arrays of any finite values; zeros are positive, see the test of the negative zero."""
    elements = st.floats(width=width, allow_nan=False, allow_infinity=False).map(lambda x: x + 0.0)
    return hnp.arrays(np.dtype(f"float{width}"), SHAPES, elements=elements)


@st.composite
def stacked_models(draw: st.DrawFn) -> tuple[Array, list[float]]:
    """A float64 array of shape (models, …) and a weight for each model."""
    count = draw(st.integers(1, 6))
    shape = (count, *draw(SHAPES))
    models = draw(hnp.arrays(np.float64, shape, elements=VALUES))
    return models, draw(st.lists(SHARES, min_size=count, max_size=count))


def test_a_uniform_average_by_hand() -> None:
    models = [[np.array([1.0, 2.0]), np.array([[10.0]])], [np.array([3.0, 6.0]), np.array([[0.0]])]]
    averaged = average_weights(models)
    np.testing.assert_array_equal(averaged[0], [2.0, 4.0])
    np.testing.assert_array_equal(averaged[1], [[5.0]])


def test_a_weighted_average_by_hand() -> None:
    models = [[np.array([1.0, 0.0])], [np.array([5.0, 8.0])], [np.array([9.0, 4.0])]]
    # (1·1 + 1·5 + 2·9) / 4 = 6;  (1·0 + 1·8 + 2·4) / 4 = 4
    np.testing.assert_array_equal(average_weights(models, [1, 1, 2])[0], [6.0, 4.0])


def test_the_sum_is_kept_in_float64_and_rounded_once() -> None:
    # In float32 arithmetic the ones would be lost beside 2**24, and the mean be 4194304.
    values = [2.0**24, 1.0, 1.0, 2.0]
    averaged = average_weights([[np.array([value], np.float32)] for value in values])[0]
    assert averaged.dtype == np.float32
    assert averaged[0] == np.float32(2**22 + 1)


def test_float16_does_not_overflow_on_the_way() -> None:
    averaged = average_weights([[np.array([60000.0], np.float16)] for _ in range(4)])[0]
    assert averaged.dtype == np.float16
    assert averaged[0] == 60000.0


def test_the_inputs_are_not_changed_nor_shared_with_the_result() -> None:
    models = [[np.array([1.0, 2.0]), np.array([7], np.int64)] for _ in range(2)]
    before = [[array.copy() for array in model] for model in models]
    for array in average_weights(models, [1, 3]):
        array += 1
    for model, kept in zip(models, before, strict=True):
        for array, old in zip(model, kept, strict=True):
            np.testing.assert_array_equal(array, old)


@pytest.mark.parametrize("width", [16, 32, 64])
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_averaging_a_model_with_itself_changes_no_bit(
    width: Literal[16, 32, 64], data: st.DataObject
) -> None:
    array = data.draw(finite_arrays(width))
    shares = data.draw(st.lists(SHARES, min_size=1, max_size=9))
    averaged = average_weights(([array] for _ in shares), shares)[0]
    assert averaged.dtype == array.dtype
    assert averaged.shape == array.shape
    assert averaged.tobytes() == array.tobytes()


def test_averaging_a_model_with_itself_keeps_the_sign_of_zero() -> None:
    array = np.array([-0.0, 0.0], np.float32)
    assert average_weights([[array]])[0].tobytes() == array.tobytes()
    assert average_weights([[array]] * 3)[0].tobytes() == array.tobytes()


@settings(deadline=None, max_examples=100)
@given(stacked_models(), st.floats(1e-6, 1e6))
def test_scaling_all_weights_does_not_change_the_average(
    case: tuple[Array, list[float]], factor: float
) -> None:
    models, shares = case
    plain = average_weights([[model] for model in models], shares)[0]
    scaled = average_weights([[model] for model in models], [factor * share for share in shares])[0]
    np.testing.assert_allclose(scaled, plain, rtol=1e-12, atol=1e-8)


@settings(deadline=None, max_examples=100)
@given(stacked_models())
def test_the_average_is_that_of_numpy(case: tuple[Array, list[float]]) -> None:
    models, shares = case
    averaged = average_weights([[model] for model in models], shares)[0]
    expected = np.average(models, axis=0, weights=shares)
    np.testing.assert_allclose(averaged, expected, rtol=1e-12, atol=1e-8)


@settings(deadline=None, max_examples=100)
@given(stacked_models())
def test_the_average_lies_between_the_models(case: tuple[Array, list[float]]) -> None:
    models, shares = case
    averaged = average_weights([[model] for model in models], shares)[0]
    assert np.all(averaged >= models.min(axis=0) - 1e-8)
    assert np.all(averaged <= models.max(axis=0) + 1e-8)


@pytest.mark.parametrize("dtype", ["float16", "float32", "int64"])
def test_weights_may_come_as_a_numpy_array_without_loss(dtype: str) -> None:
    models = [[np.array([value])] for value in (0.0, 1.0, 1.0)]
    averaged = average_weights(models, np.array([1, 1, 1], dtype))[0]
    np.testing.assert_allclose(averaged, [2 / 3], rtol=1e-15)


@pytest.mark.parametrize("weights", [None, [1.0] * 20])
def test_a_generator_is_streamed_so_memory_does_not_grow_with_the_models(
    weights: list[float] | None,
) -> None:
    given_out: list[weakref.ref[Array]] = []
    alive_at_once: list[int] = []

    def models() -> Iterator[list[Array]]:
        for number in range(20):
            alive_at_once.append(sum(ref() is not None for ref in given_out))
            array = np.full(3, float(number))
            given_out.append(weakref.ref(array))
            yield [array]
            del array

    np.testing.assert_allclose(average_weights(models(), weights)[0], np.full(3, 9.5))
    assert len(alive_at_once) == 20
    assert max(alive_at_once) <= 2


def test_arrays_that_are_not_float_are_kept_from_the_first_model() -> None:
    first = [np.array([1.0]), np.array([3, 4], np.uint32), np.array(True)]
    second = [np.array([2.0]), np.array([9, 9], np.uint32), np.array(False)]
    averaged = average_weights([first, second])
    assert averaged[0] == 1.5
    np.testing.assert_array_equal(averaged[1], [3, 4])
    assert averaged[1].dtype == np.uint32
    assert averaged[2].dtype == np.bool_
    assert averaged[2]


def test_bfloat16_is_averaged_like_other_floats() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    models = [
        [np.array([1.0, 2.0], ml_dtypes.bfloat16)],
        [np.array([3.0, 6.0], ml_dtypes.bfloat16)],
    ]
    averaged = average_weights(models)[0]
    assert averaged.dtype == ml_dtypes.bfloat16
    assert averaged.astype(np.float32).tolist() == [2.0, 4.0]


def test_scalars_stay_arrays_of_no_dimensions() -> None:
    models = [[np.array(1.0, np.float32), np.array(5)], [np.array(2.0, np.float32), np.array(6)]]
    averaged = average_weights(models, [3, 1])
    assert all(isinstance(array, np.ndarray) and array.shape == () for array in averaged)
    assert averaged[0].dtype == np.float32
    assert averaged[0] == 1.25
    assert averaged[1] == 5


def test_no_model_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        average_weights([])


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ([np.zeros(2), np.zeros(1)], "model 1 has 2 arrays, model 0 has 1"),
        ([], "model 1 has 0 arrays, model 0 has 1"),
        ([np.zeros(1)], r"model 1, array 0: float64\(1,\) came, float64\(2,\) was expected"),
        ([np.zeros((1, 2))], r"model 1, array 0: float64\(1, 2\) came"),
        ([np.zeros(2, np.float32)], "model 1, array 0: float32"),
        ([np.zeros(2, np.int64)], "model 1, array 0: int64"),
    ],
)
def test_models_that_do_not_fit_are_refused(second: list[Array], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        average_weights([[np.zeros(2)], second])


def test_state_of_another_shape_is_refused_though_it_is_not_averaged() -> None:
    with pytest.raises(ValueError, match="model 1, array 0: int64"):
        average_weights([[np.zeros(2, np.int64)], [np.zeros(3, np.int64)]])


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_a_weight_that_is_not_finite_and_positive_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="model 1, array 0: a weight must be finite and above"):
        average_weights([[np.zeros(2)], [np.zeros(2)]], [1.0, weight])


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan")])
def test_a_wrong_weight_is_refused_for_a_model_without_floats_too(weight: float) -> None:
    with pytest.raises(ValueError, match="weight"):
        average_weights([[np.zeros(2, np.int64)], [np.zeros(2, np.int64)]], [1.0, weight])


@pytest.mark.parametrize("weights", [[1.0], [1.0, 1.0, 1.0], []])
def test_one_weight_a_model_is_asked_for(weights: list[float]) -> None:
    with pytest.raises(ValueError):
        average_weights([[np.zeros(2)], [np.zeros(2)]], weights)


def test_the_running_mean_refuses_what_it_can_not_take() -> None:
    mean = RunningMean((2,))
    with pytest.raises(ValueError, match="no arrays"):
        mean.result()
    with pytest.raises(ValueError, match=r"shape \(1,\), expected \(2,\)"):
        mean.add(np.zeros(1), 1.0)
    with pytest.raises(ValueError, match="above zero"):
        mean.add(np.zeros(2), 0.0)


def test_a_refused_array_leaves_the_running_mean_as_it_was() -> None:
    mean = RunningMean((1,))
    mean.add(np.array([4.0]), 1.0)
    with pytest.raises(ValueError):
        mean.add(np.array([4.0]), -2.0)
    assert mean.total_weight == 1.0
    assert mean.result() == 4.0


def test_the_running_mean_can_be_read_on_the_way() -> None:
    mean = RunningMean(())
    mean.add(np.array(1, np.int32), 1)
    early = mean.result("float32")
    mean.add(np.array(4, np.int32), 2)
    assert early == 1.0
    assert early.dtype == np.float32
    assert mean.result() == 3.0
    assert mean.total_weight == 3.0
