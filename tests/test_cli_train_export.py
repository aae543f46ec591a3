"""``ecavg export --trainable``, and a device that trains what it made."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from device_for_tests import local_arrays

import ecavg_tf
from ecavg_tf.cli import main
from ecavg_tf.config import Config
from ecavg_tf.core.training_bundle import read_training_bundle


def test_of_a_run_and_of_a_keras_file(
    small: Callable[[], Config], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    ecavg_tf.run(small(), run)
    assert main(["export", str(run), "--trainable=dense"]) == 0
    bundle = run / "exports" / "training-dense.bundle.zip"
    info = read_training_bundle(bundle).info
    assert (info.trainable, info.optimizer.name, info.held) == ("dense", "adam", (0, 1, 2, 3))
    assert (run / "exports" / "training-dense.tflite").exists()

    np.savez(tmp_path / "data.npz", **local_arrays())
    words = [f"--bundle={bundle}", f"--data={tmp_path / 'data.npz'}", f"--state={tmp_path / 's'}"]
    assert main(["train", *words, "--epochs=1"]) == 0
    assert "accuracy after" in capsys.readouterr().out

    file = run / "rounds" / "0001" / "global.keras"
    assert keras.models.load_model(file, compile=False) is not None
    assert main(["export", str(file), "--trainable=head"]) == 2
    assert "give --data=NAME" in capsys.readouterr().err
    more = ["--data=digits", f"--out={tmp_path / 'out'}", "--optimizer=sgd", "--momentum=0.9"]
    assert main(["export", str(file), "--trainable=head", *more]) == 0
    info = read_training_bundle(tmp_path / "out" / "training-head.bundle.zip").info
    assert (info.optimizer.momentum, info.held) == (0.9, (2, 3))


def test_flags_that_are_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(tmp_path), "--trainable=tail"]) == 2
    assert "head, dense" in capsys.readouterr().err
