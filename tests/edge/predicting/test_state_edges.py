"""Which edge of a state folder predicts where none is named."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from device_for_tests import local_arrays, training_bundle

from ecavg_tf.core.errors import ConfigError, WorkdirError
from edge.cli import main
from edge.predict import Predictor


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state that holds one edge, whose name is not the usual one."""
    folder = tmp_path_factory.mktemp("state")
    bundle = training_bundle(folder / "training.bundle.zip")
    np.savez(folder / "data.npz", **local_arrays())
    words = [f"--bundle={bundle}", f"--data={folder / 'data.npz'}", "--epochs=1"]
    assert main(["train", *words, f"--state={folder / 'state'}", "--edge=kitchen"]) == 0
    return folder / "state"


def test_the_only_edge_needs_no_name(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "state")
    (tmp_path / "state" / "lost+found").mkdir()  # as where the folder is a disk of its own
    predictor = Predictor.from_state(tmp_path / "state", check=False)
    assert predictor.model.source["edge"] == "kitchen"


def test_several_edges_need_one(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state"
    for edge in ("edge-00", "hall"):
        shutil.copytree(trained / "kitchen", state / edge)
    np.savez(tmp_path / "a.npz", x=local_arrays()["x_test"][:1])
    words = ["predict", f"--state={state}", str(tmp_path / "a.npz"), "--no-check"]
    assert main(words) == ConfigError.exit_code
    errors = capsys.readouterr().err
    assert "holds the edges edge-00, hall; say whose model predicts: --edge=edge-00" in errors
    assert len(errors.splitlines()) == 1
    assert main([*words, "--edge=hall"]) == 0


def test_no_edge_at_all(tmp_path: Path) -> None:
    with pytest.raises(WorkdirError, match="holds no edge edge-00; it has none"):
        Predictor.from_state(tmp_path)
