"""The template's labels, its JSON and its hashes."""

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecavg_tf.core.template import (
    Array,
    Role,
    Template,
    WeightSpec,
    unique_keys,
    weights_sha256,
)

# Labels that look like the numbering of unique_keys itself.
TRICKY = st.sampled_from(["", "a", "#", "#2", "a#2", "a#3", "a#2#2", "b", "a#1", "a#02"])
LABELS = st.lists(st.one_of(TRICKY, TRICKY, st.text(max_size=4)), max_size=12)

SPECS = st.builds(
    WeightSpec,
    key=st.text(max_size=8),
    shape=st.lists(st.integers(0, 2**40), max_size=4).map(tuple),
    dtype=st.sampled_from(["float16", "float32", "float64", "int64", "uint32"]),
    role=st.sampled_from(Role),
    omittable=st.booleans(),
)
TEMPLATES = st.lists(SPECS, max_size=5, unique_by=lambda spec: spec.key).map(
    lambda specs: Template(tuple(specs))
)

KERNEL = WeightSpec("dense/kernel", (2, 3), "float32", Role.TRAINABLE)
MEAN = WeightSpec("bn/moving_mean", (3,), "float32", Role.STATISTIC, omittable=True)
SEED = WeightSpec("dropout/seed", (2,), "uint32", Role.STATE)
TEMPLATE = Template((KERNEL, MEAN, SEED))


def test_repeated_labels_are_numbered_in_order() -> None:
    assert unique_keys(["dense/kernel", "dense/bias", "dense/kernel", "dense/kernel"]) == [
        "dense/kernel",
        "dense/bias",
        "dense/kernel#2",
        "dense/kernel#3",
    ]


def test_a_label_that_already_looks_numbered_is_stepped_over() -> None:
    assert unique_keys(["a", "a", "a#2"]) == ["a", "a#3", "a#2"]
    assert unique_keys(["a#2", "a", "a", "a#2"]) == ["a#2", "a", "a#3", "a#2#2"]


@settings(deadline=None, max_examples=300)
@given(LABELS)
def test_keys_are_unique_and_a_first_occurrence_keeps_its_label(labels: list[str]) -> None:
    keys = unique_keys(labels)
    assert len(keys) == len(labels)
    assert len(set(keys)) == len(keys)
    for position, (label, key) in enumerate(zip(labels, keys, strict=True)):
        if label in labels[:position]:
            assert key.startswith(f"{label}#")
        else:
            assert key == label


@settings(deadline=None, max_examples=100)
@given(LABELS)
def test_unique_keys_stay_as_they_are(labels: list[str]) -> None:
    keys = unique_keys(labels)
    assert unique_keys(keys) == keys


def test_a_template_refuses_equal_keys_and_says_how_to_mend_it() -> None:
    with pytest.raises(ValueError, match="unique_keys"):
        Template((KERNEL, KERNEL))


@settings(deadline=None, max_examples=100)
@given(TEMPLATES)
def test_json_round_trip_gives_an_equal_template_with_the_same_hash(template: Template) -> None:
    again = Template.from_json(template.to_json())
    assert again == template
    assert again.sha256 == template.sha256


def test_reading_does_not_depend_on_the_order_of_json_fields() -> None:
    value = TEMPLATE.to_json()
    shuffled = {"weights": [dict(reversed(spec.items())) for spec in value["weights"]]}
    assert Template.from_json(shuffled).sha256 == TEMPLATE.sha256


def test_the_hash_is_frozen() -> None:
    """Old updates and run directories carry it: a change of to_json must be noticed."""
    text = (
        '{"weights":[{"dtype":"float32","key":"w","omittable":false,'
        '"role":"trainable","shape":[2,3]}]}'
    )
    template = Template((WeightSpec("w", (2, 3), "float32", Role.TRAINABLE),))
    assert template.sha256 == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    "other",
    [
        Template((replace(KERNEL, key="kernel"), MEAN, SEED)),
        Template((replace(KERNEL, shape=(3, 2)), MEAN, SEED)),
        Template((replace(KERNEL, dtype="float64"), MEAN, SEED)),
        Template((replace(KERNEL, role=Role.STATISTIC), MEAN, SEED)),
        Template((replace(KERNEL, omittable=True), MEAN, SEED)),
        Template((MEAN, KERNEL, SEED)),
        Template((KERNEL, MEAN)),
    ],
    ids=["key", "shape", "dtype", "role", "omittable", "order", "length"],
)
def test_a_template_that_differs_anywhere_has_another_hash(other: Template) -> None:
    assert other.sha256 != TEMPLATE.sha256


def without(field: str) -> dict[str, Any]:
    value = TEMPLATE.to_json()
    del value["weights"][0][field]
    return value


def with_field(field: str, content: Any) -> dict[str, Any]:
    value = TEMPLATE.to_json()
    value["weights"][0][field] = content
    return value


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"weights": 7},
        {"weights": ["w"]},
        {"weights": [[]]},
        *(without(field) for field in ("key", "shape", "dtype", "role", "omittable")),
        with_field("shape", 4),
        with_field("shape", ["many"]),
        with_field("role", "ornament"),
    ],
)
def test_what_is_no_template_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Template.from_json(value)


@pytest.mark.parametrize(
    ("field", "content"),
    [
        ("key", 5),
        ("shape", "34"),
        ("shape", [2.7, 3]),
        ("shape", [-1, 3]),
        ("shape", [float("inf")]),
        ("omittable", "no"),
    ],
)
def test_a_field_of_the_wrong_kind_is_refused_and_not_converted(field: str, content: Any) -> None:
    with pytest.raises(ValueError):
        Template.from_json(with_field(field, content))


def test_only_state_is_not_averaged() -> None:
    assert [spec.averaged for spec in TEMPLATE.weights] == [True, True, False]


def test_names_and_lists_map_by_position() -> None:
    arrays: list[Array] = [np.ones((2, 3)), np.zeros(3), np.array([1, 2])]
    named = TEMPLATE.named(arrays)
    assert list(named) == ["dense/kernel", "bn/moving_mean", "dropout/seed"]
    assert all(a is b for a, b in zip(TEMPLATE.listed(named, arrays), arrays, strict=True))


def test_what_is_absent_is_taken_from_the_other_list() -> None:
    kernel, other = np.ones((2, 3)), [np.zeros((2, 3)), np.full(3, 7.0), np.array([1, 2])]
    listed = TEMPLATE.listed({"dense/kernel": kernel}, other)
    assert listed[0] is kernel
    assert listed[1:] == other[1:]


def test_naming_a_list_of_another_length_is_an_error() -> None:
    with pytest.raises(ValueError):
        TEMPLATE.named([np.zeros(3)])


def test_the_weights_hash_is_that_of_their_little_endian_bytes_in_order() -> None:
    weights: list[Array] = [np.array([1.0, -2.0], np.float32), np.array([[1, 256]], np.uint16)]
    content = bytes.fromhex("0000803f000000c0") + bytes.fromhex("01000001")
    assert weights_sha256(weights) == hashlib.sha256(content).hexdigest()


def test_the_weights_hash_does_not_depend_on_memory_layout() -> None:
    plain = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    layouts: dict[str, Array] = {
        "fortran": np.asfortranarray(plain),
        "transposed": np.ascontiguousarray(plain.transpose(2, 0, 1)).transpose(1, 2, 0),
        "strided": np.repeat(plain, 2, axis=2)[:, :, ::2],
        "reversed": plain[::-1].copy()[::-1],
        "big-endian": plain.astype(">f4"),
        "read-only": np.frombuffer(plain.tobytes(), np.float32).reshape(plain.shape),
    }
    expected = weights_sha256([plain])
    for name, array in layouts.items():
        np.testing.assert_array_equal(array, plain)
        assert weights_sha256([array]) == expected, name


def test_a_transposed_matrix_has_the_hash_of_its_values_not_of_its_memory() -> None:
    matrix = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert weights_sha256([matrix.T]) == weights_sha256([matrix.T.copy()])
    assert weights_sha256([matrix.T]) != weights_sha256([matrix])


def test_the_weights_hash_takes_scalars_and_the_order_in() -> None:
    scalar, vector = np.array(3.0, np.float32), np.array([4.0], np.float32)
    content = scalar.tobytes() + vector.tobytes()
    assert weights_sha256([scalar, vector]) == hashlib.sha256(content).hexdigest()
    assert weights_sha256([vector, scalar]) != weights_sha256([scalar, vector])


def test_one_bit_changes_the_weights_hash() -> None:
    array = np.ones(5, np.float32)
    changed = array.copy()
    changed[3] = np.nextafter(np.float32(1), np.float32(2))
    assert weights_sha256([changed]) != weights_sha256([array])
