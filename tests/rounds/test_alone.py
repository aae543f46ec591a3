"""The baseline: each edge alone, for as many epochs as it trained in all rounds."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import ecavg_tf
from ecavg_tf.baseline import read_alone
from ecavg_tf.config import Config, with_fields
from ecavg_tf.core.errors import ConfigError, WorkdirError
from ecavg_tf.core.findings import Alone
from ecavg_tf.core.template import weights_sha256
from ecavg_tf.data.federated import federated_data
from ecavg_tf.events import silent
from ecavg_tf.task import Task
from ecavg_tf.training.trainer import KerasTrainer

Make = Callable[[], Config]


@pytest.fixture
def config(small: Make) -> Config:
    return with_fields(small(), {"rounds": 2, "edges_per_round": 1, "baseline.alone": True})


def by_hand(config: Config, folder: Path, edge: str, rounds: Sequence[int]) -> str:
    """SHA-256 of the weights that fits one after the other lead to."""
    data = federated_data(config)
    trainer = Task(config, data.spec, folder, silent).edge_trainer
    weights = list(Task(config, data.spec, folder, silent).initial)
    for number in rounds:
        weights = trainer.fit(weights, data.edge(edge).train, round_number=number, who=edge)
    return weights_sha256(weights)


def test_an_edge_trains_alone_as_long_as_in_all_its_rounds(config: Config, tmp_path: Path) -> None:
    config.edges_per_round = 0
    results = ecavg_tf.run(config, tmp_path / "run")
    assert [(one.edge, one.rounds, one.epochs) for one in results.alone] == [
        ("edge-00", (1, 2), 4),
        ("edge-01", (1, 2), 4),
    ]
    for one in results.alone:
        assert one.weights_sha256 == by_hand(config, tmp_path, one.edge, (1, 2))
        assert one.own is not None
        assert one.processed == 4 * results.rounds[0].edges[0].examples
    assert not (tmp_path / "run" / "checkpoints").exists()
    assert [file.name for file in (tmp_path / "run" / "baseline").iterdir()] == ["alone.json"]


def test_who_took_part_in_round_1_only_was_alone(config: Config, tmp_path: Path) -> None:
    """With one edge a round, each has one round: of the first, its local model is taken."""
    config.seed = 1
    results = ecavg_tf.run(config, tmp_path / "run")
    first = results.rounds[0].participants[0]
    known = {one.edge: one for one in results.alone}
    local = next(edge.local for edge in results.rounds[0].edges if edge.edge == first)
    assert local is not None
    assert known[first] == Alone(first, (1,), 2, 0, local.own, local.all)


def test_a_killed_baseline_goes_on_where_it_was(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.edges_per_round = 0
    whole = ecavg_tf.run(config, tmp_path / "whole").alone
    fit, fits = KerasTrainer.fit, []

    def killed(self: KerasTrainer, *given: Any, **named: Any) -> Any:
        fits.append((named["who"], named["round_number"]))
        # Two edges and the server in each of two rounds, then the first edge's two fits alone.
        if len(fits) == 8:
            raise KeyboardInterrupt
        return fit(self, *given, **named)

    monkeypatch.setattr(KerasTrainer, "fit", killed)
    with pytest.raises(KeyboardInterrupt):
        ecavg_tf.run(config, tmp_path / "run")
    assert fits[6:] == [("edge-00", 1), ("edge-00", 2)]
    del fits[:]
    results = ecavg_tf.run(config, tmp_path / "run")
    assert fits == [("edge-00", 2), ("edge-01", 1), ("edge-01", 2)]
    assert [one.weights_sha256 for one in results.alone] == [one.weights_sha256 for one in whole]


def test_a_finished_run_gets_its_baseline_later(config: Config, tmp_path: Path) -> None:
    config.edges_per_round, config.baseline.alone = 0, False
    assert ecavg_tf.run(config, tmp_path / "run").alone == ()
    config.baseline.alone = True
    found = ecavg_tf.run(config, tmp_path / "run")
    assert len(found.alone) == 2
    assert ecavg_tf.load_results(tmp_path / "run") == found


def test_nobody_here_can_train_edges_that_are_elsewhere(small: Make, tmp_path: Path) -> None:
    elsewhere = {"fleet.kind": "folder", "fleet.folder": str(tmp_path), "baseline.alone": True}
    with pytest.raises(ConfigError, match=r"baseline.alone=true trains.* leave it out"):
        with_fields(small(), elsewhere)


@pytest.mark.parametrize("text", ['{"edges": 3}', "{}", '{"edges": [{"edge": "a"}]}'])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "baseline").mkdir()
    (tmp_path / "baseline" / "alone.json").write_text(text)
    with pytest.raises(WorkdirError, match=r"alone.json is damaged"):
        read_alone(tmp_path)
