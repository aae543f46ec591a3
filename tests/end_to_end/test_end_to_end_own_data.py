"""Edges with data of their own: the same weights wherever the data comes from."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

import ecavg_tf
from ecavg_tf.config import Config, PartitionKind
from ecavg_tf.results import RunResults

Make = Callable[[], Config]


def hospitals() -> dict[str, dict[str, Any]]:
    """Three edges of different sizes and classes, each with a test set."""
    x, y = load_digits(return_X_y=True)
    x = x.reshape(-1, 8, 8) / 16
    rows = {
        "north": np.arange(120),
        "south": np.flatnonzero(y < 5)[60:100],
        "east-1": np.flatnonzero(y > 2)[90:160],
    }
    shared = {"classes": np.array([str(label) for label in range(10)])}
    return {
        name: {"x_train": x[held[20:]], "y_train": y[held[20:]]}
        | {"x_test": x[held[:20]], "y_test": y[held[:20]]}
        | shared
        for name, held in rows.items()
    }


def in_a_folder(path: Path, edges: dict[str, dict[str, Any]]) -> str:
    (path / "hospitals").mkdir()
    for name, held in edges.items():
        np.savez(path / "hospitals" / f"{name}.npz", **held)
    return str(path / "hospitals")


def in_one_file(path: Path, edges: dict[str, dict[str, Any]]) -> str:
    held = {
        f"{letter}_{split}": np.concatenate([edge[f"{letter}_{split}"] for edge in edges.values()])
        for split in ("train", "test")
        for letter in "xy"
    }
    keys = {
        key: np.repeat(list(edges), [len(edge[f"y_{split}"]) for edge in edges.values()])
        for key, split in (("edge", "train"), ("edge_test", "test"))
    }
    np.savez(path / "all.npz", classes=edges["north"]["classes"], **held, **keys)
    return str(path / "all.npz")


def bits(results: RunResults) -> list[str | None]:
    (played,) = results.rounds
    return [
        played.server.global_.weights_sha256,
        *(edge.accepted.weights_sha256 for edge in played.edges if edge.accepted is not None),
    ]


@pytest.mark.slow
def test_a_folder_a_function_and_a_key_give_the_same_weights(
    small: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edges = hospitals()
    module = ModuleType("hospitals_for_tests")
    module.__dict__["data"] = lambda: edges
    monkeypatch.setitem(sys.modules, "hospitals_for_tests", module)

    def ran(name: str, kind: PartitionKind) -> RunResults:
        config = small()
        config.data = ecavg_tf.Config().data
        config.data.name, config.partition.kind = name, kind
        return ecavg_tf.run(config, tmp_path / f"run-{kind.value}-{name.rpartition(':')[2][-9:]}")

    first = ran(in_a_folder(tmp_path, edges), PartitionKind.IID)
    by_function = ran("hospitals_for_tests:data", PartitionKind.IID)
    by_key = ran(in_one_file(tmp_path, edges), PartitionKind.KEY)
    assert len(bits(first)) == 4
    assert bits(by_function) == bits(first)
    assert bits(by_key) == bits(first)
    for edge in first.rounds[0].edges:
        assert edge.local is not None
        assert edge.local.own is not None
        assert edge.local.all is not None
        assert (edge.local.own.n, edge.local.all.n) == (20, 60)
        assert edge.global_ is not None
        assert edge.global_.own is not None
        assert edge.global_.own.n == 20


@pytest.mark.slow
def test_own_scores_are_the_plain_mean_over_the_own_test_set(small: Make, tmp_path: Path) -> None:
    edges = hospitals()
    config = small()
    config.data = ecavg_tf.Config().data
    config.data.name = in_a_folder(tmp_path, edges)
    config.update.policy = "replace"
    (played,) = ecavg_tf.run(config, tmp_path / "run").rounds
    import keras

    model = keras.models.load_model(tmp_path / "run" / "rounds" / "0001" / "global.keras")
    hits = []
    for edge in played.edges:
        held = edges[edge.edge]
        predicted = model.predict(held["x_test"][..., None], verbose=0).argmax(axis=1)
        hits.append(predicted == held["y_test"])
        assert edge.global_ is not None
        assert edge.global_.own is not None
        assert edge.global_.own.accuracy == pytest.approx(hits[-1].mean())
    assert played.server.global_.all.accuracy == pytest.approx(np.concatenate(hits).mean())
