"""``--sign`` signs what this command made, and nothing that it found."""

import json
from dataclasses import replace
from pathlib import Path

import keras
import pytest

from ecavg_tf.cli import main
from ecavg_tf.core.bundles.bundle import read_bundle, write_bundle
from ecavg_tf.core.files import file_sha256
from export.delivering.earlier_files import RECORD

pytest.importorskip("cryptography")
from keys_for_tests import keys


@pytest.fixture
def exported(tmp_path: Path) -> tuple[list[str], Path]:
    """The command, and the folder of the files that it made, unsigned."""
    keras.utils.set_random_seed(0)
    ends = [keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
    keras.Sequential([keras.Input((8, 8, 1)), *ends]).save(tmp_path / "mine.keras")
    command = ["export", str(tmp_path / "mine.keras"), f"--out={tmp_path / 'shared'}"]
    command += ["--formats=float32", "--value-range=0,16"]
    assert main(command) == 0
    return command, tmp_path / "shared" / "mine"


def doctor(folder: Path, bundle: str, path: Path) -> None:
    record = json.loads((folder / RECORD).read_text())
    (row,) = [row for row in record["files"] if row["variant"] == "float32"]
    row.update(bundle=bundle, bundle_sha256=file_sha256(path))
    (folder / RECORD).write_text(json.dumps(record))


@pytest.mark.slow
def test_a_bundle_that_somebody_put_there_is_not_signed(
    exported: tuple[list[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command, folder = exported
    secret, public = keys(tmp_path)
    path = folder / "float32.bundle.zip"
    bundle = read_bundle(path)
    reversed_labels = replace(bundle.info, classes=bundle.info.classes[::-1])
    write_bundle(path, replace(bundle, info=reversed_labels))
    doctor(folder, "mine/float32.bundle.zip", path)
    assert main([*command, f"--sign={secret}"]) == 0
    assert read_bundle(path).info.classes == bundle.info.classes
    capsys.readouterr()
    assert main(["export", f"--verify={public}", str(folder)]) == 0
    assert "float32.bundle.zip: whole, and signed" in capsys.readouterr().out


@pytest.mark.slow
def test_no_signature_is_made_elsewhere(exported: tuple[list[str], Path], tmp_path: Path) -> None:
    command, folder = exported
    secret, _ = keys(tmp_path)
    victim = tmp_path / "victim" / "other.bundle.zip"
    victim.parent.mkdir()
    victim.write_bytes(b"of another")
    doctor(folder, "../victim/other.bundle.zip", victim)
    assert main([*command, f"--sign={secret}"]) == 0
    assert list(victim.parent.iterdir()) == [victim]
    assert (folder / "float32.bundle.zip.sig").exists()
