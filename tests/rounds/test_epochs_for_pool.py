"""A small pool that is trained on for as many steps as a large one: bits, and what is foreseen."""

from collections.abc import Callable
from pathlib import Path

import pytest

import ecavg_tf
from ecavg_tf.config import Config, PoolEpochs
from ecavg_tf.events import Event, RunPlanned, Trained


@pytest.mark.parametrize("pooled_only", [False, True])
def test_it_is_a_run_with_more_epochs(
    small: Callable[[], Config], tmp_path: Path, pooled_only: bool
) -> None:
    full, more = small(), small()
    for config in (full, more):
        config.server.pool_fraction = 0.25
        config.baseline.pooled = pooled_only
    full.server.epochs_for_pool = PoolEpochs.FULL
    heard: list[Event] = []
    found = ecavg_tf.run(full, tmp_path / "full", listener=heard.append)
    more.server.epochs = 8  # 2 of everything, of which a quarter is pooled
    expected = ecavg_tf.run(more, tmp_path / "more")
    one, two = (each.rounds[0].server for each in (found, expected))
    assert one.global_.weights_sha256 == two.global_.weights_sha256
    if pooled_only:
        assert found.pooled_only is not None
        assert expected.pooled_only is not None
        assert found.pooled_only.epochs == expected.pooled_only.epochs == 8
        assert found.pooled_only.weights_sha256 == expected.pooled_only.weights_sha256
    (planned,) = (event for event in heard if isinstance(event, RunPlanned))
    assert planned.examples == sum(e.examples for e in heard if isinstance(e, Trained))
