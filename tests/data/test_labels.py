"""Labels and names of classes as people bring them."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from ecavg_tf.config import DataConfig
from ecavg_tf.core.class_names import alike_of, fault_of
from ecavg_tf.core.errors import DataError, printable
from ecavg_tf.data.dataset import Dataset
from ecavg_tf.data.edge_arrays import ArraySource
from ecavg_tf.data.labels import native_labels, whole_numbers
from ecavg_tf.data.owned import OwnedData
from ecavg_tf.data.sources import load_data
from edge.device.described import described

Y = np.arange(20) % 4
NAMES = np.array(["ant", "bee", "cat", "dog"])


class Ragged:
    """Has what tf.RaggedTensor has."""

    def to_tensor(self) -> None:
        raise AssertionError("filled with zeros, its rows would be labels of the first class")


def load(folder: Path, y: Any, y_test: Any = None, **more: Any) -> Dataset:
    y_test = y if y_test is None else y_test
    x = np.zeros((20, 6, 6, 1), np.uint8)
    np.savez(folder / "mine.npz", x_train=x, y_train=y, x_test=x, y_test=y_test, **more)
    return load_data(DataConfig(name=str(folder / "mine.npz")), seed=0)


@pytest.mark.parametrize(
    ("labels", "cure"),
    [
        (np.eye(4)[Y], r"shape \(20, 4\).*labels.argmax\(axis=1\)"),
        (np.eye(4, dtype=np.int32)[Y], r"labels.argmax\(axis=1\)"),
        (np.eye(4)[Y] * 0.9 + 0.025, r"labels.argmax\(axis=1\)"),
        (np.full((20, 4), 0.25), "rows with several classes, shares or measurements"),
        (np.eye(4, dtype=int)[Y] + np.eye(4, dtype=int)[0], "an example is of one class"),
        (NAMES[Y], "numpy.unique.*give the names as classes"),
        (NAMES.astype("S")[Y], "numpy.unique.*give the names as classes"),
        (Y.astype(np.float32), r"labels.astype\('int64'\)"),
        (Y / 2, "fractions and missing values name no class"),
        (np.where(Y == 3, np.nan, Y), "fractions and missing values name no class"),
        (Y > 1, r"labels.astype\('int64'\)"),
        (Y[np.newaxis], r"labels.ravel\(\)"),
        (
            Y.astype(np.uint64) + np.uint64(2**63),
            "go up to 9223372036854775811; number the classes",
        ),
        (Y.astype(complex), "expected whole numbers"),
        (np.zeros((20, 2, 2), int), "one a picture"),
    ],
)
def test_labels_of_another_kind(tmp_path: Path, labels: np.ndarray, cure: str) -> None:
    with pytest.raises(DataError, match=cure) as caught:
        load(tmp_path, labels)
    assert "expected whole numbers" in str(caught.value) or "number the classes" in str(
        caught.value
    )
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "cure"),
    [
        (np.array(["ant", "bee"], object), "numpy.unique"),
        (np.array([1, 2], object), r"labels.astype\('int64'\)"),
        ([None, 1], "missing values and kinds that are mixed name no class"),
        ([[1], [1, 2]], "rows of different lengths"),
    ],
)
def test_labels_that_are_objects(labels: Any, cure: str) -> None:
    with pytest.raises(DataError, match=cure):
        whole_numbers("here", labels)


@settings(deadline=None, derandomize=True, max_examples=100)
@given(
    kind=st.sampled_from([*np.typecodes["AllInteger"], *np.typecodes["AllFloat"], *"?OUSMm"]),
    shape=st.sampled_from([(6,), (6, 1), (1, 6), (6, 4), (6, 1, 1), ()]),
    order=st.sampled_from("<>"),
)
def test_every_dtype_is_taken_as_it_is_or_refused(
    kind: str, shape: tuple[int, ...], order: str
) -> None:
    dtype = np.dtype(kind).newbyteorder(order)
    given = np.resize(np.arange(4), shape).astype("m8[s]" if kind in "Mm" else dtype)
    try:
        found = whole_numbers("here", given)
    except DataError as error:
        assert "expected whole numbers of shape (n,)" in str(error)
        assert given.dtype.kind not in "iu" or shape not in ((6,), (6, 1))
    else:
        assert found.dtype == np.int64
        assert found.tolist() == [0, 1, 2, 3, 0, 1]


def test_classes_without_examples_are_said(tmp_path: Path) -> None:
    (note,) = load(tmp_path, Y + 1).notes
    assert note.endswith(
        "1 of 5 classes have no training example: 0; if labels begin at 1, subtract 1"
    )
    (note,) = load(tmp_path, np.zeros(20, int), classes=NAMES).notes
    assert note.endswith("3 of 4 classes have no training example: bee, cat, dog")
    (note,) = load(tmp_path, Y, classes=np.arange(30)).notes
    assert note.endswith(
        "26 of 30 classes have no training example: 4, 5, 6, 7, 8, 9, 10, 11 and 18 more"
    )
    assert load(tmp_path, Y).notes == ()


@pytest.mark.parametrize("highest", [90_210, 2**31 - 5, 2**62])
def test_ids_are_no_class_numbers(tmp_path: Path, highest: int) -> None:
    ids = np.array([7, 1002, 40_411, highest])[Y]
    began = time.perf_counter()
    with pytest.raises(DataError, match=f"except 7, 1002, 40411, {highest} have no example"):
        load(tmp_path, ids)
    assert time.perf_counter() - began < 1
    with pytest.raises(DataError, match="labelled as unknown"):
        load(tmp_path, np.where(Y == 3, 255, Y).astype(np.uint8))


def test_names_are_texts(tmp_path: Path) -> None:
    assert load(tmp_path, Y, classes=NAMES.astype("S")).spec.classes == tuple(NAMES)
    french = np.array([name.encode() for name in ("été", "ça", "là", "où")])
    assert load(tmp_path, Y, classes=french).spec.classes[0] == "été"
    for wrong in (np.array([b"\xff", b"a", b"b", b"c"]), np.arange(4.0), NAMES[np.newaxis]):
        with pytest.raises(DataError, match="classes"):
            load(tmp_path, Y, classes=wrong)
    (note,) = load(tmp_path, Y, class_names=NAMES).notes
    assert "class_names is not read; names of the classes are read from 'classes'" in note


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("digit 0\n", "holds a line break"),
        ("a\u2028b", "holds a line break"),
        ("a\x85", "holds a line break"),
        ("0\tdigit", "can't be printed"),
        ("\x1b[31mred", "can't be printed"),
        ("a\u202eb", "can't be printed"),
        ("\ufeffcat", "can't be printed"),
        ("\ud800", "can't be printed"),
        (" ", "class 1 has an empty name"),
        ("\u3164", "class 1 has an empty name"),
        ("\u200d\u2800 ", "class 1 has an empty name"),
        ("\u00a0\u200d\u00a0", "class 1 has an empty name"),
        ("\ufe0f", "class 1 has an empty name"),
        ("c" * 1001, "name of class 1 has 1001 characters"),
        ("ant", "class name 'ant' stands for the labels 0, 1"),
    ],
)
def test_names_that_no_file_of_labels_can_hold(name: str, said: str) -> None:
    fault = fault_of(("ant", name))
    assert fault is not None
    assert said in fault
    assert fault.isprintable()


def test_names_of_any_language_are_fine(tmp_path: Path) -> None:
    assert fault_of(("[red] ça va", "日本　語", "خانه‌ها", "👩‍🚀", "a\u00a0b")) is None
    with pytest.raises(DataError, match=r"class 'digit 0\\n' holds a line break; rename the class"):
        load(tmp_path, Y, classes=np.array([f"digit {number}\n" for number in range(4)]))


@pytest.mark.parametrize("other", ["ant ", " ant", "ant\u200d", "ant\u3164", "ant\ufe0f"])
def test_names_that_look_the_same_are_noted(tmp_path: Path, other: str) -> None:
    (note,) = load(tmp_path, Y % 2, classes=np.array(["ant", other])).notes
    assert note.startswith("data set 'mine': the class names 'ant' and ")
    assert note.endswith(" look the same: rename one")


def test_names_that_look_different_are_not_noted() -> None:
    assert alike_of(("\u00e9", "e\u0301")) is not None  # both are é
    assert alike_of(("👩\u200d🚀", "👩🚀", "खानه\u200cها", "खानهها", "a b", "ab")) is None


def test_an_emoji_of_several_parts_is_printed_whole() -> None:
    assert printable("👩\u200d🚀 a\u202eb\x1b") == "👩\u200d🚀 a b "


@pytest.mark.parametrize("read", [whole_numbers, native_labels])
@pytest.mark.parametrize(
    ("labels", "cure"),
    [
        (csr_matrix(np.eye(4)[Y]), r"labels are a csr_matrix; give an array: labels.toarray\(\)"),
        (np.ma.masked_array(Y, mask=Y == 3), r"masked values; give labels.filled\("),
        (Ragged(), r"labels are a Ragged; expected one whole number for each example"),
    ],
)
def test_labels_in_containers_of_another_kind(
    read: Callable[[str, Any], object], labels: Any, cure: str
) -> None:
    with pytest.raises(DataError, match=cure):
        read("mine", labels)


@pytest.mark.parametrize("single", [np.int64(3), np.str_("cat"), np.float32(1.5)])
def test_one_label_without_an_axis(single: Any) -> None:
    with pytest.raises(DataError, match=r"labels have shape \(\) and dtype .*expected whole"):
        native_labels("here", np.asarray(single))


@pytest.mark.parametrize("highest", [3_000_000_000, 2**62])
def test_ids_for_labels_are_refused_wherever_an_edge_says_what_it_has(highest: int) -> None:
    source = ArraySource({"x_train": np.zeros((3, 2, 2), np.uint8), "y_train": [0, 1, highest]})
    said = rf"edge 'north'.*: labels go up to {highest}, at most 100000 classes without names"
    with pytest.raises(DataError, match=said):
        described("north", source)
    with pytest.raises(DataError, match=said):
        OwnedData("ids", {"north": source}, 0.2, 0)
    others = {"north": ArraySource({"x_train": np.zeros((2, 2, 2), np.uint8), "y_train": [0, 1]})}
    test = {"x_test": np.zeros((1, 2, 2), np.uint8), "y_test": [highest]}
    with pytest.raises(DataError, match=f"global test set: labels go up to {highest}"):
        OwnedData("ids", {**others, "test": ArraySource(test)}, 0.2, 0)
