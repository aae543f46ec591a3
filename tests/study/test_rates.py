"""Rates are chosen on examples that neither the server nor an edge trains on meanwhile."""

import copy
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ecavg_tf.config import Config
from ecavg_tf.data.dataset import DataSpec, EdgeData, Examples
from ecavg_tf.study.arms import arm_of
from ecavg_tf.study.ground import Ground, Machine
from ecavg_tf.study.rates import Trials, Tried, chosen

SPEC = DataSpec("grey", (2, 2, 1), "uint8", (0.0, 255.0), ("a", "b"))


def examples(first: int, count: int) -> Examples:
    """Each with a number of its own in its first value."""
    inputs = np.zeros((count, 2, 2, 1), np.uint8)
    inputs[:, 0, 0, 0] = first + np.arange(count)
    return Examples(inputs, np.arange(count, dtype=np.int64) % 2)


def numbers(found: Examples | None) -> NDArray[np.int64]:
    assert found is not None
    return np.sort(found.inputs[:, 0, 0, 0].astype(np.int64))


@pytest.fixture(name="ground")
def _ground(tmp_path: Path) -> Ground:
    config = Config()
    config.model.name = "mlp"
    config.edge.epochs = config.server.epochs = 1
    edges = {
        name: EdgeData(name, examples(at, count), examples(200 + at, 4))
        for name, at, count in (("edge-00", 0, 80), ("edge-01", 100, 60))
    }
    return Ground(config, SPEC, edges, Machine(tmp_path), tmp_path / "shared")


@pytest.mark.parametrize("share", [1.0, 0.5, 0.25])
def test_nobody_trains_on_what_judges(ground: Ground, share: float) -> None:
    ground.config.server.pool_fraction = share
    trial = Trials(ground).trial(ground.config)
    assert trial is not None
    pooled, judging = numbers(ground.pooled(ground.config)), numbers(trial.held_out)
    assert len(judging) == round(0.1 * share * 140)
    assert sorted([*judging, *numbers(trial.pool)]) == sorted(pooled)
    trained = np.concatenate([numbers(data.train) for data in trial.ground.edges.values()])
    everything = np.concatenate([numbers(data.train) for data in ground.edges.values()])
    assert sorted([*judging, *trained]) == sorted(everything)
    assert [data.guard for data in trial.ground.edges.values()] == [
        data.guard for data in ground.edges.values()
    ]


def test_every_class_judges_though_each_edge_has_few_examples_of_it(
    ground: Ground, tmp_path: Path
) -> None:
    labels = np.repeat(np.arange(10), 2)  # of 20 edges each, with 2 of each of 10 classes
    edges = {
        name: EdgeData(name, Examples(np.zeros((20, 2, 2, 1), np.uint8), labels), examples(0, 1))
        for name in (f"edge-{at:02d}" for at in range(20))
    }
    many = Ground(
        ground.config,
        DataSpec("grey", (2, 2, 1), "uint8", (0.0, 255.0), tuple("abcdefghij")),
        edges,
        Machine(tmp_path),
        tmp_path / "many",
    )
    ground.config.server.pool_fraction = 0.5
    trial = Trials(many).trial(ground.config)
    assert trial is not None
    assert len(trial.held_out) == 20
    assert set(trial.held_out.labels.tolist()) == set(range(10))


def test_two_shares_have_two_trials(ground: Ground) -> None:
    trials, config = Trials(ground), copy.deepcopy(ground.config)
    config.server.pool_fraction = 0.5
    one, other = trials.trial(ground.config), trials.trial(config)
    assert one is not None and other is not None
    assert len(one.held_out) == 2 * len(other.held_out)
    assert trials.trial(config) is other


def test_the_place_itself_keeps_its_models(ground: Ground) -> None:
    trials = Trials(ground)
    before = ground.models(ground.updates(ground.initial, 1))
    tried = trials.tried(arm_of("published"), ground.config, (1.0, 0.0))
    assert len(tried.means) == 2
    assert tried.held_out == 14
    assert tried.samples == 2 * (140 - 14 + 14)  # of two rates: one epoch, and what is judged
    after = ground.models(ground.updates(ground.initial, 1))
    for edge, weights in before.items():
        for mine, its in zip(weights, after[edge], strict=True):
            np.testing.assert_array_equal(mine, its)


def test_an_interrupted_trial_is_found_again_by_its_own_share_alone(ground: Ground) -> None:
    """The edges' models of one share must not be taken for those of another."""
    config, arm = copy.deepcopy(ground.config), arm_of("published")
    config.server.pool_fraction = 0.5
    alone = Trials(ground)
    expected = alone.tried(arm, config, (1.0, 3.0))
    alone.forget()
    Trials(ground).tried(arm, ground.config, (1.0, 3.0))  # and nobody forgets what it made
    assert Trials(ground).tried(arm, config, (1.0, 3.0)) == expected


def test_all_examples_that_judged_count_alike() -> None:
    # In sum: first rate 10 * -1.0 + 30 * -1.2 = -46, second 10 * -1.5 + 30 * -1.0 = -45.
    tries = [Tried((-1.0, -1.5), 10, 7), Tried((-1.2, -1.0), 30, 7)]
    assert chosen(tries, (1.0, 0.3)) == 0.3
    assert chosen(tries[:1], (1.0, 0.3)) == 1.0


def test_a_rate_that_diverges_once_is_not_chosen() -> None:
    tries = [Tried((-1.0, -9.0), 10, 7), Tried((None, -9.0), 10, 7)]
    assert chosen(tries, (1.0, 0.3)) == 0.3
    assert chosen([Tried((None, None), 10, 7)], (1.0, 0.3)) == 1.0


def test_without_an_example_to_spare_the_first_rate_stays(ground: Ground) -> None:
    few = ground.with_edges({"edge-00": EdgeData("edge-00", examples(0, 1), examples(9, 1))}, "few")
    tried = Trials(few).tried(arm_of("ours"), few.config, (0.3, 1.0))
    assert tried == Tried((), 0, 0)
    assert chosen([tried], (0.3, 1.0)) == 0.3
