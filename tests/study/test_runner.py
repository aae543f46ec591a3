"""A study of seconds: bits as those of a run, resuming, and nothing chosen on test examples."""

import copy
import json
import shutil
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from study_for_tests import RATES, by_arm, digits, study

import ecavg_tf
from ecavg_tf.config import Align, DoubtfulLabels, PartitionKind, PoolEpochs
from ecavg_tf.core.errors import ConfigError, RoundError, WorkdirError
from ecavg_tf.core.locks import lock_folder
from ecavg_tf.study.cost import foreseen
from ecavg_tf.study.page import write_page
from ecavg_tf.study.plan import Grid
from ecavg_tf.study.runner import NOT_PLAYED, planned, run_study


@pytest.fixture(scope="module")
def everything(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("study")
    return folder, run_study(study(data), folder, tell=lambda _: None)


def test_ours_and_alone_are_what_a_run_makes(
    everything: tuple[Path, Any], data: Path, tmp_path: Path
) -> None:
    _, results = everything
    cell = by_arm(results)["ours"]
    config = study(data).task
    config.partition.kind = ecavg_tf.config.PartitionKind.CLASSES
    config.server.pool_fraction = 0.5
    config.server.learning_rate *= cell["rate"]
    config.baseline.alone = True
    run = ecavg_tf.run(config, tmp_path / "run")
    last = run.rounds[-1]
    assert cell["weights_sha256"] == [last.server.global_.weights_sha256]
    for mine, its in zip(cell["edges"], last.edges, strict=True):
        assert its.accepted is not None
        assert mine["takes"] == its.accepted.rung
        alone = next(each for each in run.alone if each.edge == its.edge)
        for model, scores in (("alone", alone.own), ("accepted", its.accepted.own)):
            assert scores is not None
            assert mine["own"][model]["accuracy"] == pytest.approx(scores.accuracy, abs=1e-6)


def test_what_each_arm_processes(everything: tuple[Path, Any]) -> None:
    # Of 200 examples a fifth is held out, and half of the rest is pooled; twice 3 + 2 epochs.
    cells = by_arm(everything[1])
    examples = [edge["examples"] for edge in cells["ours"]["edges"]]
    assert sum(examples) in range(160, 163)  # each edge rounds its fifth down
    total, pool = sum(examples), sum(-(-count // 2) for count in examples)
    spent = {arm: cell["samples"] for arm, cell in cells.items()}
    assert spent["local"]["edges"] == 3 * total
    assert spent["local"]["server"] == 0
    assert spent["local"]["path"] == 3 * max(examples)
    assert spent["alone"]["edges"] == 2 * 3 * total
    assert spent["alone-longer"]["edges"] == 2 * (3 + 2) * total
    assert spent["start-server"]["server"] == 2 * 2 * pool
    passes = -(-3 * total // pool)
    assert spent["start-total"]["server"] == 2 * (2 + passes) * pool
    assert spent["ours"]["edges"] == 2 * 3 * total
    assert spent["ours"]["server"] == 2 * 2 * pool
    assert spent["ours"]["deciding"] > 0
    assert spent["fedavg"]["edges"] == 4 * 3 * total  # ceil(2 (3 + 2) / 3) rounds


def test_on_a_small_pool_the_server_may_train_as_long_as_on_a_large_one(
    data: Path, tmp_path: Path
) -> None:
    """Controls, too; what it costs is foreseen."""
    planned_ = study(data, ("start-server", "start-total", "best-edge-tuned", "published", "ours"))
    planned_.task.rounds, planned_.task.server.epochs_for_pool = 1, PoolEpochs.FULL
    planned_.task.server.distill = 0.5
    one = replace(planned_, grids=[replace(planned_.grids[0], pools=(0.25,))], rates=())
    costs = {line.arm: line.trained for line in foreseen(one, planned(one), tmp_path / "study")}
    cells = by_arm(run_study(one, tmp_path / "study", tell=lambda _: None))
    total = sum(edge["examples"] for edge in cells["ours"]["edges"])
    pool = 40  # a quarter
    passes = round(2 * total / pool)
    assert passes == 8
    spent = {arm: cell["samples"]["server"] for arm, cell in cells.items()}
    assert spent["start-server"] == passes * pool
    assert spent["start-total"] == (passes + -(-3 * total // pool)) * pool
    assert spent["published"] == 2 * pool
    assert spent["ours"] == passes * pool + 2 * pool  # two edges teach
    assert costs["start-server"] == costs["best-edge-tuned"] == passes * pool


def test_the_average_alone_is_what_a_run_averages(data: Path, tmp_path: Path) -> None:
    planned_ = study(data, ("averaged", "averaged-aligned"))
    planned_.task.rounds = 1
    apart = replace(planned_, grids=[replace(planned_.grids[0], starts=("independent",))], rates=())
    cells = by_arm(run_study(apart, tmp_path / "study", tell=lambda _: None))
    for arm, align in (("averaged", Align.OFF), ("averaged-aligned", Align.APART)):
        config = copy.deepcopy(planned_.task)
        config.partition.kind, config.model.init = PartitionKind.CLASSES, "independent"
        config.server.align, config.server.epochs = align, 0
        score = ecavg_tf.run(config, tmp_path / arm).rounds[0].server.averaged.all
        assert score is not None
        assert cells[arm]["server"]["accuracy"] == pytest.approx(score.accuracy, abs=1e-6)
    assert cells["averaged"]["weights_sha256"] != cells["averaged-aligned"]["weights_sha256"]


def test_the_same_command_goes_on_and_runs_nothing_twice(
    everything: tuple[Path, Any], data: Path
) -> None:
    folder, results = everything
    gone = next(folder.glob("cells/ours--*.json"))
    before = json.loads(gone.read_text())
    gone.unlink()
    told: list[str] = []
    again = run_study(study(data), folder, tell=told.append)
    assert len(told) == 1
    assert "ours" in told[0]
    after = json.loads(gone.read_text())
    del before["seconds"], after["seconds"]
    assert after == before
    assert again["status"] == results["status"] == "finished"
    assert not any((folder / "shared").iterdir())


def test_another_task_and_a_second_process_are_refused(
    everything: tuple[Path, Any], data: Path, tmp_path: Path
) -> None:
    folder, _ = everything
    other = study(data)
    other.task.edge.epochs = 7
    with pytest.raises(WorkdirError, match=r"task\.edge\.epochs=3, this one has 7"):
        run_study(other, folder, tell=print)
    with lock_folder(folder), pytest.raises(WorkdirError, match="another process"):
        run_study(study(data), folder, tell=print)
    (tmp_path / "mine.txt").touch()
    with pytest.raises(WorkdirError, match="holds no study"):
        run_study(study(data), tmp_path, tell=print)


def test_a_study_of_an_older_version_goes_on(
    everything: tuple[Path, Any], data: Path, tmp_path: Path
) -> None:
    """It lacks fields that have come since."""
    folder = tmp_path / "older"
    shutil.copytree(everything[0], folder)
    held = json.loads((folder / "config.json").read_text())
    del held["task"]["server"]["distill"]
    (folder / "config.json").write_text(json.dumps(held))
    told: list[str] = []
    run_study(study(data), folder, tell=told.append)
    assert not [line for line in told if line.startswith("[")]  # no cell was run again


def test_no_test_label_reaches_anything_but_the_scores(
    everything: tuple[Path, Any], tmp_path: Path
) -> None:
    arms = ("best-edge", "start-server", "ours")
    other = study(digits(tmp_path, shuffled=True), arms)
    blind = by_arm(run_study(other, tmp_path / "blind", tell=lambda _: None))
    for arm in arms:
        one, two = by_arm(everything[1])[arm], blind[arm]
        for said in ("weights_sha256", "rate", "choice", "samples"):
            assert one[said] == two[said]
        assert [e["takes"] for e in one["edges"]] == [e["takes"] for e in two["edges"]]
        assert one["server"]["accuracy"] > two["server"]["accuracy"]
    assert blind["ours"]["samples"]["tuning"] > 0


def test_what_is_wrong_is_found_before_anything_begins(data: Path) -> None:
    with pytest.raises(ConfigError, match=r"no arm 'our' .did you mean 'ours'"):
        planned(study(data, ("our",)))
    apart = replace(study(data), grids=[Grid(("ours-warm",), starts=("independent",))])
    with pytest.raises(ConfigError, match="leave one of the two out"):
        planned(apart)


def test_arms_that_diverge_are_told_apart_and_stop_no_other(tmp_path: Path, data: Path) -> None:
    """Ours and controls alike: a control that counted as 0 % would make ours look better."""
    one = study(data, ("alone", "start-server", "ours"))
    one.task.server.learning_rate = 1e20  # of which 3 times as much is no better
    one.task.server.optimizer = "sgd"
    told: list[str] = []
    results = run_study(one, tmp_path / "study", tell=told.append)
    assert list(by_arm(results)) == ["alone"]
    assert [cell["cell"]["arm"] for cell in results["diverged"]] == ["start-server", "ours"]
    assert results["status"] == "finished"
    assert any("ours: diverged: round 1" in line for line in told)
    write_page(results, tmp_path / "study")
    assert "Counted nowhere: classes, shared, 2 edges, 50 % pooled, seed 0, ours." in (
        tmp_path / "study" / "study.html"
    ).read_text("utf-8")
    assert run_study(one, tmp_path / "study", tell=told.append) == results  # and is not made again


def test_edges_that_diverge_alone_are_named_and_trained_once(tmp_path: Path, data: Path) -> None:
    """No arm can be compared with them, and no arm is to blame."""
    one = study(data, ("start-server", "ours"))
    one.task.edge.learning_rate = 1e30
    one.task.edge.optimizer = "sgd"
    results = run_study(one, tmp_path / "study", tell=lambda _: None)
    assert results["cells"] == []
    start, ours = results["diverged"]
    assert start["diverged"].startswith("an edge that trains alone diverges")
    assert "the weights of edge-00 are NaN" in ours["diverged"]
    assert not [cell for cell in results["diverged"] if cell["rate"] not in RATES]


def test_a_mistake_in_the_users_own_policy_is_no_divergence(tmp_path: Path, data: Path) -> None:
    """It is mended, and the cell is run then."""
    one = study(data, ("ours",))
    one.task.update.policy = f"{__name__}:mistaken"
    with pytest.raises(RoundError, match="a mistake"):
        run_study(one, tmp_path / "study", tell=lambda _: None)
    assert not list((tmp_path / "study" / "cells").glob("*.json"))


def mistaken(_: object) -> None:
    raise ValueError("a mistake")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("edges_per_round", 1),
        ("fleet.presence", "edge-00:2"),
        ("edge.dp_clip", 1.0),
        ("edge.dp_noise_multiplier", 1.0),
        ("server.warmup_data", "mnist"),
        ("server.doubtful_labels", DoubtfulLabels.DROP),
    ],
)
def test_what_a_study_does_not_play_is_refused(data: Path, name: str, value: Any) -> None:
    assert name in NOT_PLAYED
    one = study(data, ("ours",))
    section, _, field = name.rpartition(".")
    setattr(attrgetter(section)(one.task) if section else one.task, field, value)
    with pytest.raises(ConfigError):
        planned(one)


def test_the_line_names_the_field_and_what_was_expected(data: Path) -> None:
    one = study(data, ("ours",))
    one.task.edges_per_round = 1
    with pytest.raises(ConfigError, match=r"has edges_per_round=1, .* expected 0"):
        planned(one)


def test_a_pool_of_nothing_is_refused_for_arms_that_need_one(data: Path) -> None:
    for arm in ("start-server", "ours-warm"):
        one = study(data, ("ours", arm))
        nothing = replace(one, grids=[replace(one.grids[0], pools=(0.0,))])
        with pytest.raises(ConfigError, match=f"the arm {arm} .* a pool of 0"):
            planned(nothing)
    assert planned(replace(one, grids=[replace(nothing.grids[0], arms=("ours",))]))


def test_a_warm_up_is_for_arms_with_a_pool(data: Path) -> None:
    one = study(data, ("local", "ours"))
    one.task.server.warmup_epochs = 1
    assert len(planned(one)) == 2
