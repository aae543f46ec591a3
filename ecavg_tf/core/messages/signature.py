"""Signatures of replies: whoever carries a reply can neither change it nor answer for an edge.

An edge signs its whole reply, which names the SHA-256 of its update and its pooled data, together
with what it answers: edge, run, round, kind, and all of the request that its work depends on
(weights, settings, classes, the training file). So a carrier can't change any of these, give an
old reply for a new one, or have an edge train anything else without being found out. The keys are
those that an edge shows to Flower: OpenSSH files, as ``ecavg certs --edges=NAME`` or ``ssh-keygen
-t ecdsa -b 384`` makes them (ECDSA with SHA-384; or Ed25519).
"""

import base64
import hashlib
import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from ecavg_tf.core.errors import ConfigError, InstallationError, brief
from ecavg_tf.core.fields import Fields
from ecavg_tf.core.files import canonical_json, load_json, open_regular
from ecavg_tf.core.messages.request import Request
from ecavg_tf.core.paths import user_path

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import (
        EllipticCurvePrivateKey,
        EllipticCurvePublicKey,
    )
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )
    from cryptography.hazmat.primitives.hashes import SHA384

    PrivateKey = EllipticCurvePrivateKey | Ed25519PrivateKey
    PublicKey = EllipticCurvePublicKey | Ed25519PublicKey

SIGNATURE = "signature"  # in a reply
_CONTEXT = "ecavg-reply-v1"  # what is signed as a reply is no signature of anything else
_LONGEST = 2**16
_KINDS = "an OpenSSH key, ECDSA or Ed25519, as 'ecavg certs --edges=NAME' makes it"


class SignatureError(ValueError):
    """A reply that the edge's own key did not sign."""


@dataclass(frozen=True)
class SigningKey:
    """An edge's own key.

    Attributes:
        private: the private key.
        id: SHA-256 of the public one, by which an edge knows its own replies again.
    """

    private: "PrivateKey"
    id: str

    @classmethod
    def load(cls, path: str | Path, flag: str = "--sign") -> "SigningKey":
        """Reads an unencrypted private key.

        Raises:
            ConfigError: the file is missing, or is no such key.
            InstallationError: the extra ``sign`` is missing.
        """
        check_extra()
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives import serialization

        try:
            key = serialization.load_ssh_private_key(_read(path), password=None)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise ConfigError(f"{flag}={path}: {brief(error)}; expected {_KINDS}") from error
        if not _is_private(key):
            raise ConfigError(f"{flag}={path} is of another kind; expected {_KINDS}")
        return cls(key, _id(key.public_key()))

    def sign(self, edge: str, request: Request, told: Mapping[str, Any]) -> dict[str, Any]:
        """A reply with its signature.

        Args:
            edge: who answers.
            request: what is answered.
            told: the reply, as a JSON object.
        """
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519

        told = load_json(canonical_json(told))  # as the server will read it
        message = _message(edge, request, told)
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            signature = self.private.sign(message)
        else:
            signature = self.private.sign(message, ec.ECDSA(_hash()))
        text = base64.b64encode(signature).decode()
        return {**told, SIGNATURE: {"key": self.id, "value": text}}

    def made(self, told: Mapping[str, Any]) -> bool:
        """Whether a reply says that this key signed it."""
        signature = told.get(SIGNATURE)
        return isinstance(signature, Mapping) and signature.get("key") == self.id


@dataclass(frozen=True)
class EdgeKeys:
    """The public keys of all edges, ``NAME.pub`` in one folder; looked up at every reply.

    Attributes:
        folder: the folder.
    """

    folder: Path

    @classmethod
    def of(cls, folder: str, field: str = "fleet.edge_keys") -> "EdgeKeys | None":
        """The keys of a config's folder; None: it names none.

        Raises:
            ConfigError: the folder holds no key.
            InstallationError: the extra ``sign`` is missing.
        """
        if not folder:
            return None
        check_extra()
        keys = cls(user_path(folder))
        if not any(keys.folder.glob("*.pub")):
            raise ConfigError(
                f"{field}={folder} holds no NAME.pub of an edge; 'ecavg certs --out=DIR "
                "--edges=NAME' makes keys, in DIR/edges"
            )
        return keys

    def check(self, edge: str, request: Request, told: Mapping[str, Any]) -> None:
        """Checks that an edge's own key signed a reply to this very request.

        Raises:
            SignatureError: it did not, or the edge has no key here.
        """
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519

        key = self._key(edge)
        if SIGNATURE not in told:
            raise SignatureError(
                f"it is not signed, and the run takes signed replies only (fleet.edge_keys); "
                f"start {edge} with --sign={edge}.key"
            )
        message = _message(edge, request, told)
        try:
            fields = Fields.of(told).inner(SIGNATURE)
            signature = base64.b64decode(fields.text("value"), validate=True)
            if isinstance(key, ed25519.Ed25519PublicKey):
                key.verify(signature, message)
            else:
                key.verify(signature, message, ec.ECDSA(_hash()))
        except ValueError as error:
            raise SignatureError(f"its signature can't be read: {error}") from error
        except InvalidSignature as error:
            other = fields.get("key") != _id(key)
            raise SignatureError(
                f"another key than {edge}.pub signed it"
                if other
                else f"its signature does not fit: the reply, or what {edge} was sent, was changed "
                "on its way"
            ) from error

    def check_there(self, edges: Iterable[str]) -> None:
        """Before edges train for nothing.

        Raises:
            ConfigError: the key of one of them is not there, or can't be read.
        """
        for edge in edges:
            try:
                self._key(edge)
            except SignatureError as error:
                raise ConfigError(f"fleet.edge_keys={self.folder}: {edge}: {error}") from error

    def _key(self, edge: str) -> "PublicKey":
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives import serialization

        path = self.folder / f"{edge}.pub"
        try:
            key = serialization.load_ssh_public_key(_read(path))
        except FileNotFoundError as error:
            raise SignatureError(f"the server has no key of it: {path} is not there") from error
        except (OSError, ValueError, UnsupportedAlgorithm) as error:
            raise SignatureError(f"{path} can't be read: {brief(error)}") from error
        if not _is_public(key):
            raise SignatureError(f"{path} is of another kind; expected {_KINDS}")
        return key


def _message(edge: str, request: Request, told: Mapping[str, Any]) -> bytes:
    said = {name: value for name, value in told.items() if name != SIGNATURE}
    return canonical_json([_CONTEXT, edge, request.work_sha256, said]).encode()


def _hash() -> "SHA384":
    from cryptography.hazmat.primitives.hashes import SHA384

    return SHA384()


def _id(key: "PublicKey") -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return hashlib.sha256(key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)).hexdigest()


def _is_private(key: object) -> "TypeGuard[PrivateKey]":
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    return isinstance(key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey)


def _is_public(key: object) -> "TypeGuard[PublicKey]":
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    return isinstance(key, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey)


def _read(path: str | Path) -> bytes:
    with open_regular(user_path(path)) as stream:  # which its owner may have made a link
        return stream.read(_LONGEST)


def check_extra() -> None:
    """Whether keys can be read here.

    Raises:
        InstallationError: the extra ``sign`` is missing.
    """
    if importlib.util.find_spec("cryptography") is None:
        raise InstallationError("signing needs an extra: pip install 'ecavg-tf[sign]'")
