"""A small pool, trained on for as many examples as a large one: bits, and what is foreseen."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import ecavg_tf
from ecavg_tf.config import Config, PartitionKind, PoolEpochs
from ecavg_tf.events import EpochEnded, Event, RunPlanned, Trained


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
    assert foreseen(heard) == trained(heard)


def test_where_edges_take_turns_a_round_counts_its_own(
    small: Callable[[], Config], tmp_path: Path
) -> None:
    config = small()
    config.partition.kind = PartitionKind.IID
    config.partition.num_edges, config.edges_per_round, config.rounds = 4, 1, 3
    config.server.pool_fraction, config.baseline.pooled = 0.25, True
    config.server.epochs_for_pool = PoolEpochs.FULL
    heard: list[Event] = []
    results = ecavg_tf.run(config, tmp_path / "run", listener=heard.append)
    server = [e.round for e in heard if isinstance(e, EpochEnded) and e.who == "server"]
    # An edge has 40 examples, and 2 epochs of it are 80. In rounds 1, 2 and 3 there are 10, 20 and
    # 30 in the pool; the baseline has the last of these pools in every round.
    assert [server.count(number) for number in (1, 2, 3)] == [8 + 3, 4 + 3, 3 + 3]
    assert results.pooled_only is not None
    assert results.pooled_only.epochs == 9
    assert trained(heard) == pytest.approx(foreseen(heard), rel=0.1)


def foreseen(heard: Sequence[Event]) -> int:
    (planned,) = (event for event in heard if isinstance(event, RunPlanned))
    return planned.examples


def trained(heard: Sequence[Event]) -> int:
    return sum(event.examples for event in heard if isinstance(event, Trained))
