"""Update files: same bytes for the same update, and every reason to refuse one."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from updates_for_tests import (
    EDGE,
    INFO,
    ROUND,
    TEMPLATE,
    check,
    foreign_file,
    metadata,
    refusal,
    sound_weights,
)

from ecavg_tf.core.errors import UpdateRefused
from ecavg_tf.core.messages.update_file import (
    MAX_EXAMPLES,
    TensorFile,
    Update,
    UpdateInfo,
    save_tensors,
    write_update,
)
from ecavg_tf.core.template import Role, Template


def test_an_update_survives_the_file(tmp_path: Path) -> None:
    path = tmp_path / "update.safetensors"
    write_update(path, INFO, sound_weights())
    update = Update(path)
    check(update)
    assert update.info == INFO
    assert update.keys == set(sound_weights())
    for spec, array in update.items(TEMPLATE):
        expected = sound_weights()[spec.key]
        assert (array.dtype, array.shape) == (expected.dtype, expected.shape)
        assert array.tobytes() == expected.tobytes()


def test_weights_are_read_in_template_order(tmp_path: Path) -> None:
    path = tmp_path / "update.safetensors"
    write_update(path, INFO, sound_weights())
    assert [spec for spec, _ in Update(path).items(TEMPLATE)] == list(TEMPLATE.weights)


def test_the_same_update_gives_the_same_bytes_whatever_the_order_of_dicts(tmp_path: Path) -> None:
    info = replace(INFO, metrics={"b": {"y": 1, "x": 2.5}, "a": None})
    other = replace(INFO, metrics={"a": None, "b": {"x": 2.5, "y": 1}})
    weights = sound_weights()
    contents = set()
    for number in range(4):
        path = tmp_path / f"{number}.safetensors"
        if number % 2:
            write_update(path, other, dict(reversed(weights.items())))
        else:
            write_update(path, info, weights)
        contents.add(path.read_bytes())
    assert len(contents) == 1


@pytest.mark.parametrize(
    "info",
    [
        replace(INFO, round=4),
        replace(INFO, edge="edge-08"),
        replace(INFO, examples=7),
        replace(INFO, class_counts=(1, 3, 2)),
        replace(INFO, template_sha256="0" * 64),
        replace(INFO, metrics={}),
    ],
    ids=["round", "edge", "examples", "class_counts", "template_sha256", "metrics"],
)
def test_every_field_of_the_metadata_is_in_the_file(tmp_path: Path, info: UpdateInfo) -> None:
    path = tmp_path / "update.safetensors"
    write_update(path, info, sound_weights())
    assert Update(path).info == info


def test_any_memory_layout_survives(tmp_path: Path) -> None:
    plain = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    arrays = {
        "transposed": plain.T,
        "fortran": np.asfortranarray(plain),
        "strided": plain[:, ::2, 1:3],
        "reversed": plain[::-1],
        "broadcast": np.broadcast_to(np.float32(3), (2, 2)),
        "big-endian": plain.astype(">f4"),
        "scalar": np.array(3.5, np.float32),
        "integer scalar": np.array(7),
        "empty": np.zeros((0, 3), np.float32),
    }
    path = tmp_path / "arrays.safetensors"
    save_tensors(path, arrays, {})
    stored = TensorFile(path)
    for key, array in arrays.items():
        assert stored[key].shape == array.shape, key
        assert stored[key].dtype == array.dtype.newbyteorder("="), key
        np.testing.assert_array_equal(stored[key], array, err_msg=key)


def test_saving_does_not_change_the_arrays(tmp_path: Path) -> None:
    array = np.arange(6.0).reshape(2, 3).T
    save_tensors(tmp_path / "a.safetensors", {"a": array}, {})
    assert array.flags.f_contiguous
    np.testing.assert_array_equal(array, [[0, 3], [1, 4], [2, 5]])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_metric_that_json_has_no_word_for_is_refused_and_nothing_is_written(
    tmp_path: Path, value: float
) -> None:
    info = replace(INFO, metrics={"local": {"loss": value}})
    with pytest.raises(ValueError):
        write_update(tmp_path / "update.safetensors", info, sound_weights())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_foreign_metric_that_is_not_finite_is_refused(tmp_path: Path, text: str) -> None:
    """It would otherwise end the run when results.json is written."""
    fields = json.dumps(metadata(metrics={"local": {"all": {"loss": 0.125}}}))
    path = foreign_file(tmp_path / "update.safetensors", fields.replace("0.125", text))
    with pytest.raises(ValueError, match=r"update\.safetensors"):
        Update(path)


@pytest.mark.parametrize(
    ("key", "position", "value"),
    [
        ("kernel", (1, 2), np.nan),
        ("kernel", (0, 0), np.inf),
        ("gain", (), np.nan),
        ("moving_mean", (2,), -np.inf),
    ],
)
def test_a_value_that_is_not_finite_is_refused(
    tmp_path: Path, key: str, position: tuple[int, ...], value: float
) -> None:
    weights = sound_weights()
    weights[key][position] = value
    reason = refusal(tmp_path, weights)
    assert f"weight {key} has 1 of {weights[key].size} values that are NaN or infinite" in reason
    assert "learning rate" in reason


@pytest.mark.parametrize(
    ("key", "shape"),
    [
        ("kernel", (3, 2)),
        ("kernel", (6,)),
        ("kernel", (1, 2, 3)),
        ("kernel", (0, 3)),
        ("gain", (1,)),
        ("moving_mean", (1,)),
        ("seed", ()),
    ],
)
def test_a_wrong_shape_is_refused_even_where_it_would_broadcast(
    tmp_path: Path, key: str, shape: tuple[int, ...]
) -> None:
    weights = sound_weights()
    weights[key] = np.ones(shape, weights[key].dtype)
    expected = sound_weights()[key].shape
    assert refusal(tmp_path, weights) == f"weight {key} has shape {shape}, expected {expected}"


@pytest.mark.parametrize(
    ("key", "dtype", "expected"),
    [
        ("kernel", "float64", "float32"),
        ("kernel", "float16", "float32"),
        ("kernel", "int32", "float32"),
        ("gain", "float64", "float32"),
        ("moving_mean", "bool", "float32"),
        ("seed", "int32", "uint32"),
        ("seed", "float32", "uint32"),
    ],
)
def test_a_wrong_dtype_is_refused(tmp_path: Path, key: str, dtype: str, expected: str) -> None:
    weights = sound_weights()
    weights[key] = weights[key].astype(dtype)
    assert refusal(tmp_path, weights) == f"weight {key} has dtype {dtype}, expected {expected}"


@pytest.mark.parametrize(
    ("dtype", "size"),
    [("BF16", 2), ("F8_E4M3", 1), ("F8_E5M2", 1), ("F8_E8M0", 1), ("C64", 8), ("I8", 1)],
)
def test_a_dtype_that_numpy_may_not_know_is_refused(tmp_path: Path, dtype: str, size: int) -> None:
    tensors = {
        "kernel": (dtype, [2, 3], bytes(6 * size)),
        "gain": ("F32", [], bytes(4)),
        "seed": ("U32", [2], bytes(8)),
    }
    path = foreign_file(tmp_path / "update.safetensors", json.dumps(metadata()), tensors)
    with pytest.raises(UpdateRefused) as caught:
        check(Update(path))
    assert caught.value.edge == EDGE
    assert "kernel" in caught.value.reason


@pytest.mark.parametrize("key", ["kernel", "gain", "seed"])
def test_a_missing_weight_is_refused(tmp_path: Path, key: str) -> None:
    weights = sound_weights()
    del weights[key]
    assert refusal(tmp_path, weights) == f"its update lacks weight '{key}'"


def test_several_missing_weights_are_counted(tmp_path: Path) -> None:
    reason = refusal(tmp_path, {"moving_mean": np.ones(3, np.float32)})
    assert reason == "its update lacks weight 'gain' and 2 more"


def test_an_omittable_weight_may_be_missing(tmp_path: Path) -> None:
    weights = sound_weights()
    del weights["moving_mean"]
    path = tmp_path / "update.safetensors"
    write_update(path, INFO, weights)
    update = Update(path)
    check(update)
    assert [spec.key for spec, _ in update.items(TEMPLATE)] == ["kernel", "gain", "seed"]


def test_an_extra_weight_is_refused(tmp_path: Path) -> None:
    weights = sound_weights() | {"kernel#2": np.ones(1, np.float32)}
    assert refusal(tmp_path, weights) == "its update has extra weight 'kernel#2'"


@pytest.mark.parametrize(
    ("info", "words"),
    [
        (replace(INFO, examples=0, class_counts=(0, 0, 0)), "counts must be positive"),
        (replace(INFO, examples=-6, class_counts=(-1, -2, -3)), "counts must be positive"),
        (replace(INFO, examples=6, class_counts=(-1, 4, 3)), "counts must be positive"),
        (
            replace(INFO, examples=MAX_EXAMPLES + 1, class_counts=(0, 0, MAX_EXAMPLES + 1)),
            str(MAX_EXAMPLES + 1),
        ),
        (replace(INFO, examples=7), "class counts sum to 6, it says 7 examples"),
        (replace(INFO, class_counts=(1, 5)), "it counts 2 classes, the run has 3"),
        (replace(INFO, class_counts=(1, 2, 3, 0)), "it counts 4 classes, the run has 3"),
        (replace(INFO, class_counts=()), "it counts 0 classes, the run has 3"),
        (replace(INFO, round=ROUND - 1), "update of round 2, this is round 3"),
        (replace(INFO, round=ROUND + 1), "update of round 4, this is round 3"),
        (replace(INFO, edge="edge-08"), "its update names edge 'edge-08'"),
        (replace(INFO, template_sha256="0" * 64), "its update was made for another template"),
    ],
    ids=[
        "zero examples",
        "negative examples",
        "negative class count",
        "more examples than float64 counts",
        "wrong sum",
        "too few classes",
        "too many classes",
        "no classes",
        "yesterday's round",
        "tomorrow's round",
        "another edge",
        "another template",
    ],
)
def test_metadata_that_does_not_fit_is_refused(
    tmp_path: Path, info: UpdateInfo, words: str
) -> None:
    assert words in refusal(tmp_path, sound_weights(), info)


def test_the_largest_exact_count_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "update.safetensors"
    info = replace(INFO, examples=MAX_EXAMPLES, class_counts=(0, 0, MAX_EXAMPLES))
    write_update(path, info, sound_weights())
    check(Update(path))


def test_a_template_that_differs_in_a_role_alone_is_another_template(tmp_path: Path) -> None:
    kernel, *others = TEMPLATE.weights
    template = Template((replace(kernel, role=Role.STATISTIC), *others))
    assert "another template" in refusal(tmp_path, sound_weights(), template=template)
