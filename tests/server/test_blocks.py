"""What needs all updates at once holds a piece of each in memory, whatever their sizes."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ecavg_tf.core.messages.update_file import Update, UpdateInfo, write_update
from ecavg_tf.core.template import Array, Role, Template, WeightSpec
from server import geometry
from server.geometry import blocks, inner_products
from server.robust import combined_by, median_of

SHAPE = (40, 50)
TEMPLATE = Template(
    (
        WeightSpec("kernel", SHAPE, "float32", Role.TRAINABLE),
        WeightSpec("scale", (), "float32", Role.TRAINABLE, omittable=True),
    )
)
COUNT = 30


@pytest.fixture(name="kernels")
def _kernels() -> Array:
    return np.random.default_rng(0).normal(size=(COUNT, *SHAPE)).astype(np.float32)


@pytest.fixture(name="sent")
def _sent(tmp_path: Path, kernels: Array) -> list[Update]:
    """Every other one leaves out the scalar."""
    made = []
    for at, kernel in enumerate(kernels):
        info = UpdateInfo(1, f"{at:02d}", 1, (1,), TEMPLATE.sha256, {})
        scale = {"scale": np.asarray(at, np.float32)} if at % 2 else {}
        write_update(tmp_path / f"{at:02d}", info, {"kernel": kernel, **scale})
        made.append(Update(tmp_path / f"{at:02d}"))
    return made


BASE: list[Array] = [np.full(SHAPE, 0.5, np.float32), np.asarray(np.float32(2.0))]


@pytest.mark.parametrize("most", [1, 7 * COUNT, 2**22])
def test_pieces_add_up(
    sent: list[Update], kernels: Array, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(geometry, "_BLOCK", most)
    changes = (kernels.astype(np.float64) - 0.5).reshape(COUNT, -1)
    scales = np.array([at - 2.0 if at % 2 else 0.0 for at in range(COUNT)])
    expected = changes @ changes.T + np.outer(scales, scales)
    np.testing.assert_allclose(inner_products(sent, TEMPLATE, BASE), expected, rtol=1e-12)
    kernel, scale = combined_by(median_of, sent, TEMPLATE, BASE)
    np.testing.assert_array_equal(kernel, np.median(kernels.astype(np.float64), axis=0).astype("f"))
    assert scale.shape == ()
    assert scale == 15.0  # of 1, 3, …, 29; those that left it out have no say
    np.testing.assert_array_equal(BASE[0], 0.5)


def test_pieces_follow_one_another() -> None:
    assert list(blocks(2**22 + 2, 2)) == [(0, 2**21), (2**21, 2**22), (2**22, 2**22 + 2)]
    assert list(blocks(1, 2)) == [(0, 1)]
    assert list(blocks(0, 2)) == []


def test_no_piece_has_a_single_value() -> None:
    """numpy adds up a column alone in another order: its last bit would depend on the pieces."""
    assert list(blocks(2**22 + 1, 2)) == [(0, 2**21), (2**21, 2**22 + 1)]
    assert list(blocks(5, 2**23)) == [(0, 2), (2, 5)]


@pytest.mark.parametrize(
    "combine",
    [inner_products, lambda *given: combined_by(median_of, *given)],
    ids=["products", "median"],
)
def test_memory_is_a_piece_of_each(
    sent: list[Update], combine: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = 8 * COUNT * SHAPE[0] * SHAPE[1]  # bytes of all kernels in float64: 480 kB
    combine(sent, TEMPLATE, BASE)  # what is imported on first use counts no more
    peaks = []
    for most in (2**22, 2**10):
        monkeypatch.setattr(geometry, "_BLOCK", most)
        tracemalloc.start()
        combine(sent, TEMPLATE, BASE)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[0] > whole  # all in one piece
    assert peaks[1] < whole / 5
