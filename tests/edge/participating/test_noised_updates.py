"""What an edge sends, and what it keeps, where its updates have noise."""

import stat
from pathlib import Path

import pytest
from screen_for_tests import BASE, TEMPLATE
from worker_for_tests import new_worker

from ecavg_tf.core.errors import WorkdirError
from ecavg_tf.core.messages.request import EXCHANGE, Request, Shipped
from ecavg_tf.core.messages.update_file import Update
from edge.participating.store import EdgeStore


def answered(folder: Path, *, simulated: bool = False, **fields: float) -> bytes:
    """The bytes of the update of an edge that never answered before."""
    worker = new_worker(folder, simulated=simulated, **fields)
    update = worker.answer(Request(EXCHANGE, "run", 1, TEMPLATE, Shipped(BASE))).update
    assert update is not None
    return update.read_bytes()


def kernel(path: Path) -> list[float]:
    weights: list[float] = Update(path)["kernel"].tolist()
    return weights


def test_a_clipped_update_is_sent_and_the_local_model_is_kept(tmp_path: Path) -> None:
    answered(tmp_path, dp_clip=2.5)
    store = EdgeStore(tmp_path, "a", "run")
    assert kernel(store.update_path(1)) == [4.5, 6.0]
    local = store.last_update(before=2)
    assert local == store.local_path(1)
    assert kernel(local) == [6.0, 8.0]
    local.write_bytes(local.read_bytes()[:-1] + b"x")
    with pytest.raises(WorkdirError, match=r"local-0001.safetensors is missing or damaged"):
        store.last_update(before=2)


def test_without_clipping_nothing_more_is_kept(tmp_path: Path) -> None:
    answered(tmp_path)
    store = EdgeStore(tmp_path, "a", "run")
    assert store.last_update(before=2) == store.update_path(1)
    assert kernel(store.update_path(1)) == [6.0, 8.0]
    assert not store.local_path(1).exists()
    assert not (tmp_path / "noise.key").exists()


def test_a_killed_edge_sends_the_same_noise_and_no_other_edge_can_draw_it(tmp_path: Path) -> None:
    first = answered(tmp_path / "here", dp_clip=2.5, dp_noise_multiplier=1.0)
    key = tmp_path / "here" / "noise.key"
    assert len(key.read_bytes()) == 32
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    (tmp_path / "here" / "reply-0001.json").unlink()  # killed before it had answered
    assert answered(tmp_path / "here", dp_clip=2.5, dp_noise_multiplier=1.0) == first
    assert answered(tmp_path / "there", dp_clip=2.5, dp_noise_multiplier=1.0) != first
    key.write_bytes(b"short")
    (tmp_path / "here" / "reply-0001.json").unlink()
    with pytest.raises(WorkdirError, match="it has 5 bytes, expected 32"):
        answered(tmp_path / "here", dp_clip=2.5, dp_noise_multiplier=1.0)


def test_a_simulation_can_be_repeated(tmp_path: Path) -> None:
    fields = {"dp_clip": 2.5, "dp_noise_multiplier": 1.0}
    one, again = (answered(tmp_path / name, simulated=True, **fields) for name in "ab")
    assert one == again
    assert not (tmp_path / "a" / "noise.key").exists()
