"""Pipes, devices and folders where a file was expected: one line, and no waiting for ever."""

import os
from pathlib import Path

import numpy as np
import pytest
from device_for_tests import local_arrays, training_bundle

from ecavg_tf.core.errors import DataError, ExportError, WorkdirError
from ecavg_tf.core.files import NotRegularError, file_sha256, read_json, write_json
from ecavg_tf.core.numpy_files import read_arrays
from ecavg_tf.data.image_folder import load
from ecavg_tf.results import load_results
from edge.cli import main
from edge.predicting.inputs import Wanted, load_inputs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipe of every name, a bundle and data."""
    folder = tmp_path_factory.mktemp("pipes")
    training_bundle(folder / "training.bundle.zip")
    np.savez(folder / "data.npz", **local_arrays())
    for name in ("pipe.bundle.zip", "pipe.npz", "pipe.npy", "pipe.png"):
        os.mkfifo(folder / name)
    (folder / "zero.npz").symlink_to("/dev/zero")
    (folder / "linked.bundle.zip").symlink_to("training.bundle.zip")
    return folder


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        (["check", "pipe.bundle.zip"], 8, "bundle pipe.bundle.zip"),
        (["check", "/dev/zero"], 8, "bundle /dev/zero"),
        (["check", "."], 8, "bundle ."),
        (["predict", "pipe.bundle.zip", "data.npz"], 8, "bundle pipe.bundle.zip"),
        (["train", "--bundle=pipe.bundle.zip", "--data=data.npz"], 8, "bundle pipe.bundle.zip"),
        (["train", "--bundle=training.bundle.zip", "--data=pipe.npz"], 3, "pipe.npz"),
        (["train", "--bundle=training.bundle.zip", "--data=zero.npz"], 3, "zero.npz"),
    ],
)
def test_commands(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    what: str,
) -> None:
    monkeypatch.chdir(folder)
    state = ["--state=state", "--edge=north"] if words[0] == "train" else []
    assert main([*words, *state]) == code
    errors = capsys.readouterr().err
    assert f"{what} is no regular file; give the " in errors
    assert len(errors.splitlines()) == 1


@pytest.mark.parametrize("name", ["pipe.npz", "pipe.npy", "pipe.png"])
def test_inputs(folder: Path, name: str) -> None:
    with pytest.raises(DataError, match=f"{name} is no regular file; give the"):
        list(load_inputs([str(folder / name)], Wanted((8, 8, 1), "uint8", (0.0, 16.0))))


def test_readers(folder: Path) -> None:
    with pytest.raises(NotRegularError, match="is no regular file"):
        file_sha256(folder / "pipe.npz")
    with pytest.raises(DataError, match="is no regular file"):
        read_arrays(folder)


def test_a_link_to_a_file_is_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(folder / "linked.bundle.zip")]) == 0
    assert "sound" in capsys.readouterr().out


def test_a_signature_and_keys_that_are_pipes(tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    from keys_for_tests import keys

    from export.delivering.signing import load_private_key, load_public_key, verify

    bundle = tmp_path / "a.bundle.zip"
    bundle.write_bytes(b"any bytes")
    for name in ("a.bundle.zip.sig", "pipe.pem"):
        os.mkfifo(tmp_path / name)
    for load_key in (load_private_key, load_public_key):
        with pytest.raises(ExportError, match=r"key .*pipe\.pem can't be read: .*no regular file"):
            load_key(tmp_path / "pipe.pem")
    with pytest.raises(ExportError, match=r"a\.bundle\.zip\.sig is no regular file"):
        verify(bundle, load_public_key(keys(tmp_path)[1]))


def test_a_pipe_among_the_pictures_of_a_class(tmp_path: Path) -> None:
    from PIL import Image

    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / name / "1.png")
    os.mkfifo(tmp_path / "a" / "2.png")
    with pytest.raises(DataError, match=r"2\.png is no regular file"):
        load(tmp_path, 0, 0)


def test_pipes_in_a_run_directory_that_goes_on(tmp_path: Path) -> None:
    from ecavg_tf.config import Config
    from ecavg_tf.config.fields import to_dict
    from ecavg_tf.data.server_data import kept_spec, read_spec
    from ecavg_tf.rundir import RunDirectory

    write_json(tmp_path / "config.json", to_dict(Config()))
    for name in ("results.json", "task.json"):
        os.mkfifo(tmp_path / name)
    assert RunDirectory(tmp_path, Config()).finished() is None
    with pytest.raises(WorkdirError, match=r"task\.json is damaged \(.*is no regular file"):
        kept_spec(tmp_path)
    with pytest.raises(DataError, match=r"task\.json can't be read: .*is no regular file"):
        read_spec(str(tmp_path / "task.json"))


def test_a_pipe_in_place_of_results(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "results.json")
    with pytest.raises(WorkdirError, match=r"results\.json is damaged \(.*no regular file"):
        load_results(tmp_path)
    with pytest.raises(WorkdirError, match=r"results\.json can't be read: is no regular file"):
        read_json(tmp_path / "results.json")
