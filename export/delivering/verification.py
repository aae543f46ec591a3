"""Verifies a delivered folder: signatures, origins, and files without a signature."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecavg_tf.core.bundles.bundle import read_bundle
from ecavg_tf.core.bundles.training_bundle import is_training_bundle, read_training_bundle
from ecavg_tf.core.errors import ExportError
from ecavg_tf.core.files import TEMPORARY_PREFIX, file_sha256, read_whole
from ecavg_tf.core.paths import user_path
from export.delivering.signing import SUFFIX, verify
from export.making.formats import Variant
from export.micro.manifest import DATA, SOURCES, check_sources, read_manifest
from export.reading.metadata import read_description

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ENDING = ".bundle.zip"
_MASTER = Variant.MASTER + ".tflite"  # it has no bundle
_MICRO = Variant.INT8 + ENDING  # whose model a microcontroller's sources are made of
_SHORT = 12  # digits of a hash that a person compares


@dataclass(frozen=True)
class Signed:
    """What the owner of a key signed, and what is whole.

    Attributes:
        path: the bundle, the plain model, or the list of a microcontroller's sources.
        format: of its model, or how it trains.
        origin: where the model comes from, as the signature binds it.
        model_sha256: hash of the ``.tflite``.
        loose: names of files beside a list of sources that it does not cover.
    """

    path: Path
    format: str
    origin: Mapping[str, Any]
    model_sha256: str
    loose: tuple[str, ...] = ()

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
        if self.path.suffix == ".tflite":
            return self.path
        return self.path.with_name(self.path.name.removesuffix(ENDING) + ".tflite")


def delivered_in(folder: Path) -> tuple[Path, ...]:
    """All that must be signed in a folder and below: bundles, masters, and lists of sources.

    Sources without a list were written by an earlier version: the list is named nevertheless.
    """
    masters = {*_found(folder, _MASTER)}
    signed = {path.with_suffix("") for path in _found(folder, "*.tflite" + SUFFIX)}
    lists = {path.with_name(SOURCES) for name in (SOURCES, DATA) for path in _found(folder, name)}
    return (*sorted({*_found(folder, "*" + ENDING), *masters, *signed}), *sorted(lists))


def open_signed(path: str | Path, key: "Ed25519PublicKey") -> Signed:
    """Verifies the signature over the file's bytes, and only then looks into it.

    Args:
        path: a bundle of either kind, a plain model, or a list of sources.
        key: whose signature it must have.

    Raises:
        ExportError: it is not signed by that key, or not sound.
    """
    path = user_path(path)
    verify(path, key)
    if path.suffix == ".json":
        listed = read_manifest(path)
        loose = check_sources(path)
        return Signed(
            path, "sources for a microcontroller", listed.origin, listed.model_sha256, loose
        )
    if path.suffix == ".tflite":
        content = read_whole(path)
        origin, sha256 = read_description(content).origin, hashlib.sha256(content).hexdigest()
        return Signed(path, path.stem, origin, sha256)
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


def check_model_of(sources: Signed, others: Iterable[Signed]) -> None:
    """Makes sure that sources are of the model in the int8 bundle one folder above.

    Args:
        sources: a list of sources; anything else is passed over.
        others: what is signed and whole.

    Raises:
        ExportError: they are of another: of an earlier export, for example.
    """
    bundle = sources.path.parent.parent / _MICRO
    if sources.path.suffix != ".json":
        return
    for other in others:
        if other.path == bundle and other.model_sha256 != sources.model_sha256:
            raise ExportError(
                f"{sources.path.parent} holds sources of another model than {bundle}; export both "
                "again with --target=micro"
            )


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
    """Models that belong to nothing in ``signed``, and files beside sources that no list covers."""
    known = tuple(signed)
    lists = [each.path for each in known if each.path.suffix == ".json"]
    covered = {each.plain for each in known}
    covered |= {path.with_name(name) for path in lists for name in read_manifest(path).files}
    models = {path for path in _found(folder, "*.tflite") if path not in covered}
    return tuple(sorted({*models, *(each.path.with_name(n) for each in known for n in each.loose)}))


def _found(folder: Path, pattern: str) -> tuple[Path, ...]:
    paths = folder.rglob(pattern)
    return tuple(sorted(p for p in paths if not p.name.startswith(TEMPORARY_PREFIX)))


def _word(value: Any) -> str:
    """A value as one printable word, so that it can't be mistaken for several."""
    if value is None:
        return "none"
    text = str(value)
    return text if re.fullmatch(r"[\w.:-]{1,80}", text) else ascii(text)[:80]
