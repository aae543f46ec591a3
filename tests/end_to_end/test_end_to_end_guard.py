"""Whole runs whose edges are guarded, in the awkward cases."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import ecavg_tf
from ecavg_tf.config import Config, LevelFor, PartitionKind, Weighting
from ecavg_tf.results import EdgeResult, load_results

Make = Callable[[], Config]


def decided(config: Config, workdir: Path) -> list[tuple[EdgeResult, Mapping[str, Any]]]:
    """The last round's edges and their evidence, as results.json gives them back."""
    ecavg_tf.run(config, workdir)
    edges = load_results(workdir).rounds[-1].edges
    return [(edge, edge.accepted.evidence) for edge in edges if edge.accepted]


def rungs(edge: EdgeResult) -> list[str]:
    return [rung.rung for rung in edge.rungs]


@pytest.mark.slow
def test_edges_of_one_class_that_nobody_else_has(small: Make, tmp_path: Path) -> None:
    config = small()
    config.partition.num_edges = 10
    decisions = decided(config, tmp_path / "run")
    assert len(decisions) == 10
    for edge, evidence in decisions:
        assert sum(count > 0 for count in edge.class_counts) == 1
        assert "prior" in rungs(edge)
        # Four guard examples can't certify a change.
        assert edge.accepted and edge.accepted.rung == "local"
        assert evidence["reason"] in ("not certified", "nothing better")


def test_an_edge_whose_classes_nobody_pooled(small: Make, tmp_path: Path) -> None:
    config = small()
    config.server.pool_edges = "edge-00"
    decisions = decided(config, tmp_path / "run")
    trained_on = load_results(tmp_path / "run").rounds[0].server.global_.trained_on
    assert trained_on is not None
    (first, _), (second, evidence) = decisions
    assert tuple(map(float, first.class_counts)) == trained_on
    assert not any(a and b for a, b in zip(second.class_counts, trained_on, strict=True))
    # edge-00's mix is the pooled one; edge-01's is as far from it as can be.
    assert "prior" not in rungs(first)
    assert "prior" in rungs(second)
    assert evidence["absent"] == {
        "local-batchnorm": "the model has no BatchNorm that training updates"
    }


@pytest.mark.parametrize("weighting", list(Weighting))
def test_without_pooling_the_mix_is_that_of_the_updates(
    small: Make, tmp_path: Path, weighting: Weighting
) -> None:
    config = small()
    config.server.pool = False
    config.server.weighting = weighting
    config.partition.kind = PartitionKind.DIRICHLET
    config.partition.alpha = 0.3
    decisions = decided(config, tmp_path / "run")
    trained_on = load_results(tmp_path / "run").rounds[0].server.global_.trained_on
    assert trained_on is not None
    edges = [edge for edge, _ in decisions]
    total = sum(edge.examples for edge in edges)
    for label, effective in enumerate(trained_on):
        counts = [edge.class_counts[label] for edge in edges]
        shares = [n / edge.examples for n, edge in zip(counts, edges, strict=True)]
        equal = weighting is Weighting.UNIFORM
        assert effective == pytest.approx(total * sum(shares) / 2 if equal else sum(counts))


def test_nothing_is_held_out(small: Make, tmp_path: Path) -> None:
    config = small()
    config.partition.guard_fraction = 0.0
    for edge, evidence in decided(config, tmp_path / "run"):
        assert evidence["reason"] == "no guard data"
        assert edge.accepted and edge.accepted.rung == "local"
        assert all(rung.select is None for rung in edge.rungs)


def test_a_guard_set_of_ten(small: Make, tmp_path: Path) -> None:
    config = small()
    config.partition.guard_fraction = 0.1  # of 100 examples an edge
    for edge, evidence in decided(config, tmp_path / "run"):
        assert evidence["n"] == 10
        assert edge.accepted and edge.accepted.rung == "local"
        assert evidence["smallest_accuracy_gain"] == 0.5


def test_the_global_model_is_the_local_one(small: Make, tmp_path: Path) -> None:
    config = small()
    config.partition.num_edges = 1
    config.server.pool = False
    ((edge, evidence),) = decided(config, tmp_path / "run")
    assert edge.accepted and edge.accepted.rung == "local"
    assert evidence["reason"] == "nothing better"


def test_a_global_model_of_constant_output(small: Make, tmp_path: Path) -> None:
    config = small()
    config.server.combine = "models_for_tests:nothing"
    config.server.pool = False
    for edge, _ in decided(config, tmp_path / "run"):
        shown = next(rung for rung in edge.rungs if rung.rung == "global")
        assert shown.all and shown.all.accuracy == pytest.approx(0.1, abs=0.02)
        assert edge.accepted and edge.local and edge.accepted.own and edge.local.own
        assert edge.accepted.own.accuracy >= edge.local.own.accuracy


def test_a_head_without_bias(small: Make, tmp_path: Path) -> None:
    config = small()
    config.model.name = "models_for_tests:headless_bias"
    for edge, evidence in decided(config, tmp_path / "run"):
        assert "prior" not in rungs(edge)
        assert "no weight was found" in evidence["absent"]["prior"]


@pytest.mark.slow
def test_three_rounds_and_a_level_for_the_whole_run(small: Make, tmp_path: Path) -> None:
    config = small()
    config.rounds = 3
    config.data.train_examples = 0
    config.update.level_for = LevelFor.RUN
    decided(config, tmp_path / "run")
    before: dict[str, str] = {}
    for result in load_results(tmp_path / "run").rounds:
        for edge in result.edges:
            assert edge.accepted
            evidence = edge.accepted.evidence
            assert evidence["level"] == pytest.approx(0.05 / 6)
            assert ("previous" in rungs(edge)) == (result.round > 1)
            changed = before.get(edge.edge) not in (None, edge.accepted.weights_sha256)
            assert (evidence["since_previous"] is not None) == changed
            before[edge.edge] = edge.accepted.weights_sha256


def test_an_edge_that_never_trained_takes_what_is_best(small: Make, tmp_path: Path) -> None:
    config = small()
    config.partition.num_edges = 4
    config.edges_per_round = 1
    reasons = [evidence["reason"] for _, evidence in decided(config, tmp_path / "run")]
    assert reasons.count("nothing to lose") == 3
