"""What may change when a run is resumed, and what would make it another run."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import ecavg_tf
from ecavg_tf import resuming
from ecavg_tf.cli import main
from ecavg_tf.config import Config, LevelFor, with_fields
from ecavg_tf.config.fields import to_dict
from ecavg_tf.core.errors import ConfigError, WorkdirError
from ecavg_tf.core.files import read_json
from ecavg_tf.events import Event, Note, StageStarted
from ecavg_tf.results import RunResults, load_results
from ecavg_tf.resuming import check_continues

HERE = Path("run")


def global_models(results: RunResults) -> list[str | None]:
    return [played.server.global_.weights_sha256 for played in results.rounds]


@pytest.fixture
def quick(small: Callable[[], Config]) -> Config:
    config = small()
    config.edge.epochs = config.server.epochs = 1
    return config


@pytest.mark.parametrize(
    "changed",
    [
        {"fleet.timeout_s": 5.0},
        {"fleet.edge_timeout_s": 5.0},
        {"fleet.quorum": 2},
        {"fleet.folder": "elsewhere"},
        {"export.enabled": True},
        {"tensorboard": True},
        {"rounds": 2},
    ],
)
def test_what_is_no_part_of_the_algorithm_may_change(changed: dict[str, object]) -> None:
    check_continues(HERE, to_dict(Config()), to_dict(with_fields(Config(), changed)))


def test_the_docs_name_all_that_may_change() -> None:
    page = Path(__file__).parents[2] / "docs" / "configuration.md"
    told = page.read_text().partition("### What may change")[2].partition("\n## ")[0]
    named = set(re.findall(r"`([a-z_]+)`", told)) - {"fleet"}
    parts = [name.partition(".") for name in resuming.NO_PART_OF_THE_ALGORITHM]
    assert named == {"rounds", *(field or section for section, _, field in parts)}


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ({}, {"seed": 1}, "holds a run with seed=0, this one has 1; use the same config"),
        ({}, {"edge.epochs": 7}, r"edge\.epochs"),
        ({"rounds": 3}, {"rounds": 2}, "rounds=3, this one has 2; rounds may only grow"),
        (
            {"update.level_for": "edge"},
            {"update.level_for": "edge", "rounds": 2},
            r"update\.level_for=edge divides update\.level over these; with 2",
        ),
        (
            {"update.level_for": "run"},
            {"update.level_for": "run", "rounds": 2},
            "break that promise",
        ),
    ],
)
def test_what_makes_it_another_run(
    before: dict[str, object], now: dict[str, object], said: str
) -> None:
    stored, config = (to_dict(with_fields(Config(), fields)) for fields in (before, now))
    with pytest.raises(WorkdirError, match=said):
        check_continues(HERE, stored, config)


def test_a_run_of_before_a_field_came(tmp_path: Path) -> None:
    stored = to_dict(Config())
    del stored["fleet"]["quorum"]
    check_continues(tmp_path, stored, to_dict(Config()))
    assert LevelFor.DECISION.value == stored["update"]["level_for"]


@pytest.mark.slow
def test_a_finished_run_goes_on_to_the_bits_of_a_longer_one(quick: Config, tmp_path: Path) -> None:
    ecavg_tf.run(quick, tmp_path / "run")
    longer = with_fields(quick, {"rounds": 2})
    continued = ecavg_tf.run(longer, tmp_path / "run")
    straight = ecavg_tf.run(longer, tmp_path / "straight")
    assert global_models(continued) == global_models(straight)
    assert [edge.accepted for edge in continued.rounds[1].edges] == [
        edge.accepted for edge in straight.rounds[1].edges
    ]
    assert read_json(tmp_path / "run" / "config.json")["rounds"] == 2
    assert load_results(tmp_path / "run").status == "finished"


@pytest.mark.slow
def test_a_directory_knows_its_config(
    quick: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ecavg_tf.run(quick, tmp_path / "run")
    workdir = f"--workdir={tmp_path / 'run'}"
    assert main(["run", workdir]) == 0
    assert main(["run", workdir, "--config.rounds=2"]) == 0
    assert len(load_results(tmp_path / "run").rounds) == 2
    assert main(["run", workdir, "--config.seed=5"]) == 4
    assert main(["run", f"--workdir={tmp_path / 'none'}"]) == 2
    assert "give one config, for example" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_that_failed_in_its_first_round_does_not_own_the_directory(
    quick: Config, tmp_path: Path
) -> None:
    def fails(event: Event) -> None:
        if isinstance(event, StageStarted):
            raise ConfigError("something is wrong")

    with pytest.raises(ConfigError):
        ecavg_tf.run(quick, tmp_path / "run", listener=fails)
    first = load_results(tmp_path / "run").environment["run_id"]
    (tmp_path / "run" / "rounds" / "0001").mkdir(parents=True, exist_ok=True)
    told: list[Event] = []
    other = with_fields(quick, {"seed": 1})
    results = ecavg_tf.run(other, tmp_path / "run", listener=told.append)
    assert results.environment["run_id"] != first
    assert results.config["seed"] == 1
    notes = [event.text for event in told if isinstance(event, Note)]
    assert "begins anew: the run before failed in its first round" in notes[0]
    assert global_models(results) == global_models(ecavg_tf.run(other, tmp_path / "other"))
    with pytest.raises(WorkdirError, match="seed=1, this one has 0"):
        ecavg_tf.run(quick, tmp_path / "run")


def test_an_interrupted_first_round_is_kept(quick: Config, tmp_path: Path) -> None:
    def interrupts(event: Event) -> None:
        if not isinstance(event, Note):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ecavg_tf.run(quick, tmp_path / "run", listener=interrupts)
    with pytest.raises(WorkdirError, match="seed=0, this one has 1"):
        ecavg_tf.run(with_fields(quick, {"seed": 1}), tmp_path / "run")
