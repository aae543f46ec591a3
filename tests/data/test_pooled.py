"""Pooled data files: what an edge uploads is what the server reads, or is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecavg_tf.core.errors import WorkdirError
from ecavg_tf.core.messages.update_file import save_tensors
from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import DataSpec, Examples
from ecavg_tf.data.pooled import (
    bytes_taken,
    pooled_path,
    read_all_pooled,
    read_pooled,
    record_pooled,
    still_pooled,
    write_pooled,
)

EDGE = "edge-03"
GREY = DataSpec("grey", (2, 3, 1), "uint8", (0.0, 16.0), ("a", "b", "c"))
FLOAT = DataSpec("float", (2, 3, 1), "float32", (0.0, 1.0), ("a", "b", "c"))


def inputs(n: int = 4, dtype: str = "uint8") -> Array:
    """Numbered pixels: 0 to 15 as uint8, 0 to 1 as floats."""
    pixels = np.arange(n * 6).reshape(n, 2, 3, 1) % 16
    return (pixels if dtype == "uint8" else pixels / 16).astype(dtype)


def labels() -> Array:
    return np.array([2, 0, 1, 2], np.int64)


def refusal(folder: Path, spec: DataSpec = GREY, **changes: Any) -> str:
    """The text that a file with these changes is refused with."""
    path = folder / "pooled.safetensors"
    tensors = {"inputs": inputs(dtype=spec.dtype), "labels": labels()} | changes
    save_tensors(path, tensors, {"edge": EDGE})
    with pytest.raises(ValueError) as caught:
        read_pooled(path, EDGE, spec)
    return str(caught.value)


@pytest.mark.parametrize("spec", [GREY, FLOAT], ids=["uint8", "float32"])
def test_pooled_data_survives_the_file(tmp_path: Path, spec: DataSpec) -> None:
    path = tmp_path / "pooled.safetensors"
    examples = Examples(inputs(dtype=spec.dtype), labels())
    write_pooled(path, EDGE, examples)
    read = read_pooled(path, EDGE, spec)
    assert read.inputs.dtype == spec.dtype
    assert read.labels.dtype == np.int64
    np.testing.assert_array_equal(read.inputs, examples.inputs)
    np.testing.assert_array_equal(read.labels, examples.labels)


def test_images_of_any_memory_layout_survive(tmp_path: Path) -> None:
    path = tmp_path / "pooled.safetensors"
    stored = np.asfortranarray(inputs(8))[::2]
    write_pooled(path, EDGE, Examples(stored, labels()))
    np.testing.assert_array_equal(read_pooled(path, EDGE, GREY).inputs, inputs(8)[::2])


def test_the_same_examples_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_pooled(tmp_path / name, EDGE, Examples(inputs(), labels()))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_images_travel_in_their_own_dtype(tmp_path: Path) -> None:
    path = tmp_path / "pooled.safetensors"
    many = Examples(np.zeros((1000, 2, 3, 1), np.uint8), np.zeros(1000, np.int64))
    write_pooled(path, EDGE, many)
    assert path.stat().st_size < 1000 * (6 + 8) + 1000


def test_data_of_another_edge_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pooled.safetensors"
    write_pooled(path, "edge-04", Examples(inputs(), labels()))
    with pytest.raises(ValueError, match=f"not that of {EDGE}"):
        read_pooled(path, EDGE, GREY)


def test_data_without_a_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pooled.safetensors"
    save_tensors(path, {"inputs": inputs(), "labels": labels()}, {})
    with pytest.raises(ValueError, match=f"not that of {EDGE}"):
        read_pooled(path, EDGE, GREY)


@pytest.mark.parametrize("missing", ["inputs", "labels"])
def test_a_missing_array_is_refused(tmp_path: Path, missing: str) -> None:
    path = tmp_path / "pooled.safetensors"
    tensors = {"inputs": inputs(), "labels": labels()}
    del tensors[missing]
    save_tensors(path, tensors, {"edge": EDGE})
    with pytest.raises(ValueError, match=f"not that of {EDGE}"):
        read_pooled(path, EDGE, GREY)


def test_an_extra_array_is_refused(tmp_path: Path) -> None:
    assert f"not that of {EDGE}" in refusal(tmp_path, names=np.zeros(4))


@pytest.mark.parametrize(
    "shape", [(4, 3, 2, 1), (4, 2, 3, 3), (4, 2, 3), (4, 6), (24,), ()], ids=str
)
def test_images_of_another_shape_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    text = refusal(tmp_path, inputs=np.zeros(shape, np.uint8))
    assert text == f"its pooled examples are uint8{shape[1:]}, expected uint8(2, 3, 1)"


@pytest.mark.parametrize("dtype", ["int8", "uint16", "float32", "float64"])
def test_images_of_another_dtype_are_refused(tmp_path: Path, dtype: str) -> None:
    text = refusal(tmp_path, inputs=inputs().astype(dtype))
    assert text == f"its pooled examples are {dtype}(2, 3, 1), expected uint8(2, 3, 1)"


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros(3, np.int64),
        np.zeros(5, np.int64),
        np.zeros((4, 1), np.int64),
        np.zeros((), np.int64),
        np.zeros(4, np.int32),
        np.zeros(4, np.uint8),
        np.zeros(4, np.float64),
    ],
    ids=["too few", "too many", "two dimensions", "scalar", "int32", "uint8", "float64"],
)
def test_labels_that_do_not_fit_are_refused(tmp_path: Path, wrong: Array) -> None:
    text = refusal(tmp_path, labels=wrong)
    assert text == f"its pooled labels are {wrong.dtype.name}{wrong.shape}"


def test_an_empty_upload_is_refused(tmp_path: Path) -> None:
    text = refusal(tmp_path, inputs=inputs(0), labels=np.zeros(0, np.int64))
    assert text == "its pooled labels are int64(0,)"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [([0, 1, 2, 3], "from 0 to 3"), ([-1, 0, 1, 2], "from -1 to 2")],
    ids=["above", "below"],
)
def test_labels_out_of_range_are_refused(tmp_path: Path, wrong: list[int], words: str) -> None:
    text = refusal(tmp_path, labels=np.array(wrong, np.int64))
    assert text == f"its pooled labels run {words}, expected 0 to 2"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_images_that_are_not_finite_are_refused(tmp_path: Path, value: float) -> None:
    wrong = inputs(dtype="float32")
    wrong[2, 1, 1, 0] = value
    assert (
        refusal(tmp_path, FLOAT, inputs=wrong) == "its pooled examples hold NaN or infinite values"
    )


@pytest.mark.parametrize(
    ("spec", "value"), [(GREY, 17), (FLOAT, 1.5), (FLOAT, -0.5)], ids=["grey", "above", "below"]
)
def test_images_outside_the_declared_value_range_are_refused(
    tmp_path: Path, spec: DataSpec, value: float
) -> None:
    """An edge that rescaled its examples would otherwise spoil the fine-tuning unseen."""
    wrong = inputs(dtype=spec.dtype)
    wrong[2, 1, 1, 0] = value
    refusal(tmp_path, spec, inputs=wrong)


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x00" * 200])
def test_garbage_is_refused_by_file_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "pooled.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"pooled\.safetensors is not a file of ours"):
        read_pooled(path, EDGE, GREY)


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pooled.safetensors"
    write_pooled(path, EDGE, Examples(inputs(), labels()))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"pooled\.safetensors is not a file of ours"):
        read_pooled(path, EDGE, GREY)


def test_what_edges_have_pooled_comes_in_the_order_of_the_edges(tmp_path: Path) -> None:
    edges = ("south", EDGE, "north")
    assert read_all_pooled(tmp_path, edges, GREY) is None
    for edge, label in (("north", 1), ("south", 2)):
        examples = Examples(inputs(1), np.array([label], np.int64))
        write_pooled(pooled_path(tmp_path, edge), edge, examples)
    pooled = read_all_pooled(tmp_path, edges, GREY)
    assert pooled is not None
    assert pooled.labels.tolist() == [2, 1]


def test_a_damaged_file_that_was_taken_before_is_named(tmp_path: Path) -> None:
    path = pooled_path(tmp_path, EDGE)
    write_pooled(path, EDGE, Examples(inputs(), labels()))
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(WorkdirError, match=rf"{path.name} is damaged .*; restore it, or begin"):
        read_all_pooled(tmp_path, (EDGE,), GREY)


def taken(folder: Path) -> None:
    for number, edge in ((1, "edge-00"), (2, "edge-01")):
        write_pooled(pooled_path(folder, edge), edge, Examples(inputs(), labels()))
        record_pooled(folder, (edge,), number)


def test_pooled_data_that_is_not_what_was_taken_is_named(tmp_path: Path) -> None:
    taken(tmp_path)
    edges = ("edge-00", "edge-01", "edge-02")
    pooled = read_all_pooled(tmp_path, edges, GREY)
    assert pooled is not None
    assert len(pooled) == 2 * len(inputs())
    path = pooled_path(tmp_path, "edge-01")
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))  # a label is another now
    line = r"edge-01\.safetensors is damaged \(its bytes .*\); restore it, or begin again"
    with pytest.raises(WorkdirError, match=line):
        read_all_pooled(tmp_path, edges, GREY)
    assert still_pooled(tmp_path, edges) == {"edge-00"}
    path.unlink()
    with pytest.raises(WorkdirError, match=r"edge-01\.safetensors is damaged \(it is missing\)"):
        read_all_pooled(tmp_path, edges, GREY)


def test_what_a_round_took_is_counted_after_a_restart_too(tmp_path: Path) -> None:
    taken(tmp_path)
    sizes = [pooled_path(tmp_path, edge).stat().st_size for edge in ("edge-00", "edge-01")]
    assert [bytes_taken(tmp_path, number) for number in (1, 2, 3)] == [*sizes, 0]


@pytest.mark.parametrize("record", ["[]", '{"edge-00": 5}', '{"edge-00": {"round": 1}}', "{"])
def test_a_damaged_record_says_what_to_do(tmp_path: Path, record: str) -> None:
    taken(tmp_path)
    (tmp_path / "taken.json").write_text(record)
    with pytest.raises(WorkdirError, match=r"taken\.json is .*restore it"):
        still_pooled(tmp_path, ("edge-00",))
