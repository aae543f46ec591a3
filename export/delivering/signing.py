"""Ed25519 signatures of what is delivered. They show who made a file; hashes show only damage.

The signature lies beside the file, ``NAME.sig``: 64 bytes over the file's SHA-256 and a word
that says what kind of file is signed: a bundle, a model that has no bundle, or the list of a
microcontroller's sources. Keys are PEM files, as ``openssl genpkey -algorithm
ed25519`` makes them.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from ecavg_tf.core.errors import ExportError, brief
from ecavg_tf.core.files import NotRegularError, file_sha256, open_regular, write_bytes
from ecavg_tf.core.messages.signature import check_extra
from ecavg_tf.core.paths import user_path

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

SUFFIX = ".sig"
_LENGTH = 64
_LONGEST_KEY = 2**16
_CONTEXTS = {  # by ending; what is signed as one kind of file is no signature of another
    ".tflite": b"ecavg-model-v1:",
    ".json": b"ecavg-sources-v1:",
}
_BUNDLE = b"ecavg-bundle-v1:"


def load_private_key(path: str | Path) -> "Ed25519PrivateKey":
    """Reads an unencrypted Ed25519 private key in PEM.

    Raises:
        ExportError: the file is missing, or is not such a key.
        InstallationError: the extra ``sign`` is missing.
    """
    check_extra()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519

    try:
        key = serialization.load_pem_private_key(_pem(path), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise ExportError(f"private key {path} can't be read: {brief(error)}") from error
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise ExportError(f"{path} is no Ed25519 key; make one: {_MAKE}")
    return key


def load_public_key(path: str | Path) -> "Ed25519PublicKey":
    """Reads an Ed25519 public key in PEM.

    Raises:
        ExportError: the file is missing, or is not such a key.
        InstallationError: the extra ``sign`` is missing.
    """
    check_extra()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519

    try:
        key = serialization.load_pem_public_key(_pem(path))
    except (OSError, ValueError, TypeError) as error:
        raise ExportError(f"public key {path} can't be read: {brief(error)}") from error
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise ExportError(f"{path} is no Ed25519 key; make one: {_MAKE}")
    return key


def sign(file: str | Path, key: "Ed25519PrivateKey") -> Path:
    """Writes a file's signature beside it and returns its path.

    Args:
        file: a bundle, a plain model, or the list of a microcontroller's sources.
        key: whose signature it gets.
    """
    file = user_path(file)
    signature = file.with_name(file.name + SUFFIX)
    write_bytes(signature, key.sign(_message(file)))
    return signature


def verify(file: str | Path, key: "Ed25519PublicKey") -> None:
    """Checks that the owner of a key signed this very file; nothing in it is parsed.

    Raises:
        ExportError: there is no signature, or it is of another key or of other bytes.
    """
    check_extra()
    from cryptography.exceptions import InvalidSignature

    file = user_path(file)
    signature = file.with_name(file.name + SUFFIX)
    try:
        message = _message(file)
    except OSError as error:
        raise ExportError(f"{file} can't be read: {error.strerror}") from error
    try:
        with open_regular(signature) as stream:
            key.verify(stream.read(_LENGTH + 1), message)
    except NotRegularError as error:
        raise ExportError(f"{signature} is no regular file; get it again") from error
    except OSError as error:
        raise ExportError(f"{error.filename} is not there: {file.name} is not signed") from error
    except InvalidSignature as error:
        raise ExportError(
            f"{signature} does not fit: {file.name} was changed, or another key signed it"
        ) from error


_MAKE = "openssl genpkey -algorithm ed25519 -out KEY.pem"


def _pem(path: str | Path) -> bytes:
    with open_regular(user_path(path)) as stream:
        return stream.read(_LONGEST_KEY)


def _message(file: Path) -> bytes:
    return _CONTEXTS.get(file.suffix, _BUNDLE) + bytes.fromhex(file_sha256(file))
