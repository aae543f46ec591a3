"""Writes sources into a folder: what somebody else put there stays, and a list names them all."""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ecavg_tf.core.errors import ExportError
from ecavg_tf.core.files import atomic_path, file_sha256, write_bytes, write_text
from ecavg_tf.events import Listener, Note
from export.delivering.signing import SUFFIX
from export.micro.manifest import MAIN, SOURCES, Manifest, manifest_text, read_manifest

_MARK = b"ritten by ecavg-tf"  # in the first line of every text that is written here
_FIRST_LINE = 200  # bytes


def write_all(
    folder: Path,
    files: Mapping[str, str | bytes | Iterable[str]],
    model_sha256: str,
    origin: Mapping[str, Any],
    listener: Listener,
) -> tuple[Path, ...]:
    """Writes sources and the list of them.

    Args:
        folder: where to; made when it is missing.
        files: texts (whole or in pieces) and bytes by the names of their files; ``main.cc``
            is a whole text. The first line of a text says who wrote it.
        model_sha256: hash of the model that they are made of.
        origin: where the model comes from.
        listener: told of a ``main.cc`` that is kept: it is there to be filled in.

    Returns:
        All files, the list among them.

    Raises:
        ExportError: a file that no export made lies where one is to be written.
    """
    main, left = str(files[MAIN]), dict(files)
    _check_ours(folder, [name for name in (*files, SOURCES) if name != MAIN])
    if _is_edited(folder / MAIN, main):
        listener(Note(f"{folder / MAIN} is kept as it is there; remove it for a fresh one"))
        del left[MAIN]
    for name, content in left.items():
        if isinstance(content, bytes):
            write_bytes(folder / name, content)
        elif isinstance(content, str):
            write_text(folder / name, content)
        else:
            with atomic_path(folder / name) as path, path.open("w", encoding="ascii") as stream:
                stream.writelines(content)
    _list(folder, Manifest(model_sha256, origin, _hashes(folder, files, main)))
    return tuple(folder / name for name in sorted((*files, SOURCES)))


def _hashes(folder: Path, names: Iterable[str], main: str) -> dict[str, str]:
    """Of what was written: a ``main.cc`` that is kept is listed as it would have been written."""
    ours = hashlib.sha256(main.encode()).hexdigest()
    return {name: ours if name == MAIN else file_sha256(folder / name) for name in names}


def _list(folder: Path, manifest: Manifest) -> None:
    """Writes the list; a signature of another one goes."""
    text, path = manifest_text(manifest), folder / SOURCES
    if not path.exists() or path.read_bytes() != text.encode():
        (folder / (SOURCES + SUFFIX)).unlink(missing_ok=True)
        write_text(path, text)


def _check_ours(folder: Path, names: Sequence[str]) -> None:
    signature = folder / (SOURCES + SUFFIX)
    if os.path.lexists(signature) and not os.path.lexists(folder / SOURCES):
        raise ExportError(
            f"{signature} is there without {SOURCES}: move it away, or give another folder with "
            "--out"
        )
    for path in (folder / name for name in names):
        if os.path.lexists(path) and not (
            path.is_file() and (_is_marked(path) or _is_listed(path))
        ):
            raise ExportError(
                f"{path} is there, and its first line does not say that ecavg-tf wrote it: move "
                "it away, or give another folder with --out"
            )


def _is_listed(path: Path) -> bool:
    """Whether it is what an earlier export wrote, though no text; its name stands in the list."""
    listed = path.with_name(SOURCES)
    return listed.is_file() and read_manifest(listed).files.get(path.name) == file_sha256(path)


def _is_marked(path: Path) -> bool:
    with path.open("rb") as stream:
        return _MARK in stream.readline(_FIRST_LINE)


def _is_edited(path: Path, main: str) -> bool:
    """Whether something else lies there than what would be written."""
    if not path.is_file():
        return os.path.lexists(path)
    return path.read_bytes() != main.encode()
