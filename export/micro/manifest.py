"""The list of a microcontroller's sources: what was written, of which model, hash by hash.

A signature covers this one file, and by its hashes the sources beside it. ``main.cc`` is listed
as it was written; it is there to be changed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecavg_tf.core.errors import ExportError, brief
from ecavg_tf.core.fields import Fields
from ecavg_tf.core.files import TEMPORARY_PREFIX, file_sha256, load_json, open_regular
from export.delivering.signing import SUFFIX

SOURCES = "sources.json"
MAIN = "main.cc"
DATA = "model_data.cc"
_ABOUT = "Written by ecavg-tf: SHA-256 of the sources"
_LARGEST = 2**20


@dataclass(frozen=True)
class Manifest:
    """What a list of sources says.

    Attributes:
        model_sha256: hash of the ``.tflite`` that they are made of.
        origin: where the model comes from: run, round, edge, weights_sha256.
        files: hash of each file by its name.
    """

    model_sha256: str
    origin: Mapping[str, Any]
    files: Mapping[str, str]


def manifest_text(manifest: Manifest) -> str:
    """The list as it is written; its first line says who wrote it."""
    fields = {
        "about": _ABOUT,
        "files": dict(manifest.files),
        "model_sha256": manifest.model_sha256,
        "origin": dict(manifest.origin),
    }
    return first_line_alone(json.dumps(fields, indent=1, sort_keys=True))


def first_line_alone(text: str) -> str:
    """Indented JSON whose first field, which says who wrote it, stands on the first line."""
    first, _, rest = text.partition("\n")
    return f"{first}{rest.lstrip()}\n"


def read_manifest(path: Path) -> Manifest:
    """Reads a list of sources.

    Raises:
        ExportError: it is missing, or none.
    """
    try:
        with open_regular(path) as stream:
            content = stream.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise ValueError("it is too large")
        fields = Fields.of(load_json(content))
        fields.only(("about", "files", "model_sha256", "origin"))
        files = fields.inner("files")
        return Manifest(
            fields.sha256("model_sha256"),
            fields.inner("origin").values,
            {name: files.sha256(name) for name in files.values},
        )
    except (OSError, ValueError) as error:
        raise ExportError(f"{path} is no list of sources: {brief(error)}") from error


def check_sources(path: Path) -> tuple[str, ...]:
    """Compares the sources beside a list with it.

    Args:
        path: the list.

    Returns:
        The files beside it that it does not cover: others, and ``main.cc`` where it was changed.

    Raises:
        ExportError: a source is missing, or is not what was written.
    """
    folder, files = path.parent, read_manifest(path).files
    there = {each.name for each in folder.iterdir() if not each.name.startswith(TEMPORARY_PREFIX)}
    loose = there - {*files, path.name, path.name + SUFFIX}
    for name, sha256 in files.items():
        if "/" in name or name in ("", "..", "."):
            raise ExportError(f"{path} names {name!r}, which is no file beside it")
        try:
            same = file_sha256(folder / name) == sha256
        except OSError as error:
            if name == MAIN:  # left out where the firmware has its own
                continue
            raise ExportError(f"{folder / name} can't be read: {error.strerror}") from error
        if not same and name != MAIN:
            raise ExportError(
                f"{folder / name} is not what was written, as {path.name} beside it says; don't "
                "use it, export the sources again"
            )
        if not same:
            loose.add(name)
    return tuple(sorted(loose))
