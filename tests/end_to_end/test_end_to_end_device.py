"""Whole runs over files in which edges have no TensorFlow: they can't import it here."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from device_runs_for_tests import WITHOUT, device, ended_well, make_config, over_files
from paths_for_tests import ROOT

import ecavg_tf
from ecavg_tf.config import Config, TrainingFile, Trains
from ecavg_tf.core.files import read_json
from ecavg_tf.core.messages.update_file import Update
from ecavg_tf.core.template import Template
from ecavg_tf.data.sources import load_data
from ecavg_tf.models.builders import build_model
from ecavg_tf.results import RunResults
from edge.participating.accepted import accepted_files, read_accepted
from edge.participating.kept_bundles import kept_bundles
from edge.predict import Predictor

CONFIG = """\
from ecavg_tf.config import Config, PartitionKind

def get_config():
    config = Config()
    config.rounds = 3
    config.data.train_examples = 400
    config.data.test_examples = 200
    config.partition.kind = PartitionKind.CLASSES
    config.model.hidden_units = 16
    return config
"""


@pytest.fixture(scope="module")
def keras_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunResults, Path]:
    folder = tmp_path_factory.mktemp("keras")
    return ecavg_tf.run(make_config(), folder), folder


def weights_of(run: Path, update: str) -> list[np.ndarray]:
    """What an update carries, in the order of the run's template."""
    template = Template.from_json(read_json(run / "template.json"))
    return [weights for _, weights in Update(run / update).items(template)]


def assert_alike(results: RunResults, folder: Path, keras: tuple[RunResults, Path]) -> None:
    """Same rounds to float32's rounding: the server can't tell who trained with what."""
    for ours, theirs in zip(results.rounds, keras[0].rounds, strict=True):
        one, other = ours.server.global_.all, theirs.server.global_.all
        assert one is not None and other is not None
        assert one.accuracy == pytest.approx(other.accuracy, abs=0.02)
        for edge, keras_edge in zip(ours.edges, theirs.edges, strict=True):
            assert edge.local is not None and keras_edge.local is not None
            assert edge.local.own is not None and keras_edge.local.own is not None
            assert edge.local.own.accuracy == pytest.approx(keras_edge.local.own.accuracy, abs=0.02)
            assert edge.accepted is not None
            names = {rung.rung for rung in edge.rungs}
            assert {"global", "prior", "local"} <= names
    for edge in ("edge-00", "edge-01"):
        path = f"rounds/0001/updates/{edge}.safetensors"
        # Keras numbers layers over a process: keys differ between builds, the templates' order
        # does not.
        one, other = weights_of(folder, path), weights_of(keras[1], path)
        assert one
        for weights, keras_weights in zip(one, other, strict=True):
            np.testing.assert_allclose(weights, keras_weights, atol=1e-5)


def assert_state_predicts(config: Config, state: Path, edge: str) -> None:
    """What the state folder answers is what Keras answers with the accepted weights."""
    dataset = load_data(config.data, config.seed)
    inputs = dataset.test.inputs[:50]
    model = build_model(config, dataset.spec, "server")
    model.set_weights(read_accepted(accepted_files(state / edge)[-1]).weights)
    expected = np.asarray(model.predict(inputs.astype("float32"), verbose=0))
    found = Predictor.from_state(state, edge=edge).predict(inputs)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def told_to_predict(printed: str, *more: str) -> dict[str, Any]:
    """Runs the command that training ended with, where TensorFlow can't be imported."""
    said, _, command = printed.splitlines()[-1].partition(": ")
    assert said == "predict with it"
    assert command.startswith("python -m edge predict ")
    assert command.endswith(" INPUT")
    words = shlex.split(command)[3:-1]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, *words, *more, "--json"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.slow
def test_two_edges_without_tensorflow(tmp_path: Path, keras_run: tuple[RunResults, Path]) -> None:
    config = over_files(make_config(), tmp_path)
    edges = [device(config, tmp_path, f"edge-0{n}", "--pool") for n in (0, 1)]
    results = ecavg_tf.run(config, tmp_path / "server")
    printed = [ended_well(edge) for edge in edges]
    assert "round 3: epoch 3/3" in printed[0]
    assert_alike(results, tmp_path / "server", keras_run)
    assert len(list((tmp_path / "server" / "training").iterdir())) == 1
    for edge in ("edge-00", "edge-01"):
        assert_state_predicts(config, tmp_path / edge, edge)
    np.savez(tmp_path / "x.npz", x=load_data(config.data, config.seed).test.inputs[:3])
    told = told_to_predict(printed[1], str(tmp_path / "x.npz"))
    assert told["model"].endswith(", accepted in round 3")
    assert len(told["inputs"]) == 3


@pytest.mark.slow
def test_a_mixed_fleet(tmp_path: Path, keras_run: tuple[RunResults, Path]) -> None:
    config = over_files(make_config(), tmp_path)
    conf = tmp_path / "conf.py"
    conf.write_text(CONFIG)
    words = [f"--config={conf}", f"--config.fleet.folder={config.fleet.folder}"]
    words += ["--edge=edge-01", f"--workdir={tmp_path / 'keras'}"]
    with_keras = subprocess.Popen(
        [sys.executable, "-m", "ecavg_tf", "edge", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    without = device(config, tmp_path, "edge-00", "--pool")
    results = ecavg_tf.run(config, tmp_path / "server")
    for edge in (with_keras, without):
        ended_well(edge)
    assert_alike(results, tmp_path / "server", keras_run)


@pytest.mark.slow
@pytest.mark.parametrize("train", [Trains.HEAD, pytest.param(Trains.ALL, marks=pytest.mark.slow)])
def test_a_head_on_a_backbone(tmp_path: Path, train: Trains) -> None:
    """Frozen on the server, one file; trained by the server, a new file a round."""
    config = over_files(make_config(rounds=2), tmp_path)
    config.model.name = "models_for_tests:convolution"
    config.model.train = train
    config.fleet.training_file = TrainingFile.HEAD
    edges = [device(config, tmp_path, f"edge-0{n}", "--pool") for n in (0, 1)]
    results = ecavg_tf.run(config, tmp_path / "server")
    for edge in edges:
        ended_well(edge)
    assert not any(each.refused for each in results.rounds)
    for edge_name in ("edge-00", "edge-01"):
        assert_state_predicts(config, tmp_path / edge_name, edge_name)
        assert len(kept_bundles(tmp_path / edge_name / edge_name)) <= 2
    update = Update(tmp_path / "server" / "rounds" / "0002" / "updates" / "edge-00.safetensors")
    files = list((tmp_path / "server" / "training").iterdir())
    if train is Trains.HEAD:
        assert len(update.keys) == 2
        assert len(files) == 1
    else:
        assert len(update.keys) == 8
        assert len(files) == 3


@pytest.mark.slow
def test_data_stays_at_home_without_consent(tmp_path: Path) -> None:
    config = over_files(make_config(rounds=1), tmp_path)
    edges = [device(config, tmp_path, f"edge-0{n}") for n in (0, 1)]
    results = ecavg_tf.run(config, tmp_path / "server")
    for edge in edges:
        ended_well(edge)
    assert results.rounds[0].pooled_bytes == 0


def test_a_server_that_ships_no_training_file_is_told(tmp_path: Path) -> None:
    config = over_files(make_config(rounds=1), tmp_path)
    config.fleet.training_file = TrainingFile.NONE
    edges = [device(config, tmp_path, f"edge-0{n}") for n in (0, 1)]
    with pytest.raises(ecavg_tf.ECAvgError, match=r"set fleet\.training_file=head or dense"):
        ecavg_tf.run(config, tmp_path / "server")
    for edge in edges:
        _, errors = edge.communicate(timeout=60)
        assert edge.returncode == 2
        assert len(errors.splitlines()) == 1
