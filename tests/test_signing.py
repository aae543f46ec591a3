from pathlib import Path

import pytest
from test_bundle import made

from ecavg_tf.cli import main
from ecavg_tf.core.bundle import write_bundle
from ecavg_tf.core.errors import ExportError
from export.signing import load_private_key, load_public_key, sign, verify

pytest.importorskip("cryptography")
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519


def keys(folder: Path, name: str = "key") -> tuple[Path, Path]:
    private = ed25519.Ed25519PrivateKey.generate()
    return written(folder, name, private)


def written(
    folder: Path, name: str, private: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey
) -> tuple[Path, Path]:
    pem = serialization.Encoding.PEM
    secret, public = folder / f"{name}.pem", folder / f"{name}.pub.pem"
    secret.write_bytes(
        private.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    public.write_bytes(
        private.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return secret, public


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


def test_the_command_line_verifies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret, public = keys(tmp_path)
    bundle = tmp_path / "edge-00" / "int8.bundle.zip"
    write_bundle(bundle, made())
    sign(bundle, load_private_key(secret))
    assert main(["export", f"--verify={public}", str(tmp_path)]) == 0
    assert "signed by the owner" in capsys.readouterr().out
    content = bytearray(bundle.read_bytes())
    content[content.index(b"TFL3")] ^= 1
    bundle.write_bytes(bytes(content))
    assert main(["export", f"--verify={public}", str(bundle)]) == 8
    assert "model.tflite" in capsys.readouterr().err
