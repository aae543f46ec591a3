"""A folder of files as one input of a fuzzer: a zip, with pipes and links as its modes say."""

import contextlib
import io
import os
import random
import shutil
import stat
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

_MOST, _LARGEST = 60, 2**20
_LINKS = ("/dev/zero", "/dev/full", "..", ".", "nowhere", "config.json")


@dataclass(frozen=True)
class Entry:
    """A file, or what came in place of one.

    Attributes:
        name: its path, with slashes.
        mode: of which kind it is, as in ``stat``.
        content: of a file, or where a link leads.
    """

    name: str
    content: bytes
    mode: int = stat.S_IFREG


def packed(entries: list[Entry]) -> bytes:
    """A folder as bytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry in entries:
            info = zipfile.ZipInfo(entry.name, (1980, 1, 1, 0, 0, 0))
            info.create_system = 3
            info.external_attr = (entry.mode | 0o644) << 16
            archive.writestr(info, entry.content, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def unpacked(data: bytes) -> list[Entry]:
    """What ``packed`` made; of other bytes, nothing."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return [
                Entry(entry.filename, archive.read(entry), stat.S_IFMT(entry.external_attr >> 16))
                for entry in archive.infolist()[:_MOST]
                if entry.file_size <= _LARGEST
            ]
    except Exception:  # zipfile raises many kinds
        return []


def lay_out(folder: Path, entries: list[Entry]) -> None:
    """Makes a folder empty, and lays the entries into it; what has no place there is left out."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for entry in entries:
        parts = [part for part in entry.name.split("/") if part]
        if not parts or any(part in (".", "..") or "\0" in part for part in parts):
            continue
        path = folder.joinpath(*parts)
        with contextlib.suppress(OSError, ValueError):  # a file lies where a folder would
            path.parent.mkdir(parents=True, exist_ok=True)
            _lay(path, entry)


def _lay(path: Path, entry: Entry) -> None:
    if path.is_symlink() or path.exists():  # a name is there twice; a pipe would wait for ever
        return
    if entry.mode == stat.S_IFDIR:
        path.mkdir()
    elif entry.mode == stat.S_IFIFO:
        os.mkfifo(path)
    elif entry.mode == stat.S_IFLNK:
        path.symlink_to(_LINKS[sum(entry.content) % len(_LINKS)])
    else:
        path.write_bytes(entry.content)


def mutated_tree(data: bytes, rng: random.Random, change: Callable[[str, bytes], bytes]) -> bytes:
    """A folder with a file changed, left out, renamed, swapped, or of another kind.

    Args:
        data: the folder as bytes.
        rng: what is changed.
        change: changes one file, by its name.
    """
    entries = unpacked(data)
    if not entries:
        return data
    weights = [1 + len(each.content) ** 0.5 for each in entries]  # there is more in larger files
    (at,) = rng.choices(range(len(entries)), weights)
    entry = entries[at]
    match rng.randrange(10):
        case 0:
            del entries[at]
        case 1:
            other = rng.randrange(len(entries))
            entries[at] = replace(entry, content=entries[other].content)
        case 2:
            modes = (stat.S_IFDIR, stat.S_IFIFO, stat.S_IFLNK, stat.S_IFREG)
            entries[at] = replace(entry, mode=rng.choice(modes), content=rng.randbytes(1))
        case 3:
            name = rng.choice((entry.name + "x", "x/" + entry.name, entry.name.swapcase(), "é"))
            entries[at] = replace(entry, name=name)
        case _:
            entries[at] = replace(entry, content=change(entry.name, entry.content))
    return packed(entries)
