"""Bundles for the device half, made once for all its tests."""

from pathlib import Path

import exports_for_tests as made
import keras
import numpy as np

from ecavg_tf.config import ModelConfig
from ecavg_tf.core.bundles.training_bundle import OptimizerSpec, write_training_bundle
from ecavg_tf.core.template import weights_sha256
from ecavg_tf.models.builders import mlp
from export.exporter import Exporter
from export.making.calibration import draw
from export.making.formats import Variant
from export.making.training import TrainingExporter
from export.subject import Subject

VARIANTS = (Variant.FLOAT32, Variant.FLOAT16, Variant.DYNAMIC, Variant.INT8)


def export_bundles(folder: Path) -> dict[str, Path]:
    """A bundle of every format, by the format's name."""
    digits = made.digits()
    subject = Subject(
        name="edge-00",
        weights_sha256=weights_sha256(made.model().get_weights()),
        origin={"edge": "edge-00"},
        calibration=draw(digits.train, 100, 0, "training examples"),
        inputs=digits.test.inputs,
        labels=digits.test.labels,
        words="test examples",
    )
    exporter = Exporter(made.model(), digits.spec, False, latency_s=0.0)
    rows = exporter.export(subject, VARIANTS, folder / "edge-00")
    assert [row.status for row in rows] == ["passed"] * len(VARIANTS), rows
    return {row.variant: folder / str(row.bundle) for row in rows}


def keras_answers(inputs: np.ndarray) -> np.ndarray:
    """What Keras says of raw inputs."""
    return np.asarray(made.model().predict(inputs.astype("float32"), verbose=0))


def training_bundle(path: Path) -> Path:
    """A training bundle of a small MLP for digits, all layers, Adam."""
    keras.utils.set_random_seed(0)
    spec = made.digits().spec
    model = mlp(spec, ModelConfig(hidden_units=32))
    exporter = TrainingExporter(model, spec, "dense", OptimizerSpec("adam"))
    write_training_bundle(path, exporter.bundle(made.digits().test, {"run": None}))
    return path


def local_arrays(count: int = 300) -> dict[str, np.ndarray]:
    """What a device's data file holds."""
    train, test = made.digits().train.take(np.arange(count)), made.digits().test
    return {
        "x_train": train.inputs,
        "y_train": train.labels,
        "x_test": test.inputs,
        "y_test": test.labels,
    }


def train_words(bundle: Path, folder: Path, *more: str) -> list[str]:
    """A command that trains alone, in a folder that gets data of its own."""
    if not (folder / "data.npz").exists():
        np.savez(folder / "data.npz", **local_arrays())
    common = [f"--bundle={bundle}", f"--data={folder / 'data.npz'}", f"--state={folder / 'state'}"]
    return ["train", "--edge=edge-00", *common, *more]


def cut(path: Path) -> None:
    """Damages a file: its end is lost."""
    path.write_bytes(path.read_bytes()[:-99])
