"""Update files: same bytes for the same update, and every reason to refuse one."""

import json
import pickle
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecavg_tf.core.errors import UpdateRefused
from ecavg_tf.core.template import Array, Role, Template, WeightSpec
from ecavg_tf.core.update_file import (
    MAX_EXAMPLES,
    TensorFile,
    Update,
    UpdateInfo,
    check_update,
    save_tensors,
    write_update,
)

TEMPLATE = Template(
    (
        WeightSpec("kernel", (2, 3), "float32", Role.TRAINABLE),
        WeightSpec("gain", (), "float32", Role.TRAINABLE),
        WeightSpec("moving_mean", (3,), "float32", Role.STATISTIC, omittable=True),
        WeightSpec("seed", (2,), "uint32", Role.STATE),
    )
)
EDGE, ROUND, CLASSES = "edge-07", 3, 3
INFO = UpdateInfo(
    round=ROUND,
    edge=EDGE,
    examples=6,
    class_counts=(1, 2, 3),
    template_sha256=TEMPLATE.sha256,
    metrics={"local": {"all": {"accuracy": 0.5, "loss": 1.25, "n": 10}}},
)


def sound_weights() -> dict[str, Array]:
    return {
        "kernel": np.arange(6, dtype=np.float32).reshape(2, 3),
        "gain": np.array(2.5, np.float32),
        "moving_mean": np.ones(3, np.float32),
        "seed": np.array([1, 2], np.uint32),
    }


def check(update: Update, template: Template = TEMPLATE) -> None:
    check_update(update, template, edge=EDGE, round_number=ROUND, num_classes=CLASSES)


def refusal(
    folder: Path, weights: dict[str, Array], info: UpdateInfo = INFO, template: Template = TEMPLATE
) -> str:
    """The text an update is refused with; an update that passes fails the test."""
    path = folder / "update.safetensors"
    write_update(path, info, weights)
    with pytest.raises(UpdateRefused) as caught:
        check(Update(path), template)
    assert caught.value.edge == EDGE
    assert str(caught.value) == f"{EDGE}: {caught.value.reason}"
    assert "\n" not in caught.value.reason
    return caught.value.reason


def foreign_file(
    path: Path, metadata: str, tensors: dict[str, tuple[str, list[int], bytes]] | None = None
) -> Path:
    """Writes a safetensors file byte by byte, as a foreign program may."""
    header: dict[str, Any] = {"__metadata__": {"ecavg": metadata}}
    body = b""
    for key, (dtype, shape, content) in (tensors or {}).items():
        offsets = [len(body), len(body) + len(content)]
        header[key] = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
        body += content
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)
    return path


def metadata(**changes: Any) -> dict[str, Any]:
    return {
        "round": ROUND,
        "edge": EDGE,
        "examples": 6,
        "class_counts": [1, 2, 3],
        "template_sha256": TEMPLATE.sha256,
        "metrics": {},
    } | changes


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


@pytest.mark.parametrize(
    "changes",
    [
        {"round": "3"},
        {"round": True},
        {"round": 3.0},
        {"round": None},
        {"examples": 6.5},
        {"examples": True},
        {"class_counts": "123"},
        {"class_counts": 6},
        {"class_counts": [1, 2.0, 3]},
        {"class_counts": [1, True, 3]},
        {"class_counts": {"0": 6}},
        {"metrics": 5},
        {"metrics": None},
    ],
)
def test_metadata_of_the_wrong_kind_is_refused_by_file_name(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    path = foreign_file(tmp_path / "update.safetensors", json.dumps(metadata(**changes)))
    with pytest.raises(ValueError, match=r"update\.safetensors"):
        Update(path)


@pytest.mark.parametrize("field", sorted(metadata()))
def test_a_missing_field_is_refused_and_named(tmp_path: Path, field: str) -> None:
    fields = metadata()
    del fields[field]
    path = foreign_file(tmp_path / "update.safetensors", json.dumps(fields))
    with pytest.raises(ValueError, match=field):
        Update(path)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '"text"', "\x00", '{"round": ' + "1" * 5000 + "}"]
)
def test_metadata_that_is_no_json_object_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError):
        Update(foreign_file(tmp_path / "update.safetensors", text))


def test_metadata_that_is_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    """One edge's strange file must not stop the round with another kind of error."""
    text = '{"metrics": ' + "[" * 100_000 + "]" * 100_000 + "}"
    with pytest.raises(ValueError):
        Update(foreign_file(tmp_path / "update.safetensors", text))


def test_a_safetensors_file_without_our_metadata_is_refused(tmp_path: Path) -> None:
    header = b'{"w":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'
    path = tmp_path / "update.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(ValueError, match=r"update\.safetensors is not a file of ours"):
        Update(path)


def test_a_file_cut_short_anywhere_is_refused(tmp_path: Path) -> None:
    whole = tmp_path / "whole.safetensors"
    write_update(whole, INFO, sound_weights())
    content = whole.read_bytes()
    cut = tmp_path / "cut.safetensors"
    for length in range(len(content)):
        cut.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"cut\.safetensors is not a file of ours"):
            Update(cut)


def test_a_file_with_bytes_after_its_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "update.safetensors"
    write_update(path, INFO, sound_weights())
    path.write_bytes(path.read_bytes() + b"\x00")
    with pytest.raises(ValueError, match=r"update\.safetensors"):
        Update(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"garbage", b"\xff" * 200, b"\x00" * 200, b"PK\x03\x04" + b"\x00" * 200, b"{}" * 100],
)
def test_garbage_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "update.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"update\.safetensors is not a file of ours"):
        Update(path)


class Marker:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_pickled_file_is_refused_and_not_run(tmp_path: Path) -> None:
    path, marker = tmp_path / "update.safetensors", tmp_path / "marker"
    path.write_bytes(pickle.dumps(Marker(marker)))
    with pytest.raises(ValueError, match="not a file of ours"):
        Update(path)
    assert not marker.exists()
    pickle.loads(path.read_bytes())
    assert marker.exists(), "the file was harmless, so the test showed nothing"


def test_a_pickled_array_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "update.safetensors"
    with path.open("wb") as stream:
        np.save(stream, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="not a file of ours"):
        Update(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.safetensors"):
        Update(tmp_path / "none.safetensors")
    with pytest.raises(ValueError):
        Update(tmp_path)


def test_asking_for_a_weight_that_is_not_there_is_a_value_error(tmp_path: Path) -> None:
    path = tmp_path / "update.safetensors"
    write_update(path, INFO, sound_weights())
    with pytest.raises(ValueError, match=r"update\.safetensors, nothing"):
        Update(path)["nothing"]
