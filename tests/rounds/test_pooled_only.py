"""The baseline of the server: the pooled data alone, without the edges' weights."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

import ecavg_tf
from ecavg_tf.config import Config, with_fields
from ecavg_tf.core.template import weights_sha256
from ecavg_tf.data.dataset import concatenated
from ecavg_tf.data.federated import federated_data
from ecavg_tf.events import silent
from ecavg_tf.task import Task
from ecavg_tf.training.trainer import KerasTrainer

Make = Callable[[], Config]


def test_the_server_trains_on_the_pool_alone_as_long_as_in_all_rounds(
    small: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = with_fields(small(), {"rounds": 2, "server.epochs": 1, "edge.epochs": 1})
    before = ecavg_tf.run(config, tmp_path / "run")
    assert before.pooled_only is None
    config.baseline.pooled = True
    results = ecavg_tf.run(config, tmp_path / "run")  # the rounds are not played again
    assert results.rounds == before.rounds
    only = results.pooled_only
    assert only is not None
    assert (only.edge, only.rounds, only.epochs) == ("server", (1, 2), 2)

    data = federated_data(config)
    task = Task(config, data.spec, tmp_path, silent)
    pooled = concatenated([data.edge(name).train for name in data.edges])
    weights = list(task.initial)
    for number in (1, 2):
        weights = task.server_trainer.fit(weights, pooled, round_number=number, who="server")
    assert only.weights_sha256 == weights_sha256(weights)
    assert only.processed == 2 * len(pooled)
    scorer = task.scorer(task.server_trainer, data.test)
    assert only.all == scorer.all(weights)

    rows = list(csv.DictReader((tmp_path / "run" / "results.csv").read_text().splitlines()))
    (row,) = [row for row in rows if row["model"] == "pooled_only"]
    assert (row["round"], row["who"], row["distribution"]) == ("2", "server", "all")
    monkeypatch.setattr(KerasTrainer, "fit", None)  # nothing is trained again
    assert ecavg_tf.run(config, tmp_path / "run") == results


def test_without_a_pool_there_is_nothing_to_compare(small: Make, tmp_path: Path) -> None:
    fields = {"server.pool": False, "server.epochs": 0, "edge.epochs": 1, "baseline.pooled": True}
    results = ecavg_tf.run(with_fields(small(), fields), tmp_path / "run")
    assert results.pooled_only is None
    assert ecavg_tf.run(with_fields(small(), fields), tmp_path / "run") == results
