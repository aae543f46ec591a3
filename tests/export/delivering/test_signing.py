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
from export.reading.metadata import Description, attach

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
    assert count == "3 files sound, 0 refused"
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
    assert "Not covered by any signature: 2 files (edge-00/int8.tflite, " in printed.out
    assert printed.out.splitlines()[-1] == "1 file sound, 2 refused"


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
    assert printed.out.splitlines()[-1] == "2 files sound, 1 refused"


def test_plain_files_that_nobody_exported_are_counted(
    delivered: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = delivered
    (folder / "edge-00" / "mine.tflite").write_bytes(b"TFL3")
    assert verified(*delivered) == 0
    loose, count = capsys.readouterr().out.splitlines()[-2:]
    assert count == "3 files sound, 0 refused"
    assert loose == "Not covered by any signature: 1 file (edge-00/mine.tflite)."


def master(folder: Path, edge: str) -> Path:
    """The dynamic-batch file of an edge, which has no bundle."""
    origin = {**made().info.origin, "edge": edge}
    described = Description(("a", "b"), "uint8", (0.0, 255.0), "probabilities", origin)
    path = folder / edge / "float32-batch.tflite"
    path.write_bytes(attach(b"TFL3", described))
    return path


def test_the_master_is_signed_by_itself(
    delivered: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = delivered
    path = master(folder, "edge-00")
    assert verified(*delivered) == 8
    assert "float32-batch.tflite is not signed" in capsys.readouterr().err
    sign(path, load_private_key(tmp_path / "key.pem"))
    assert verified(*delivered) == 0
    printed = capsys.readouterr().out
    assert "float32-batch.tflite: whole, and signed by" in printed
    assert "edge edge-00, float32-batch, weights" in printed
    assert "Not covered" not in printed and "4 files sound, 0 refused" in printed
    path.write_bytes(path.read_bytes() + b"more")
    assert verified(path, delivered[1]) == 8
    assert "float32-batch.tflite was changed" in capsys.readouterr().err


def test_a_signature_of_one_kind_of_file_is_none_of_another(
    delivered: tuple[Path, Path], tmp_path: Path
) -> None:
    key, public = load_private_key(tmp_path / "key.pem"), load_public_key(delivered[1])
    content = b"the same bytes"
    for name in ("a.bundle.zip", "a.tflite", "a.json"):
        (tmp_path / name).write_bytes(content)
        signature = sign(tmp_path / name, key).read_bytes()
        for other in ("b.bundle.zip", "b.tflite", "b.json"):
            (tmp_path / other).write_bytes(content)
            (tmp_path / f"{other}.sig").write_bytes(signature)
            if other[1:] == name[1:]:
                verify(tmp_path / other, public)
            else:
                with pytest.raises(ExportError, match="does not fit"):
                    verify(tmp_path / other, public)


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
