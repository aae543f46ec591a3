"""Labels of test examples reach nothing but the accuracies that are reported."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

import ecavg_tf
from ecavg_tf.config import Config, PartitionKind, PoolRate
from ecavg_tf.results import RunResults, load_results

SCORED = {"own", "all", "seconds", "evaluate_seconds", "start", "local"}


def config_for(data: Path) -> Config:
    """Everything that chooses does choose: the server's start, its end, and each edge's rung."""
    config = Config()
    config.data.name = str(data)
    config.partition.kind = PartitionKind.CLASSES
    config.model.hidden_units = 8
    config.edge.epochs = config.server.epochs = 1
    config.server.combine = "auto"
    config.server.warmup_epochs = 1
    config.server.rate_for_pool = PoolRate.ROOT
    return config


def decided(value: Any) -> Any:
    """A result without what a test set says."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return decided(vars(value))
    if isinstance(value, Mapping):
        return {name: decided(each) for name, each in value.items() if name not in SCORED}
    return [decided(each) for each in value] if isinstance(value, list | tuple) else value


def hashes_of(run: RunResults) -> list[str | None]:
    """Of every model that was made."""
    (made,) = run.rounds
    accepted = [edge.accepted.weights_sha256 for edge in made.edges if edge.accepted]
    return [made.server.global_.weights_sha256, *accepted]


@pytest.mark.slow
def test_with_other_test_labels_everything_but_reported_accuracy_is_the_same(
    tmp_path: Path,
) -> None:
    inputs, labels = load_digits(return_X_y=True)
    inputs = inputs.astype(np.float32)
    results: list[RunResults] = []
    for name, test_labels in (("as-is", labels[700:900]), ("moved", (labels[700:900] + 3) % 10)):
        data = tmp_path / f"{name}.npz"
        np.savez(
            data, x_train=inputs[:700], y_train=labels[:700],
            x_test=inputs[700:900], y_test=test_labels,
        )  # fmt: skip
        config = config_for(data)
        ecavg_tf.run(config, tmp_path / name)
        results.append(load_results(tmp_path / name))
    one, other = results
    assert one.rounds[0].choice is not None
    assert one.rounds[0].choice.not_asked is None
    assert decided(one.rounds) == decided(other.rounds)
    hashes = [hashes_of(run) for run in results]
    assert hashes[0] == hashes[1]
    assert len(hashes[0]) == 3
    for before, after in zip(one.rounds, other.rounds, strict=True):
        assert before.server.global_.all != after.server.global_.all  # it is reported
