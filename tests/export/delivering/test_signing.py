import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from bundles_for_tests import made, trains
from keys_for_tests import keys, written

from ecavg_tf.cli import main
from ecavg_tf.core.bundles.bundle import write_bundle
from ecavg_tf.core.bundles.training_bundle import write_training_bundle
from ecavg_tf.core.errors import ExportError
from ecavg_tf.core.files import TEMPORARY_PREFIX
from export.delivering.signing import load_private_key, load_public_key, sign, verify

pytest.importorskip("cryptography")
from cryptography.hazmat.primitives.asymmetric import ec


def test_signed_and_verified(tmp_path: Path) -> None:
    secret, public = keys(tmp_path)
    bundle = tmp_path / "int8.bundle.zip"
    write_bundle(bundle, made())
    signature = sign(bundle, load_private_key(secret))
    first = signature.read_bytes()
    verify(bundle, load_public_key(public))
    assert sign(bundle, load_private_key(secret)).read_bytes() == first


def test_a_changed_bundle_another_key_and_no_signature(tmp_path: Path) -> None:
    secret, public = keys(tmp_path)
    _, stranger = keys(tmp_path, "stranger")
    bundle = tmp_path / "int8.bundle.zip"
    write_bundle(bundle, made())
    with pytest.raises(ExportError, match="is not signed"):
        verify(bundle, load_public_key(public))
    sign(bundle, load_private_key(secret))
    with pytest.raises(ExportError, match="another key signed it"):
        verify(bundle, load_public_key(stranger))
    bundle.write_bytes(bundle.read_bytes() + b"\0")
    with pytest.raises(ExportError, match="was changed"):
        verify(bundle, load_public_key(public))


def test_keys_that_are_none(tmp_path: Path) -> None:
    secret, public = written(tmp_path, "curve", ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(ExportError, match="no Ed25519 key"):
        load_private_key(secret)
    with pytest.raises(ExportError, match="no Ed25519 key"):
        load_public_key(public)
    with pytest.raises(ExportError, match="can't be read"):
        load_private_key(tmp_path / "nothing.pem")
    with pytest.raises(ExportError, match="can't be read"):
        load_public_key(secret)


@pytest.fixture
def delivered(tmp_path: Path) -> tuple[Path, Path]:
    """A folder of signed bundles with the plain files beside them, and the public key."""
    secret, public = keys(tmp_path)
    key, folder = load_private_key(secret), tmp_path / "exports"
    for edge in ("edge-00", "edge-01"):
        origin = {**made().info.origin, "edge": edge, "weights_sha256": f"{edge[-1]}a" * 32}
        bundle = replace(made(), info=replace(made().info, origin=origin))
        write_bundle(folder / edge / "int8.bundle.zip", bundle)
        (folder / edge / "int8.tflite").write_bytes(bundle.model)
        sign(folder / edge / "int8.bundle.zip", key)
    write_training_bundle(folder / "training-head.bundle.zip", trains())
    (folder / "training-head.tflite").write_bytes(trains().model)
    sign(folder / "training-head.bundle.zip", key)
    return folder, public


def verified(folder: Path, public: Path) -> int:
    return main(["export", f"--verify={public}", str(folder)])


def test_each_bundle_is_told_with_its_origin(
    delivered: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, public = delivered
    assert verified(*delivered) == 0
    printed = capsys.readouterr()
    first, second, training, count = printed.out.splitlines()
    assert count == "3 bundles sound, 0 refused"
    assert first == (
        f"{folder}/edge-00/int8.bundle.zip: whole, and signed by the owner of {public}: "
        "run r, round 1, edge edge-00, int8, weights 0a0a0a0a0a0a"
    )
    assert "edge edge-01, int8, weights 1a1a1a1a1a1a" in second
    assert training.endswith("run r, round 1, edge none, trains head, weights abababababab")
    assert printed.err == ""


def test_a_bundle_of_another_edge_is_seen(
    delivered: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, public = delivered
    for name in ("int8.bundle.zip", "int8.bundle.zip.sig"):
        (folder / "edge-01" / name).replace(folder / "edge-00" / name)
    assert verified(folder / "edge-00", public) == 0
    assert "edge edge-01" in capsys.readouterr().out


def test_an_origin_can_not_be_taken_for_another(
    delivered: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, public = delivered
    origin = {"run": "r, round 1, edge edge-09", "round": "\x1b[2J", "edge": None}
    bundle = replace(made(), info=replace(made().info, origin=origin))
    write_bundle(folder / "x.bundle.zip", bundle)
    sign(folder / "x.bundle.zip", load_private_key(tmp_path / "key.pem"))
    assert verified(folder / "x.bundle.zip", public) == 0
    printed = capsys.readouterr().out
    assert (
        r"run 'r, round 1, edge edge-09', round '\x1b[2J', edge none, int8, weights none" in printed
    )


def test_all_are_verified_and_the_bad_one_is_named(
    delivered: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = delivered
    first = folder / "edge-00" / "int8.bundle.zip"
    content = bytearray(first.read_bytes())
    content[content.index(b"TFL3")] ^= 1
    first.write_bytes(bytes(content))
    (folder / "training-head.bundle.zip.sig").unlink()
    assert verified(*delivered) == 8
    printed = capsys.readouterr()
    damaged, unsigned = printed.err.splitlines()
    assert damaged.startswith("REFUSED: ") and "int8.bundle.zip was changed" in damaged
    assert "training-head.bundle.zip is not signed" in unsigned
    assert "edge edge-01" in printed.out
    assert "Not covered by any signature: 2 .tflite files (edge-00/int8.tflite, " in printed.out
    assert printed.out.splitlines()[-1] == "1 bundle sound, 2 refused"


def test_nothing_is_parsed_before_its_signature_is_verified(
    delivered: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def parse(*_: object, **__: object) -> None:
        raise AssertionError("parsed before its signature was verified")

    folder, _ = delivered
    for signature in folder.rglob("*.sig"):
        signature.write_bytes(b"\0" * 64)
    monkeypatch.setattr(zipfile, "ZipFile", parse)
    assert verified(*delivered) == 8


@pytest.mark.parametrize("name", ["edge-01/int8.tflite", "training-head.tflite"])
def test_a_plain_file_that_is_not_the_bundles_model(
    delivered: tuple[Path, Path], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = delivered
    (folder / name).write_bytes(b"TFL3 another")
    assert verified(*delivered) == 8
    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    assert f"{name} is not the model in" in line
    assert printed.out.splitlines()[-1] == "2 bundles sound, 1 refused"


def test_plain_files_without_a_bundle_are_counted(
    delivered: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = delivered
    (folder / "edge-00" / "float32-batch.tflite").write_bytes(b"TFL3")
    assert verified(*delivered) == 0
    loose, count = capsys.readouterr().out.splitlines()[-2:]
    assert count == "3 bundles sound, 0 refused"
    assert loose == "Not covered by any signature: 1 .tflite file (edge-00/float32-batch.tflite)."


def test_what_a_killed_export_left_is_passed_over(delivered: tuple[Path, Path]) -> None:
    folder, _ = delivered
    (folder / f"{TEMPORARY_PREFIX}abc-int8.bundle.zip").write_bytes(b"half")
    assert verified(*delivered) == 0


def test_a_bundle_that_is_not_there(
    delivered: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, public = delivered
    assert verified(folder / "int4.bundle.zip", public) == 8
    assert "int4.bundle.zip can't be read: No such file" in capsys.readouterr().err
