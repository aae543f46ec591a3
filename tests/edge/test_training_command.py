"""``python -m edge train`` for one device alone: what it refuses, and that it survives."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from device_for_tests import local_arrays, train_words, training_bundle
from paths_for_tests import ROOT

from ecavg_tf.core.bundles.training_bundle import read_training_bundle, write_training_bundle
from ecavg_tf.core.errors import ConfigError, DataError, ExportError, WorkdirError
from ecavg_tf.core.messages.update_file import Update
from edge.cli import main
from edge.device.check_training import check_training_bundle
from edge.device.checkpoint import locked
from edge.device.local_data import load_local
from edge.participating.agent import config_of


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return training_bundle(tmp_path_factory.mktemp("training") / "training.bundle.zip")


def test_training_improves_and_writes_an_update(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(train_words(bundle, tmp_path, "--epochs=5", "--learning-rate=0.01", "--json")) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["accuracy_after"] > told["accuracy_before"] + 0.3
    assert told["decision"] == "the trained model is used: better on 60 guard examples"
    update = Update(Path(told["update"]))
    assert update.info.examples == told["examples"] == 240
    assert len(update.keys) == 4


def test_what_is_not_certified_does_not_predict(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With us no edge gets worse, with a server or without one."""
    np.savez(tmp_path / "x.npz", x=local_arrays()["x_test"][:1])

    def trained(*more: str) -> tuple[dict[str, Any], dict[str, Any]]:
        words = train_words(bundle, tmp_path, "--epochs=1", "--learning-rate=1e-7", *more)
        assert main([*words, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        state = f"--state={tmp_path / 'state'}"
        assert main(["predict", state, str(tmp_path / "x.npz"), "--json", "--no-check"]) == 0
        return told, json.loads(capsys.readouterr().out)

    told, predicted = trained()
    assert told["decision"].startswith(
        "60 guard examples don't show that the trained model is better (0 more are right, 0 more "
        "are wrong); predict keeps the bundle's own weights"
    )
    assert predicted["model"] == "the bundle's own: what was trained is not certified"
    told, other = trained("--policy=replace")
    assert told["decision"] == "the trained model is used (--policy=replace)"
    assert other["model"] == "trained alone"
    of_trained, of_bundle = (each["inputs"][0]["top"] for each in (other, predicted))
    assert of_trained != of_bundle


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"y_train": np.full(300, 10)}, "holds labels from 10 to 10, the model has the classes 0"),
        (
            {"y_train": np.zeros(300)},
            "y_train: labels have shape .* float64; expected whole numbers",
        ),
        ({"y_train": np.zeros(7, np.int64)}, "x_train has 300 examples, y_train 7 labels"),
        ({"x_train": np.full((300, 8, 8, 1), np.nan)}, "that are NaN or infinite"),
        ({"x_train": np.zeros((300, 9, 8, 1))}, r"expected \(n, 8, 8, 1\)"),
        ({"x_train": np.full((300, 8, 8, 1), 200)}, "expected 0 to 16"),
        (
            {"x_train": np.zeros((0, 8, 8, 1)), "y_train": np.zeros(0, np.int64)},
            "x_train is empty; give at least one labelled example",
        ),
        ({"x_guard": np.zeros((3, 8, 8, 1))}, "has one of x_guard and y_guard"),
    ],
)
def test_data_that_does_not_fit(
    bundle: Path, tmp_path: Path, changes: dict[str, np.ndarray], problem: str
) -> None:
    info = read_training_bundle(bundle).info
    path = tmp_path / "data.npz"
    np.savez(path, **{**local_arrays(), **changes})
    with pytest.raises(DataError, match=problem):
        load_local(path, info, edge="edge-00", guard_fraction=0.2, seed=0)


def test_data_that_is_not_there(bundle: Path, tmp_path: Path) -> None:
    info = read_training_bundle(bundle).info
    np.savez(tmp_path / "empty.npz")
    for name, problem in {
        "nope.npz": "nope.npz is not there$",
        "empty.npz": "holds no x_train and y_train; it has nothing$",
    }.items():
        with pytest.raises(DataError, match=problem):
            load_local(tmp_path / name, info, edge="edge-00", guard_fraction=0.2, seed=0)


def test_the_guard_is_held_out(bundle: Path, tmp_path: Path) -> None:
    info = read_training_bundle(bundle).info
    arrays = local_arrays()
    arrays["x_train"] = arrays["x_train"][..., 0]  # without a channel
    np.savez(tmp_path / "data.npz", **arrays)
    local = load_local(tmp_path / "data.npz", info, edge="edge-00", guard_fraction=0.2, seed=0)
    assert (len(local.edge.train), len(local.edge.guard)) == (240, 60)
    assert local.test is not None


def test_whole_groups_are_held_out(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arrays = local_arrays()
    groups = np.arange(300) // 25  # twelve patients
    np.savez(tmp_path / "data.npz", **arrays, group=groups)
    info = read_training_bundle(bundle).info
    local = load_local(tmp_path / "data.npz", info, edge="edge-00", guard_fraction=0.2, seed=0)
    patients = {
        image.tobytes(): group for image, group in zip(arrays["x_train"], groups, strict=True)
    }
    trained, held = (
        {patients[image.tobytes()] for image in part.inputs}
        for part in (local.edge.train, local.edge.guard)
    )
    assert (len(local.edge.train), len(local.edge.guard)) == (250, 50)
    assert (len(trained), len(held), trained & held) == (10, 2, set())
    assert main(train_words(bundle, tmp_path, "--epochs=1", "--json")) == 0
    assert json.loads(capsys.readouterr().out)["examples"] == 250


def test_a_file_that_trains_wrong_is_refused(bundle: Path, tmp_path: Path) -> None:
    whole = read_training_bundle(bundle)
    wrong = tmp_path / "wrong.zip"
    write_training_bundle(wrong, replace(whole, golden_outputs=whole.golden_outputs[::-1]))
    with pytest.raises(ExportError, match="trains wrong in ai-edge-litert"):
        check_training_bundle(wrong)
    newer = replace(whole.info, min_runtime="9.0.0")
    write_training_bundle(wrong, replace(whole, info=newer))
    with pytest.raises(ExportError, match="install a newer runtime"):
        check_training_bundle(wrong)
    with pytest.raises(ExportError, match="refuses the model"):
        write_training_bundle(wrong, replace(whole, model=b"no model"))
        check_training_bundle(wrong)


def test_a_bundle_of_another_kind(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "x.npz", x=local_arrays()["x_test"])
    assert main(["predict", str(bundle), str(tmp_path / "x.npz")]) == 8
    errors = capsys.readouterr().err
    assert main(["check", str(bundle)]) == 0
    assert "sound (trains dense with adam in ai-edge-litert" in capsys.readouterr().out
    assert "is a training bundle: 'train' takes it" in errors


def test_a_second_process_on_the_same_state(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with locked(tmp_path / "state" / "edge-00"):
        assert main(train_words(bundle, tmp_path)) == WorkdirError.exit_code
    assert "is in use by another process" in capsys.readouterr().err


def test_what_was_trained_is_not_lost(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    update = tmp_path / "state" / "edge-00" / "update.safetensors"
    assert main(train_words(bundle, tmp_path, "--epochs=1")) == 0
    first = update.read_bytes()
    capsys.readouterr()
    assert main(train_words(bundle, tmp_path, "--epochs=2")) == WorkdirError.exit_code
    assert "give another --state to keep it, or --replace" in capsys.readouterr().err
    checkpoint = update.with_name("learner.safetensors")
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[:-1])
    assert main(train_words(bundle, tmp_path, "--epochs=1")) == WorkdirError.exit_code
    assert "learner.safetensors is damaged" in capsys.readouterr().err
    checkpoint.unlink()
    assert main(train_words(bundle, tmp_path, "--epochs=1")) == WorkdirError.exit_code
    checkpoint.write_bytes(whole)
    assert update.read_bytes() == first
    assert main(train_words(bundle, tmp_path, "--epochs=1")) == 0  # the same again
    assert update.read_bytes() == first
    assert main(train_words(bundle, tmp_path, "--epochs=2", "--replace")) == 0
    assert update.read_bytes() != first


@pytest.mark.parametrize(
    ("argument", "problem"),
    [
        ("--learning-rate=inf", "--learning-rate is inf; it must be finite and above 0"),
        ("--learning-rate=nan", "--learning-rate is nan; it must be finite and above 0"),
        ("--learning-rate=0", "--learning-rate is 0.0; it must be finite and above 0"),
        ("--timeout=nan", "--timeout is nan; it must be a number above 0"),
        ("--timeout=0", "--timeout is 0.0; it must be a number above 0"),
        ("--timeout=-1", "--timeout is -1.0; it must be a number above 0"),
        ("--edge=../../evil", "--edge='../../evil' is no name of an edge"),
        ("--edge=", "--edge='' is no name of an edge"),
        ("--edge=..", "--edge='..' is no name of an edge"),
        ("--edge=a\0b", r"--edge='a\x00b' is no name of an edge"),
    ],
)
def test_arguments_that_no_training_has(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], argument: str, problem: str
) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert main(train_words(bundle, inner, argument, "--epochs=1")) == ConfigError.exit_code
    errors = capsys.readouterr().err
    assert problem in errors
    assert len(errors.splitlines()) == 1
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["data.npz"]


def start(arguments: list[str]) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "edge", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)


@pytest.mark.slow
def test_kill_9_at_any_moment(bundle: Path, tmp_path: Path) -> None:
    """Killed three times, it ends with the bits of a run that was left alone."""
    more = ("--epochs=150", "--threads=1")
    whole = tmp_path / "whole"
    whole.mkdir()
    assert start(train_words(bundle, whole, *more)).wait(timeout=120) == 0
    broken = tmp_path / "broken"
    broken.mkdir()
    state = broken / "state" / "edge-00" / "learner.safetensors"
    for _ in range(3):
        process = start(train_words(bundle, broken, *more))
        before = state.stat().st_mtime_ns if state.exists() else 0
        deadline = time.monotonic() + 60
        while not state.exists() or state.stat().st_mtime_ns == before:
            assert time.monotonic() < deadline
            if process.poll() is not None:
                break
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
    assert start(train_words(bundle, broken, *more)).wait(timeout=120) == 0
    name = Path("state/edge-00/update.safetensors")
    assert (whole / name).read_bytes() == (broken / name).read_bytes()


def test_a_servers_config_is_read() -> None:
    from ecavg_tf.config import Config
    from ecavg_tf.config.fields import shared_fields

    config = Config()
    config.edge.epochs = 7
    assert config_of(shared_fields(config)).edge.epochs == 7
    with pytest.raises(ConfigError, match="can't be read here"):
        config_of({"edge.magic": 3})
    with pytest.raises(ConfigError, match="can't be read here"):
        config_of({"edge": 3})
