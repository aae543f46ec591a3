"""Keys for tests; needs the package cryptography."""

from pathlib import Path

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
