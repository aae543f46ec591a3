"""``ecavg export --trainable``, and a device that trains what it made."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from device_for_tests import local_arrays

import ecavg_tf
from ecavg_tf.cli import main
from ecavg_tf.config import Config
from ecavg_tf.core.bundles.training_bundle import read_training_bundle, write_training_bundle
from ecavg_tf.results import load_results


@pytest.mark.slow
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
    assert main(["train", *words, "--epochs=1", "--edge=north"]) == 0
    assert "accuracy after" in capsys.readouterr().out

    file = run / "rounds" / "0001" / "global.keras"
    assert keras.models.load_model(file, compile=False) is not None
    assert main(["export", str(file), "--trainable=head"]) == 2
    assert "give --data=NAME" in capsys.readouterr().err
    more = ["--data=digits", f"--out={tmp_path / 'out'}", "--optimizer=sgd", "--momentum=0.9"]
    assert main(["export", str(file), "--trainable=head", "--batch-size=8", *more]) == 0
    info = read_training_bundle(tmp_path / "out" / "training-head.bundle.zip").info
    assert (info.optimizer.momentum, info.held, info.batch) == (0.9, (2, 3), 8)


@pytest.mark.slow
def test_what_lies_there_is_not_replaced_silently(
    small: Callable[[], Config], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    ecavg_tf.run(small(), run)
    words = ["export", str(run), "--trainable=head"]
    bundle = run / "exports" / "training-head.bundle.zip"
    signature = bundle.with_name(bundle.name + ".sig")
    assert main(words) == 0
    command = f"python -m edge train --edge=NAME --bundle={bundle} --data=MINE.npz --state=DIR"
    assert f"with adam:\n  {command}\n" in capsys.readouterr().out
    signature.write_bytes(b"of somebody")
    assert main(words) == 0
    assert signature.exists()
    assert "is made again" not in capsys.readouterr().out

    assert main([*words, "--optimizer=sgd", "--momentum=0.9"]) == 0
    assert not signature.exists()
    said = f"{bundle} (adam) is made again for sgd, momentum 0.9; its signature is gone\n"
    assert said in capsys.readouterr().out
    found = read_training_bundle(bundle)
    info = replace(found.info, origin={"run": "of somebody"})
    write_training_bundle(bundle, replace(found, info=info))
    assert main([*words, "--optimizer=sgd", "--momentum=0.9"]) == 0
    said = f"{bundle} (sgd, momentum 0.9) is made again with other contents\n"
    assert said in capsys.readouterr().out

    bundle.write_bytes(b"my own")
    assert main(words) == 8
    (line,) = capsys.readouterr().err.splitlines()
    assert "move it away, or give another folder with --out" in line
    assert bundle.read_bytes() == b"my own"


def test_flags_that_are_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(tmp_path), "--trainable=tail"]) == 2
    assert "head, dense" in capsys.readouterr().err
    for flag in (
        "--edge=edge-00",
        "--formats=int8",
        "--target=web",
        "--flash=1M",
        "--ram=1M",
        "--value-range=0,1",
    ):
        assert main(["export", str(tmp_path), "--trainable=head", flag]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert f"{flag.split('=')[0]} does not go with --trainable" in line


def test_a_changed_global_model_does_not_train(
    small: Callable[[], Config], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    ecavg_tf.run(small(), run)
    rounds = run / "rounds" / "0001"
    shutil.copy(rounds / "averaged.safetensors", rounds / "global.safetensors")
    assert main(["export", str(run), "--trainable=head"]) == 4
    assert "is not the one that was accepted" in capsys.readouterr().err


@pytest.mark.slow
def test_training_bundles_are_signed(
    small: Callable[[], Config], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("cryptography")
    from keys_for_tests import keys

    secret, public = keys(tmp_path)
    run = tmp_path / "run"
    ecavg_tf.run(small(), run)
    signature = run / "exports" / "training-dense.bundle.zip.sig"
    verify = ["export", f"--verify={public}", str(run / "exports")]
    assert main(["export", str(run), "--trainable=dense", f"--sign={tmp_path / 'no.pem'}"]) == 8
    assert not signature.exists()
    assert main(["export", str(run), "--trainable=dense", f"--sign={secret}"]) == 0
    capsys.readouterr()
    assert main(verify) == 0
    run_id = load_results(run).environment["run_id"]
    assert f"run {run_id}, round 1, edge none, trains dense" in capsys.readouterr().out
    assert main(["export", str(run), "--trainable=dense"]) == 0
    assert signature.exists()  # of the same content
    assert main(["export", str(run), "--trainable=dense", "--optimizer=sgd"]) == 0
    assert not signature.exists()  # of what was there before
    assert main(["export", str(run), "--trainable=dense"]) == 0
    bundle = run / "exports" / "training-dense.bundle.zip"
    found = read_training_bundle(bundle)
    info = replace(found.info, classes=found.info.classes[::-1])
    write_training_bundle(bundle, replace(found, info=info))  # somebody else's
    plain = ["export", str(run), "--formats=float32", "--accept-unproved"]
    assert main([*plain, f"--sign={secret}"]) == 0
    assert main(verify) == 0
    assert signature.exists()
    assert read_training_bundle(bundle).info.classes == found.info.classes
    bundle.write_bytes(bundle.read_bytes()[:-9])
    signature.unlink()
    capsys.readouterr()
    assert main(["export", str(run), "--formats=float32", f"--sign={secret}"]) == 8
    assert "can't be read" in capsys.readouterr().err
    assert not signature.exists()
