"""Verifies a delivered folder: signatures, origins, and plain files without a signature."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecavg_tf.core.bundles.bundle import read_bundle
from ecavg_tf.core.bundles.training_bundle import is_training_bundle, read_training_bundle
from ecavg_tf.core.errors import ExportError
from ecavg_tf.core.files import TEMPORARY_PREFIX, file_sha256
from ecavg_tf.core.paths import user_path
from export.delivering.signing import verify

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ENDING = ".bundle.zip"
_SHORT = 12  # digits of a hash that a person compares


@dataclass(frozen=True)
class Signed:
    """A bundle that the owner of a key signed, and that is whole.

    Attributes:
        path: the bundle.
        format: of its model, or how it trains.
        origin: where the model comes from, as the signature binds it.
        model_sha256: hash of the ``.tflite`` in it.
    """

    path: Path
    format: str
    origin: Mapping[str, Any]
    model_sha256: str

    @property
    def words(self) -> str:
        """Format and origin in words; what the bundle does not say is ``none``."""
        said = {name: _word(self.origin.get(name)) for name in ("run", "round", "edge")}
        weights = _word(self.origin.get("weights_sha256"))
        named = ", ".join(f"{name} {word}" for name, word in said.items())
        return f"{named}, {self.format}, weights {weights[:_SHORT]}"

    @property
    def plain(self) -> Path:
        """The same model as a plain file, where there is one."""
        return self.path.with_name(self.path.name.removesuffix(ENDING) + ".tflite")


def bundles_in(folder: Path) -> tuple[Path, ...]:
    """All bundles in a folder and below."""
    return _found(folder, "*" + ENDING)


def open_signed(path: str | Path, key: "Ed25519PublicKey") -> Signed:
    """Verifies the signature over the file's bytes, and only then looks into it.

    Args:
        path: a bundle of either kind.
        key: whose signature it must have.

    Raises:
        ExportError: it is not signed by that key, or not sound.
    """
    path = user_path(path)
    verify(path, key)
    if is_training_bundle(path):
        training = read_training_bundle(path)
        kind, origin, model = (
            f"trains {training.info.trainable}",
            training.info.origin,
            training.model,
        )
    else:
        bundle = read_bundle(path)
        kind, origin, model = bundle.info.format, bundle.info.origin, bundle.model
    return Signed(path, kind, origin, hashlib.sha256(model).hexdigest())


def check_plain(signed: Signed) -> None:
    """Makes sure that the plain ``.tflite`` beside a bundle is the model in it.

    Raises:
        ExportError: it is another model.
    """
    if not signed.plain.exists():
        return
    try:
        same = file_sha256(signed.plain) == signed.model_sha256
    except OSError as error:
        raise ExportError(f"{signed.plain} can't be read: {error.strerror}") from error
    if not same:
        raise ExportError(
            f"{signed.plain} is not the model in {signed.path.name}, which is signed; don't use "
            "it, take the one in the bundle"
        )


def uncovered(folder: Path, signed: Iterable[Signed]) -> tuple[Path, ...]:
    """The ``.tflite`` files that belong to no bundle of ``signed``: no signature covers them."""
    covered = {bundle.plain for bundle in signed}
    return tuple(path for path in _found(folder, "*.tflite") if path not in covered)


def _found(folder: Path, pattern: str) -> tuple[Path, ...]:
    paths = folder.rglob(pattern)
    return tuple(sorted(p for p in paths if not p.name.startswith(TEMPORARY_PREFIX)))


def _word(value: Any) -> str:
    """A value as one printable word, so that it can't be mistaken for several."""
    if value is None:
        return "none"
    text = str(value)
    return text if re.fullmatch(r"[\w.:-]{1,80}", text) else ascii(text)[:80]
