"""What a run keeps on disk: arrays by round, one Keras file, and how long they stay."""

from pathlib import Path

import pytest

import ecavg_tf
from ecavg_tf.config import Config
from ecavg_tf.core.errors import WorkdirError
from ecavg_tf.events import Event, StageStarted
from ecavg_tf.models.builders import build_model
from ecavg_tf.models.saving import load_weights, save_model
from ecavg_tf.results import RunResults
from ecavg_tf.rounds import round_models, workers
from ecavg_tf.rounds.loop import run
from export.jobs.run import export_run


def config_of(**changes: object) -> Config:
    config = Config(rounds=3)
    config.data.train_examples, config.data.test_examples = 120, 40
    config.model.hidden_units = 4
    config.edge.epochs = config.server.epochs = 1
    return ecavg_tf.with_fields(config, changes)


def files_of(workdir: Path) -> set[str]:
    return {str(path.relative_to(workdir)) for path in workdir.rglob("*") if path.is_file()}


def of_rounds(workdir: Path) -> set[str]:
    return {name for name in files_of(workdir) if name.startswith("rounds/")}


def hashes(results: RunResults) -> list[str | None]:
    return [result.server.global_.weights_sha256 for result in results.rounds]


DECIDED = {
    f"rounds/000{number}/{name}.json" for number in (1, 2, 3) for name in ("metrics", "decisions")
}
LAST = {f"rounds/0003/{name}" for name in ("global.safetensors", "averaged.safetensors",
                                           "global.keras", "finish.json")}  # fmt: skip


def interrupted(config: Config, workdir: Path, round_number: int) -> None:
    def listen(event: Event) -> None:
        if isinstance(event, StageStarted) and event.round == round_number:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(config, workdir, listener=listen)


def test_only_the_last_rounds_keep_models_and_a_resumed_run_ends_with_the_same_files(
    tmp_path: Path,
) -> None:
    config = config_of(keep_rounds=1, rounds=2)
    whole = run(config, tmp_path / "whole")
    expected = {name.replace("0003", "0002") for name in DECIDED | LAST}
    assert of_rounds(tmp_path / "whole") == expected | {"rounds/architecture.json"}
    interrupted(config, tmp_path / "cut", 2)
    assert "rounds/0001/global.safetensors" in files_of(tmp_path / "cut")
    assert hashes(run(config, tmp_path / "cut")) == hashes(whole)
    assert files_of(tmp_path / "cut") == files_of(tmp_path / "whole")


@pytest.mark.slow
def test_a_small_model_s_rounds_all_stay_and_a_large_one_s_last_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(keep_updates=True)
    run(config, tmp_path / "small")
    expected = {f"rounds/000{number}/global.safetensors" for number in (1, 2, 3)}
    expected |= {f"rounds/000{n}/updates/edge-0{e}.safetensors" for n in (1, 2, 3) for e in (0, 1)}
    assert expected | LAST <= files_of(tmp_path / "small")
    monkeypatch.setattr(round_models, "_SMALL", 0)
    run(config, tmp_path / "large")
    dropped = {f"rounds/0001/{name}.safetensors" for name in ("global", "averaged")}
    assert of_rounds(tmp_path / "small") - of_rounds(tmp_path / "large") == dropped


@pytest.mark.slow
def test_an_older_run_with_keras_files_goes_on(tmp_path: Path) -> None:
    config = config_of()
    whole = run(config, tmp_path / "whole")
    interrupted(config, tmp_path / "old", 2)
    folder = tmp_path / "old" / "rounds" / "0001"
    model = build_model(config, _spec(config), "test")
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    for name in ("global", "averaged"):
        load_weights(model, folder, name)
        save_model(model, folder, name)
        (folder / f"{name}.safetensors").unlink()
    (tmp_path / "old" / "rounds" / "architecture.json").unlink()
    assert hashes(run(config, tmp_path / "old")) == hashes(whole)
    assert (folder / "global.keras").exists()
    (tmp_path / "old" / "results.json").unlink()
    (tmp_path / "old" / "rounds" / "0003" / "global.safetensors").write_text("no tensors")
    with pytest.raises(WorkdirError, match=r"global\.safetensors is damaged"):
        run(config, tmp_path / "old")


def _spec(config: Config) -> ecavg_tf.DataSpec:
    from ecavg_tf.data.sources import load_data

    return load_data(config.data, config.seed).spec


@pytest.mark.slow
def test_equal_models_are_one_file(tmp_path: Path) -> None:
    config = config_of(**{"update.policy": "replace", "rounds": 1})
    results = run(config, tmp_path)
    taken = {path.stat().st_ino for path in tmp_path.rglob("*.keras")}
    assert len(taken) == 1 and len(list(tmp_path.rglob("*.keras"))) == 3
    assert hashes(results) == [_accepted(results)]
    config = config_of(**{"partition.guard_fraction": 0.0, "rounds": 1, "model.hidden_units": 64})
    run(config, tmp_path / "kept")
    folder = tmp_path / "kept" / "edges" / "edge-00"
    local, accepted = (folder / f"{name}-0001.safetensors" for name in ("update", "accepted"))
    assert accepted.stat().st_size < local.stat().st_size


def _accepted(results: RunResults) -> str:
    accepted = results.rounds[0].edges[0].accepted
    assert accepted is not None
    return accepted.weights_sha256


@pytest.mark.slow
def test_many_edges_have_no_keras_files_and_are_exported_from_what_they_keep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "MANY", 1)
    config = config_of(rounds=1)
    results = run(config, tmp_path / "many")
    assert [path.name for path in (tmp_path / "many").rglob("*.keras")] == ["global.keras"]
    for edge in results.rounds[0].edges:
        assert edge.accepted is not None and edge.accepted.own is not None
        scored = [rung.rung for rung in edge.rungs if rung.own is not None]
        assert scored == [edge.accepted.rung]
    rows = export_run(tmp_path / "many", formats="float32")
    assert {row.model for row in rows} == {"edge-00", "edge-01", "global"}
    monkeypatch.setattr(workers, "MANY", 2)
    assert hashes(run(config, tmp_path / "few")) == hashes(results)
