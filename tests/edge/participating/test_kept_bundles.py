"""Training bundles that an edge keeps: the one that its model needs stays, whole."""

from pathlib import Path

import exports_for_tests as made
import keras
import numpy as np
import pytest
from device_for_tests import cut, train_words, training_bundle
from models_for_tests import convolution

from ecavg_tf.core.bundles.training_bundle import (
    OptimizerSpec,
    TrainingInfo,
    training_file_name,
    write_training_bundle,
)
from ecavg_tf.core.errors import ExportError, WorkdirError
from ecavg_tf.core.scores import Accepted, Decision
from ecavg_tf.core.template import weights_sha256
from ecavg_tf.models.builders import template_of
from edge.cli import main
from edge.participating.kept_bundles import drop_bundles, keep_bundle, kept_bundles
from edge.participating.store import EdgeStore
from edge.predict import Predictor
from export.making.training import TrainingExporter

SPEC = made.digits().spec
TEST = made.digits().test.inputs[:20]


def answers(state: Path) -> np.ndarray:
    return Predictor.from_state(state, check=False).predict(TEST)


def test_a_bundle_that_changes_meanwhile_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "changed.bundle.zip").write_bytes(b"another file by now")
    folder = tmp_path / "edge-00"
    with pytest.raises(ExportError, match="was changed while it was used; run the same command"):
        keep_bundle(folder, tmp_path / "changed.bundle.zip", "0" * 64, "ab" * 32)
    assert list(folder.iterdir()) == []


def head_bundle(folder: Path, seed: int) -> tuple[keras.Model, Path, TrainingInfo]:
    """A model whose convolution is frozen, kept in an edge's folder."""
    keras.utils.set_random_seed(seed)
    model = convolution(SPEC)
    exporter = TrainingExporter(model, SPEC, "head", OptimizerSpec("adam"))
    whole = exporter.bundle(made.digits().test, {"run": None})
    path = folder / training_file_name(whole.info.frozen_sha256)
    write_training_bundle(path, whole)
    return model, path, whole.info


def accept(store: EdgeStore, model: keras.Model, round_number: int) -> None:
    weights = model.get_weights()
    accepted = Accepted("global", None, None, None, weights_sha256(weights))
    decision = Decision(round_number, store.edge, 1, (1,), (), accepted, 0.0)
    store.save_accepted(decision, template_of(model).named(weights))


@pytest.mark.slow
def test_an_accepted_model_of_an_older_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    training = training_bundle(tmp_path / "training.bundle.zip")
    folder = tmp_path / "edge-00"
    store = EdgeStore(folder, "edge-00", "run")
    older, older_path, _ = head_bundle(folder, 1)
    _, newer_path, newer_info = head_bundle(folder, 2)
    _, unneeded, _ = head_bundle(folder, 3)
    accept(store, older, 1)
    (folder / f".ecavg-x-{unneeded.name}").write_bytes(b"half")
    drop_bundles(folder, newer_info)
    assert set(kept_bundles(folder)) == {older_path, newer_path}
    assert not list(folder.glob(".ecavg-*"))
    predictor = Predictor.from_state(tmp_path)
    assert predictor.model.source["model"] == "global, accepted in round 1"
    expected = older.predict(TEST.astype("float32"), verbose=0)
    np.testing.assert_allclose(predictor.predict(TEST), expected, atol=1e-5)
    assert main([*train_words(training, tmp_path)[:4], f"--state={tmp_path}"]) == 4
    assert "holds an edge's models of a run; give another --state" in capsys.readouterr().err
    cut(older_path)
    with pytest.raises(ExportError, match="can't be read"):
        answers(tmp_path)
    older_path.unlink()
    with pytest.raises(WorkdirError, match="lacks the training bundle of its accepted model"):
        answers(tmp_path)
    cut(folder / "accepted-0001.safetensors")
    with pytest.raises(WorkdirError, match=r"is damaged .* restore it from a copy, or begin again"):
        answers(tmp_path)
    assert newer_path.exists()
