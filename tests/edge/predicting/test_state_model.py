"""Predicting with what a device trained alone, and what its state folder holds of it."""

import io
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import exports_for_tests as made
import numpy as np
import pytest
from device_for_tests import cut, train_words, training_bundle
from paths_for_tests import ROOT

from ecavg_tf.config import ModelConfig
from ecavg_tf.core.bundles.training_bundle import (
    read_training_bundle,
    write_training_bundle,
)
from ecavg_tf.core.errors import ECAvgError, WorkdirError
from ecavg_tf.core.messages.update_file import Update
from ecavg_tf.models.builders import mlp
from edge.cli import main
from edge.device.checkpoint import locked
from edge.participating.kept_bundles import kept_bundles
from edge.predict import Predictor

SPEC = made.digits().spec
TEST = made.digits().test.inputs[:20]
UPDATE = "update.safetensors"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return training_bundle(tmp_path_factory.mktemp("training") / "training.bundle.zip")


def words(bundle: Path, folder: Path, *more: str) -> list[str]:
    return train_words(bundle, folder, "--learning-rate=0.01", *more)


@pytest.fixture(scope="module")
def trained(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    assert main(words(bundle, folder)) == 0
    return folder / "state"


@pytest.fixture
def state(trained: Path, tmp_path: Path) -> Path:
    """A state folder to damage."""
    shutil.copytree(trained, tmp_path / "state")
    return tmp_path / "state"


def kept(state: Path) -> Path:
    (found,) = kept_bundles(state / "edge-00")
    return found


def answers(state: Path) -> np.ndarray:
    return Predictor.from_state(state, check=False).predict(TEST)


def keras_answers(bundle: Path, update: Path) -> np.ndarray:
    """What Keras says with an update's weights."""
    model = mlp(SPEC, ModelConfig(hidden_units=32))
    template = read_training_bundle(bundle).info.template
    model.set_weights([array for _, array in Update(update).items(template)])
    return np.asarray(model.predict(TEST.astype("float32"), verbose=0))


def test_what_was_trained_alone_says_what_keras_says(bundle: Path, trained: Path) -> None:
    predictor = Predictor.from_state(trained, edge="edge-00", threads=1)
    expected = keras_answers(bundle, trained / "edge-00" / UPDATE)
    np.testing.assert_allclose(predictor.predict(TEST), expected, atol=1e-5)
    assert predictor.predict(TEST[:0]).shape == (0, 10)
    assert kept(trained).read_bytes() == bundle.read_bytes()


def test_training_ends_with_the_command_that_predicts(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "with a space"
    folder.mkdir()
    assert main(words(bundle, folder, "--edge=my edge", "--epochs=1")) == 0
    last = shlex.split(capsys.readouterr().out.splitlines()[-1])
    assert last[:5] == ["predict", "python", "-m", "edge", "predict"]
    np.savez(folder / "a.npz", x=TEST)
    command = [*last[4:-1], str(folder / "a.npz")]
    assert main([*command, "--top=2", "--no-check"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 20
    assert lines[0].count("%") == 2
    assert main([*command, "--json", "--threads=1"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["edge"], told["model"], told["format"]) == ("my edge", "trained alone", "training")
    assert len(told["inputs"]) == 20


def test_raw_bytes(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = io.BytesIO(TEST[:3].astype(np.uint8).tobytes())
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stream))
    assert main(["predict", f"--state={trained}", "-", "--json", "--no-check"]) == 0
    told = json.loads(capsys.readouterr().out)
    best = answers(trained)[:3].argmax(axis=1)
    assert [row["top"][0]["label"] for row in told["inputs"]] == [str(n) for n in best]


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (["--state=nowhere", "a.npz"], 4, "nowhere is not there; give the --state folder"),
        (["--state=STATE", "--edge=edge-07", "a.npz"], 4, "no edge edge-07; it has edge-00"),
        (["--state=STATE", "int8.bundle.zip", "a.npz"], 2, "both the bundle int8.bundle.zip and"),
        (["int8.bundle.zip", "a.npz", "--edge=edge-00"], 2, "--edge names an edge of --state"),
        (["--state=STATE", "--edge=../edge-00", "a.npz"], 2, "'../edge-00' is no name of an edge"),
        (["--state=STATE", "--edge=", "a.npz"], 2, "--edge='' is no name of an edge"),
        (["int8.bundle.zip"], 2, "came alone; give BUNDLE IMAGE, or --state=DIR IMAGE"),
        (["--state=STATE", "a.npz", "-"], 2, "can't be given beside other images"),
    ],
)
def test_arguments_that_do_not_fit(
    trained: Path,
    arguments: list[str],
    code: int,
    problem: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["predict", *(word.replace("STATE", str(trained)) for word in arguments)]) == code
    errors = capsys.readouterr().err
    assert problem in errors
    assert len(errors.splitlines()) == 1


def test_nothing_is_there_yet(tmp_path: Path) -> None:
    (tmp_path / "edge-00").mkdir()
    told = (
        "holds no model yet; train alone to the end, or serve .* at the end of a run of one round"
    )
    with pytest.raises(WorkdirError, match=told):
        Predictor.from_state(tmp_path)


def another(path: Path) -> None:
    """The same bundle with another origin: a sound file with other bytes."""
    whole = read_training_bundle(path)
    write_training_bundle(path, replace(whole, info=replace(whole.info, origin={"run": "other"})))


@pytest.mark.parametrize(
    ("damage", "name", "problem"),
    [
        (Path.unlink, "bundle", "lacks training-.*, which update.safetensors was trained with"),
        (cut, "bundle", "is not the file that update.safetensors was trained with"),
        (another, "bundle", "run the train command again, which goes on from its last epoch"),
        (cut, "update", "update.safetensors is damaged .* run the train command again"),
    ],
)
def test_damaged_files(
    bundle: Path, state: Path, damage: Callable[[Path], None], name: str, problem: str
) -> None:
    expected = answers(state)
    damage(kept(state) if name == "bundle" else state / "edge-00" / UPDATE)
    with pytest.raises(WorkdirError, match=problem):
        answers(state)
    assert main(words(bundle, state.parent)) == 0  # as the line says
    np.testing.assert_array_equal(answers(state), expected)


def test_an_update_with_other_bytes_is_never_used(state: Path) -> None:
    expected, path, draws = answers(state), state / "edge-00" / UPDATE, np.random.default_rng(0)
    whole, refused = path.read_bytes(), 0
    for at in draws.integers(0, len(whole), 60):
        changed = bytearray(whole)
        changed[at] ^= int(draws.integers(1, 256))
        path.write_bytes(changed)
        try:
            np.testing.assert_array_equal(answers(state), expected)
        except ECAvgError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 40


def test_predicting_while_another_process_trains(trained: Path) -> None:
    before = sorted((path.name, path.stat().st_mtime_ns) for path in trained.rglob("*"))
    with locked(trained / "edge-00"):
        assert answers(trained).shape == (20, 10)
    after = sorted((path.name, path.stat().st_mtime_ns) for path in trained.rglob("*"))
    assert [each for each in before if each[0] != ".ecavg-lock"] == [
        each for each in after if each[0] != ".ecavg-lock"
    ]


KILLED = """\
import os, pathlib, signal, sys
real = pathlib.Path.replace
def replace(self, target):
    if pathlib.Path(target).match(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, target)
pathlib.Path.replace = replace
from edge.cli import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize("name", ["training-*.bundle.zip", UPDATE])
def test_killed_while_it_writes(bundle: Path, state: Path, name: str) -> None:
    """A second training, killed at its last step, leaves the first one's model whole."""
    expected = answers(state)
    if name != UPDATE:  # else it lies there already and is not written again
        other = state.parent / "other.bundle.zip"
        shutil.copy(bundle, other)
        another(other)
        bundle = other
    arguments = words(bundle, state.parent, "--epochs=4", "--replace")
    command = [sys.executable, "-c", KILLED, name, *arguments]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, timeout=120
    )
    assert done.returncode == -signal.SIGKILL
    np.testing.assert_array_equal(answers(state), expected)
    assert main(arguments) == 0
    assert np.abs(answers(state) - expected).max() > 1e-3
    left = [path.name for path in (state / "edge-00").glob(".ecavg-*bundle.zip")]
    assert left == []
