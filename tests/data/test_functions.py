"""What functions of people's own return as data."""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from ecavg_tf.config import DataConfig
from ecavg_tf.core.errors import DataError
from ecavg_tf.data.dataset import Dataset, DataSpec, Examples
from ecavg_tf.data.edge_sources import sources_of
from ecavg_tf.data.sources import load_data

X = np.random.default_rng(0).random((20, 6, 6, 1)).astype(np.float32)
Y = np.arange(20) % 4
WORDS = {
    "name": "mine",
    "input_shape": (6, 6, 1),
    "dtype": "float32",
    "value_range": (0.0, 1.0),
    "classes": ("0", "1", "2", "3"),
}


class Pipeline:
    """What tells a tf.data.Dataset, without TensorFlow."""

    element_spec = None


def load(monkeypatch: pytest.MonkeyPatch, give: Callable[[], Any]) -> Dataset:
    monkeypatch.setitem(globals(), "given", give)
    return load_data(DataConfig(name=f"{__name__}:given"), seed=0)


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ([x[: 5 + number % 2] for number, x in enumerate(X)], "must all be of one size"),
        (np.array([None] * 20), "dtype object; expected numbers"),
        (X.astype(np.longdouble), "expected numbers of at most 64 bits"),
        (X.astype(complex), "expected numbers"),
        (np.ma.masked_array(X, mask=X > 0.5), "masked values"),
        (np.full(X.shape, "a"), "expected numbers"),
        (X.astype("m8[s]"), "expected numbers"),
        (X[0], "20 labels"),
        (csr_matrix(X.reshape(20, 36)), r"inputs are a csr_matrix; .*inputs.toarray\(\)"),
        (X.reshape(20, 36), r"float32\(6, 6, 1\), expected float32\(36,\)"),
    ],
)
def test_images_that_are_refused(monkeypatch: pytest.MonkeyPatch, part: Any, said: str) -> None:
    for whole in (
        ((part, Y), (X, Y)),
        Dataset(DataSpec(**WORDS), Examples(part, Y), Examples(X, Y)),
    ):
        with pytest.raises(DataError, match=said if isinstance(whole, tuple) else None) as caught:
            load(monkeypatch, lambda whole=whole: whole)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ((Pipeline(), Pipeline()), "returned a tf.data pipeline; give arrays"),
        (Pipeline(), "returned a tf.data pipeline; give arrays"),
        (((X, Y), (X, Y), (X, Y)), "returned tuple; expected an ecavg_tf.Dataset"),
        ({"train": (X, Y), "test": (X, Y)}, "returned dict"),
        (iter([]), "returned list_iterator"),
        (None, "returned NoneType"),
    ],
)
def test_what_is_no_data(monkeypatch: pytest.MonkeyPatch, returned: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        load(monkeypatch, lambda: returned)


def test_a_function_that_ends_the_program_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"fails: SystemExit: 3"):
        load(monkeypatch, lambda: sys.exit(3))


def test_a_dictionary_of_train_and_test_is_no_edge() -> None:
    parts = {"train": (X, Y), "test": (X, Y)}
    with pytest.raises(DataError, match=r"its only one is 'train'; give one data set as \(\(x_tra"):
        sources_of("data.name='mine:data'", parts)
    assert set(sources_of("here", parts | {"bus": (X, Y)})) == {"train", "test", "bus"}


@pytest.mark.parametrize(
    ("inputs", "dtype"),
    [
        (list(X), "float32"),
        (X.astype(np.float64), "float32"),
        (X.astype(">f4"), "float32"),
        (np.asfortranarray(X)[:, ::-1], "float32"),
        (X.astype(np.float16), "float16"),
    ],
)
def test_images_that_are_taken(monkeypatch: pytest.MonkeyPatch, inputs: Any, dtype: str) -> None:
    labels = [np.int8(label) for label in Y]
    found = load(monkeypatch, lambda: ((inputs, labels), (inputs, labels)))
    assert found.spec.dtype == dtype
    assert found.train.inputs.dtype.isnative
    np.testing.assert_array_equal(found.train.inputs, np.asarray(inputs, dtype))


@pytest.mark.parametrize(
    "changes",
    [
        {"input_shape": [6, 6, 1]},
        {"input_shape": tuple(np.array([6, 6, 1]))},
        {"input_shape": np.array([6, 6, 1])},
        {"dtype": np.float32},
        {"dtype": np.dtype("<f4")},
        {"value_range": [0, 1]},
        {"value_range": np.array([0, 1], np.float32)},
        {"classes": list("0123")},
        {"classes": range(4)},
        {"classes": np.arange(4)},
        {"classes": np.array(list("0123"))},
        {"classes": (b"0", b"1", b"2", b"3")},
    ],
)
def test_a_spec_is_the_same_however_it_is_written(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    spec = DataSpec(**(WORDS | changes))
    assert repr(spec) == repr(DataSpec(**WORDS))
    assert hash(spec) == hash(DataSpec(**WORDS))
    found = load(monkeypatch, lambda: Dataset(spec, Examples(X, Y), Examples(X, Y)))
    assert found.spec == spec


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"classes": 10}, "DataSpec.classes is 10; expected the classes' names"),
        ({"classes": "0123"}, "DataSpec.classes is '0123'"),
        ({"classes": {"a", "b"}}, "DataSpec.classes is"),
        ({"classes": [None, "b"]}, "DataSpec.classes is"),
        ({"input_shape": (6.5, 6, 1)}, "DataSpec.input_shape is"),
        ({"input_shape": 6}, "DataSpec.input_shape is 6"),
        ({"value_range": (0, "high")}, "DataSpec.value_range is"),
        ({"value_range": 1}, "DataSpec.value_range is 1"),
        ({"dtype": "pixels"}, "DataSpec.dtype is 'pixels'; expected a numpy dtype"),
    ],
)
def test_a_spec_that_is_wrong(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(DataError, match=said) as caught:
        load(monkeypatch, lambda: DataSpec(**(WORDS | changes)))
    assert str(caught.value).startswith("data.name=")


def test_channels_that_seem_to_come_first_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = np.repeat(np.moveaxis(X, -1, 1), 3, axis=1)
    (note,) = load(monkeypatch, lambda: ((inputs, Y), (inputs, Y))).notes
    assert "shape (3, 6, 6), read as (height, width, channels)" in note
    assert load(monkeypatch, lambda: ((X, Y), (X, Y))).notes == ()
