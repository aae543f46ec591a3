"""Whole runs of a binary classifier with one output: on the server, on edges, on devices."""

import subprocess
import sys
from pathlib import Path
from threading import Thread

import keras
import numpy as np
import pytest
from two_digits_for_tests import CLASSES, config_of_two, two_digits

import ecavg_tf
from ecavg_tf.cli import main
from ecavg_tf.config import Config, FleetKind, Output, PartitionKind, TrainingFile
from ecavg_tf.core.bundles.bundle import read_bundle
from ecavg_tf.core.bundles.training_bundle import read_training_bundle
from ecavg_tf.data.federated import federated_data
from ecavg_tf.results import RunResults
from edge.participating.agent import Agent
from edge.predict import Predictor
from export.proving.interpreter import LiteModel

FORMATS = ("float32", "float16", "dynamic", "int8")


def unequal(config: Config) -> Config:
    config.partition.kind, config.partition.alpha = PartitionKind.DIRICHLET, 0.5
    config.seed = 1
    return config


def keras_says(folder: Path, model: str) -> tuple[np.ndarray, np.ndarray]:
    """The second class' probability for the test set, and the labels."""
    held = two_digits()
    loaded = keras.models.load_model(folder / "rounds" / "0001" / "global.keras")
    answers = loaded.predict(held["x_test"].astype("float32"), verbose=0)[:, 0].astype(np.float64)
    return 1 / (1 + np.exp(-answers)) if model == "one_logit" else answers, held["y_test"]


@pytest.mark.parametrize(
    "model", ["one_sigmoid", pytest.param("one_logit", marks=pytest.mark.slow)]
)
def test_a_run_scores_and_decides_on_two_probabilities(tmp_path: Path, model: str) -> None:
    config = unequal(config_of_two(tmp_path, model))
    config.model.output = Output.LOGITS if model == "one_logit" else Output.PROBABILITIES
    results = ecavg_tf.run(config, tmp_path / "run")
    (played,) = results.rounds
    second, labels = keras_says(tmp_path / "run", model)
    scored = played.server.global_.all
    assert scored is not None
    assert scored.accuracy == pytest.approx(np.mean((second > 0.5) == labels))
    assert scored.accuracy > 0.9
    likelihood = np.where(labels == 1, second, 1 - second)
    assert scored.loss == pytest.approx(-np.log(likelihood).mean(), rel=1e-4)
    assert results.classes == CLASSES
    for edge in played.edges:
        names = {rung.rung for rung in edge.rungs}
        assert {"global", "prior", "blend", "local-head", "local"} <= names
        assert edge.accepted is not None


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("binary")
    config = unequal(config_of_two(folder, "one_sigmoid"))
    config.export.max_accuracy_loss = 0.05  # 117 test examples can't show that less is lost
    ecavg_tf.run(config, folder / "run")
    formats = f"--formats={','.join(FORMATS)}"
    assert main(["export", str(folder / "run"), formats, "--target=micro"]) == 0
    assert main(["export", str(folder / "run"), "--trainable=dense"]) == 0
    return folder / "run"


@pytest.mark.slow
def test_files_bundles_and_devices_give_two_probabilities(exported: Path) -> None:
    second, _ = keras_says(exported, "one_sigmoid")
    inputs = two_digits()["x_test"]
    for name in FORMATS:
        path = exported / "exports" / "global" / f"{name}.bundle.zip"
        bundle = read_bundle(path)
        kind = "logit_of_second" if name == "int8" else "probability_of_second"
        assert (bundle.info.output_kind, bundle.info.classes) == (kind, CLASSES)
        assert bundle.info.output.shape == (1, 1)
        assert bundle.golden_outputs.shape[1] == 2
        np.testing.assert_allclose(bundle.golden_outputs.sum(axis=1), 1.0, atol=1e-6)
        found = Predictor(path).predict(inputs)  # replays the golden pairs first
        near = {"float32": 1e-5, "float16": 5e-3, "dynamic": 0.05, "int8": 0.05}[name]
        np.testing.assert_allclose(found[:, 1], second, atol=near)
        assert np.mean((found.argmax(axis=1) == 1) == (second > 0.5)) > 0.97
    plain = LiteModel((exported / "exports" / "global" / "float32.tflite").read_bytes())
    np.testing.assert_allclose(plain.answers(inputs)[:, 0], second, atol=1e-5)


@pytest.mark.slow
def test_a_microcontroller_reads_the_one_score(exported: Path) -> None:
    folder = exported / "exports" / "global" / "micro"
    header = (folder / "model_data.h").read_text()
    output = read_bundle(exported / "exports" / "global" / "int8.bundle.zip").info.output
    assert f"kEvenScore = {output.zero_point};" in header
    assert "kOutputSize = 1;" in header and "kLabelCount = 2;" in header
    source = (folder / "main.cc").read_text()
    assert "return scores[0] > ecavg::kEvenScore ? 1 : 0;" in source
    assert "scores[best]" not in source


@pytest.mark.slow
def test_a_device_trains_the_one_output_as_keras_does(exported: Path, tmp_path: Path) -> None:
    path = exported / "exports" / "training-dense.bundle.zip"
    info = read_training_bundle(path).info  # its golden steps were compared with Keras'
    assert info.classes == CLASSES
    assert info.template.weights[info.head_bias or 0].shape == (1,)
    np.savez(tmp_path / "mine.npz", **two_digits())
    words = ["-m", "edge", "train", "--edge=north", f"--bundle={path}", "--epochs=2"]
    words += [f"--data={tmp_path / 'mine.npz'}", f"--state={tmp_path / 'state'}"]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True)
    assert "accuracy after" in done.stdout
    found = Predictor.from_state(tmp_path / "state").predict(two_digits()["x_test"])
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-6)
    assert np.mean(found.argmax(axis=1) == two_digits()["y_test"]) > 0.9


@pytest.mark.slow
def test_edges_without_tensorflow_do_as_keras_edges_do(tmp_path: Path) -> None:
    config = unequal(config_of_two(tmp_path, "one_sigmoid"))
    config.rounds = 2
    near = ecavg_tf.run(config, tmp_path / "near")
    data = federated_data(config)
    for edge in data.edges:
        share = data.edge(edge)
        arrays = {"train": share.train, "guard": share.guard, "test": data.test}
        held = {f"x_{name}": part.inputs for name, part in arrays.items()}
        held |= {f"y_{name}": part.labels for name, part in arrays.items()}
        np.savez(tmp_path / f"{edge}.npz", **held)
    config.fleet.kind, config.fleet.folder = FleetKind.FOLDER, str(tmp_path / "exchange")
    config.fleet.training_file, config.fleet.timeout_s = TrainingFile.DENSE, 120
    agents = [
        Agent(
            edge=edge,
            exchange=tmp_path / "exchange",
            state=tmp_path / "state",
            data=tmp_path / f"{edge}.npz",
            bundle=None,
            pool=True,
            threads=1,
            timeout_s=120,
        )
        for edge in data.edges
    ]
    threads = [Thread(target=agent.run) for agent in agents]
    for thread in threads:
        thread.start()
    far = ecavg_tf.run(config, tmp_path / "far")
    for thread in threads:
        thread.join(timeout=60)
    assert_alike(near, far)


def assert_alike(one: RunResults, other: RunResults) -> None:
    for ours, theirs in zip(one.rounds, other.rounds, strict=True):
        assert ours.server.global_.all is not None and theirs.server.global_.all is not None
        loss = ours.server.global_.all.loss
        assert theirs.server.global_.all.loss == pytest.approx(loss, abs=1e-3)
        for edge, far in zip(ours.edges, theirs.edges, strict=True):
            assert edge.accepted is not None and far.accepted is not None
            assert edge.accepted.rung == far.accepted.rung
            assert [rung.rung for rung in edge.rungs] == [rung.rung for rung in far.rungs]
            for rung, far_rung in zip(edge.rungs, far.rungs, strict=True):
                # The whole test set is the device's own; here it is weighed by labels for that.
                assert rung.all is not None and far_rung.own is not None
                assert far_rung.own.loss == pytest.approx(rung.all.loss, abs=1e-3)
