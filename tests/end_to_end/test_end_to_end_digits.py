"""Whole runs on the embedded digits: bits, resuming, files, settings."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

import ecavg_tf
from ecavg_tf.cli import main
from ecavg_tf.config import Config, PartitionKind
from ecavg_tf.core.errors import RoundError, WorkdirError
from ecavg_tf.events import Event, Note, StageStarted
from ecavg_tf.results import RunResults, load_results

Make = Callable[[], Config]


def bits(results: RunResults) -> list[str | None]:
    """Everything about weights that must be equal."""
    return [
        digest
        for result in results.rounds
        for digest in (
            result.server.global_.weights_sha256,
            *(edge.accepted.weights_sha256 if edge.accepted else None for edge in result.edges),
        )
    ]


def with_dropout(config: Config) -> Config:
    config.model.name = "models_for_tests:dropout_and_batchnorm"
    config.edge.augment = True
    return config


@pytest.mark.parametrize(
    "kind",
    ["mlp", pytest.param("dropout, batchnorm and augmentation", marks=pytest.mark.slow)],
)
def test_same_seed_same_bits_and_an_interruption_changes_none(
    small: Make, tmp_path: Path, kind: str
) -> None:
    def make() -> Config:
        config = small()
        config.rounds = 2
        return config if kind == "mlp" else with_dropout(config)

    whole = ecavg_tf.run(make(), tmp_path / "whole")

    def interrupt(event: Event) -> None:
        if event == StageStarted(2, "pretrain", "edge-01"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ecavg_tf.run(make(), tmp_path / "cut", listener=interrupt)
    cut = load_results(tmp_path / "cut")
    assert cut.status == "interrupted"
    assert len(cut.rounds) == 1
    stages: list[Event] = []
    resumed = ecavg_tf.run(make(), tmp_path / "cut", listener=stages.append)
    assert bits(resumed) == bits(whole)  # its first round was computed anew
    assert StageStarted(2, "pretrain", "edge-00") not in stages  # its answer was kept
    assert StageStarted(2, "pretrain", "edge-01") in stages

    other = make()
    other.seed = 1
    assert bits(ecavg_tf.run(other, tmp_path / "other")) != bits(whole)


@pytest.mark.slow
def test_independent_inits_start_apart(small: Make, tmp_path: Path) -> None:
    config = small()
    config.partition.kind = PartitionKind.IID
    shared = ecavg_tf.run(config, tmp_path / "shared")
    config.model.init = "independent"
    apart = ecavg_tf.run(config, tmp_path / "apart")

    def starts(results: RunResults) -> set[float]:
        return {e.start.all.loss for e in results.rounds[0].edges if e.start and e.start.all}

    assert len(starts(shared)) == 1
    assert len(starts(apart)) == 2


def test_the_run_directory(small: Make, tmp_path: Path) -> None:
    config = small()
    config.rounds = 2
    results = ecavg_tf.run(config, tmp_path / "run")
    files = {str(p.relative_to(tmp_path / "run")) for p in (tmp_path / "run").rglob("*.*")}
    assert {
        "config.json", "environment.json", "template.json", "results.json", "results.csv",
        "report.html", "log.txt", "rounds/architecture.json", "rounds/0001/averaged.safetensors",
        "rounds/0001/global.safetensors", "rounds/0002/global.keras", "rounds/0001/decisions.json",
        "rounds/0002/metrics.json", "rounds/0002/decisions.json", "edges/edge-01/accepted.keras",
    } <= files  # fmt: skip
    assert not {"rounds/0001/global.keras", "rounds/0002/updates/edge-00.safetensors"} & files
    hidden = {name for name in files if "/." in name or name.startswith(".")}
    assert hidden == {".ecavg-lock"}

    text = (tmp_path / "run" / "results.json").read_text()
    assert "NaN" not in text
    fields = json.loads(text)
    assert list(fields) == [
        "schema_version", "status", "config", "environment", "classes", "rounds", "exports",
    ]  # fmt: skip
    first = fields["rounds"][0]
    assert set(first["seconds"]) == {
        "pretrain", "average", "recalibrate", "finetune", "update", "evaluate",
    }  # fmt: skip
    assert set(first["server"]) == {"averaged", "recalibrated", "global"}
    assert set(first["server"]["averaged"]) == {"all"}
    assert set(first["server"]["global"]) == {"all", "weights_sha256", "trained_on"}
    edge = first["edges"][0]
    assert set(edge) == {
        "edge", "examples", "class_counts", "start", "local", "global", "rungs", "accepted",
    }  # fmt: skip
    assert set(edge["local"]["own"]) == {"accuracy", "loss", "n"}
    assert len(edge["accepted"]["weights_sha256"]) == 64
    assert load_results(tmp_path / "run") == results
    (tmp_path / "run" / "results.json").write_text(text[:-99])
    with pytest.raises(WorkdirError, match="'ecavg run' on that directory writes it anew"):
        load_results(tmp_path / "run")
    assert ecavg_tf.run(config, tmp_path / "run").rounds == results.rounds

    rows = list(csv.DictReader((tmp_path / "run" / "results.csv").read_text().splitlines()))
    local = next(r for r in rows if (r["round"], r["who"], r["model"]) == ("1", "edge-00", "local"))
    assert float(local["accuracy"]) == edge["local"]["own"]["accuracy"]


def test_scores_are_those_of_the_saved_models(small: Make, tmp_path: Path) -> None:
    import keras

    from ecavg_tf.data.sources import load_data

    config = small()
    results = ecavg_tf.run(config, tmp_path / "run")
    test = load_data(config.data, config.seed).test
    edge = results.rounds[0].edges[1]
    model = keras.models.load_model(tmp_path / "run" / "edges" / "edge-01" / "accepted.keras")
    right = model.predict(test.inputs, verbose=0).argmax(1) == test.labels
    assert edge.accepted and edge.accepted.own and edge.accepted.all
    assert edge.accepted.all.accuracy == pytest.approx(right.mean())
    own = [right[test.labels == c].mean() * n for c, n in enumerate(edge.class_counts) if n]
    assert edge.accepted.own.accuracy == pytest.approx(sum(own) / sum(edge.class_counts))


def test_a_finished_run_is_not_run_again_and_another_config_is_refused(
    small: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = ecavg_tf.run(small(), tmp_path / "run")
    events: list[Event] = []
    assert ecavg_tf.run(small(), tmp_path / "run", listener=events.append) == results
    assert events == []
    other = small()
    other.edge.epochs = 3
    with pytest.raises(WorkdirError, match=r"edge.epochs=2, this one has 3"):
        ecavg_tf.run(other, tmp_path / "run")
    assert main(["report", str(tmp_path / "run")]) == 0
    printed = capsys.readouterr().out
    assert "edge-01" in printed
    accepted = results.rounds[0].edges[0].accepted
    assert accepted and accepted.own
    assert f"{100 * accepted.own.accuracy:.1f}" in printed


def test_federated_averaging_without_pooled_data(small: Make, tmp_path: Path) -> None:
    config = with_dropout(small())
    config.server.pool = False
    results = ecavg_tf.run(config, tmp_path / "run")
    assert results.rounds[0].pooled_bytes == 0
    assert results.rounds[0].samples.server == 0
    assert not (tmp_path / "run" / "pooled").exists()
    averaged, recalibrated = (
        results.rounds[0].server.averaged,
        results.rounds[0].server.recalibrated,
    )
    assert averaged.all != recalibrated.all  # total variance is more than mean variance
    assert results.rounds[0].server.global_.all == recalibrated.all


def test_consent_and_byte_budget(small: Make, tmp_path: Path) -> None:
    config = small()
    config.server.pool_edges = "edge-01"
    config.server.pool_bytes = 64 * 30 + 5
    told: list[Event] = []
    results = ecavg_tf.run(config, tmp_path / "run", listener=told.append)
    notes = [event.text for event in told if isinstance(event, Note)]
    assert any("no edge pools examples of 0, 1, 2, 3, 4: fine-tuning will make" in n for n in notes)
    assert results.rounds[0].samples.server == 30
    pooled = tmp_path / "run" / "pooled"
    assert [path.name for path in pooled.glob("*.safetensors")] == ["edge-01.safetensors"]


@pytest.mark.slow
def test_edges_take_turns(small: Make, tmp_path: Path) -> None:
    config = small()
    config.partition.num_edges = 4
    config.partition.kind = PartitionKind.IID
    config.edges_per_round = 2
    config.rounds = 3
    results = ecavg_tf.run(config, tmp_path / "run")
    taken = [result.participants for result in results.rounds]
    assert all(len(names) == 2 for names in taken)
    assert len(set(taken)) > 1
    assert {e.edge for e in results.rounds[-1].edges if e.accepted} == {
        f"edge-{number:02d}" for number in range(4)
    }


def test_extension_points(small: Make, tmp_path: Path) -> None:
    config = small()
    config.server.combine = "models_for_tests:median"
    config.update.policy = "models_for_tests:keep_local"
    results = ecavg_tf.run(config, tmp_path / "run")
    for edge in results.rounds[0].edges:
        assert edge.accepted and edge.local
        assert edge.accepted.rung == "local"
        assert edge.accepted.own == edge.local.own
    config.server.combine = "models_for_tests:too_few"
    with pytest.raises(RoundError, match="returned 1 arrays"):
        ecavg_tf.run(config, tmp_path / "other")


def test_leaving_the_updates_out(small: Make, tmp_path: Path) -> None:
    config = small()
    config.server.combine = "start"
    results = ecavg_tf.run(config, tmp_path / "run")
    first = results.rounds[0]
    assert first.edges[0].start
    assert first.server.averaged.all == first.edges[0].start.all
