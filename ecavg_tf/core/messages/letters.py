"""Letters: what a carrier brings between two folders of the same mailbox, in pieces.

A letter is one JSON object and the bytes of its pieces, one after another. A file travels in as
many pieces as it needs and is hashed whole at both ends: it appears under its name only when its
SHA-256 is the announced one. What came of it before a line was cut is kept, and the next piece
goes on behind it. Nothing here unpickles.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from ecavg_tf.core.fields import Fields
from ecavg_tf.core.files import TEMPORARY_PREFIX, load_json, regular_sha256

PROTOCOL = 1
ROOM = 32 * 2**20  # bytes of pieces in one letter
_PART = TEMPORARY_PREFIX + "part-"  # no leftover of a write: it is gone on with


def version() -> str:
    """The version of this package, which both ends must share."""
    return metadata.version("ecavg-tf")


@dataclass(frozen=True)
class Piece:
    """A part of a file.

    Attributes:
        name: the file's name, without folders.
        sha256: hash of the whole file.
        size: bytes of the whole file.
        offset: where the part begins.
        data: its bytes.
    """

    name: str
    sha256: str
    size: int
    offset: int
    data: bytes


@dataclass(frozen=True)
class Letter:
    """One letter.

    Attributes:
        told: what it says, as a JSON object.
        pieces: the parts of files that it brings.
    """

    told: Mapping[str, Any]
    pieces: Sequence[Piece] = field(default=())


def encode_letter(letter: Letter) -> tuple[str, bytes]:
    """A letter as JSON and bytes; it says which protocol and version wrote it."""
    pieces = [
        [piece.name, piece.sha256, piece.size, piece.offset, len(piece.data)]
        for piece in letter.pieces
    ]
    told = {**letter.told, "protocol": PROTOCOL, "version": version(), "pieces": pieces}
    return json.dumps(told, allow_nan=False), b"".join(piece.data for piece in letter.pieces)


def decode_letter(text: str, data: bytes) -> Letter:
    """Reads what ``encode_letter`` made.

    Raises:
        ValueError: it is no letter, or the other end has another version.
    """
    fields = Fields.of(load_json(text))
    theirs = fields.get("protocol"), fields.get("version")
    if theirs != (PROTOCOL, version()):
        raise ValueError(
            f"the other end has ecavg-tf {str(theirs[1])[:40]} (protocol {str(theirs[0])[:10]}), "
            f"this one {version()} (protocol {PROTOCOL}); install the same version on both"
        )
    pieces, at = [], 0
    for name, sha256, size, offset, length in fields.each("pieces", _piece):
        pieces.append(Piece(name, sha256, size, offset, data[at : at + length]))
        at += length
    if at != len(data):
        raise ValueError(f"its pieces have {at} bytes, {len(data)} came")
    told = {name: fields.values[name] for name in fields.values if name != "pieces"}
    return Letter(told, pieces)


def parts_told(fields: Fields) -> dict[str, tuple[str, int]]:
    """What the other end has of each named file: the SHA-256 of the whole, and how many bytes.

    Raises:
        FieldError: a file has anything else.
    """
    found = {}
    for name in fields.values:
        pair = fields.each(name, Fields.get)
        if len(pair) != 2:
            raise fields.refuse(name, "a SHA-256 and a number of bytes")
        told = Fields({"sha256": pair[0], "bytes": pair[1]}, f"{fields.prefix}{name}.")
        found[name] = (told.text("sha256"), told.count("bytes"))
    return found


def _piece(fields: Fields, at: str) -> tuple[str, str, int, int, int]:
    values = fields.get(at)
    if not isinstance(values, list) or len(values) != 5:
        raise fields.refuse(at, "name, SHA-256, size, offset and length of a piece")
    inner = Fields(dict(zip(("name", "sha256", "size", "offset", "length"), values, strict=True)))
    name = inner.text("name")
    if Path(name).name != name or name.startswith("."):
        raise inner.refuse("name", "a file's name without folders")
    size, offset, length = (inner.count(key) for key in ("size", "offset", "length"))
    if offset + length > size:
        raise inner.refuse("length", "a part of the file")
    return name, inner.sha256("sha256"), size, offset, length


class Shelf:
    """A folder from which files leave in pieces, or to which they come.

    Args:
        folder: the folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._hashes: dict[str, tuple[tuple[int, int, int], str]] = {}

    def files(self) -> dict[str, str]:
        """SHA-256 of each whole file by its name."""
        found = {}
        for path in sorted(self.folder.iterdir()):
            if path.name.startswith(".") or path.is_symlink() or not path.is_file():
                continue
            state = path.stat()
            now = (state.st_size, state.st_mtime_ns, state.st_ino)
            known = self._hashes.get(path.name)
            if known is None or known[0] != now:
                known = self._hashes[path.name] = (now, regular_sha256(path, None))
            found[path.name] = known[1]
        return found

    def parts(self) -> dict[str, tuple[str, int]]:
        """Of each file that has come in part: its SHA-256, and how many bytes are there."""
        found = {}
        for path in self.folder.glob(f"{_PART}*"):
            sha256, _, name = path.name.removeprefix(_PART).partition("-")
            found[name] = (sha256, path.stat().st_size)
        return found

    def piece(self, name: str, sha256: str, offset: int, most: int) -> Piece:
        """Cuts a piece out of a file."""
        with (self.folder / name).open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(min(offset, size))
            return Piece(name, sha256, size, min(offset, size), stream.read(most))

    def cut(
        self, names: Iterable[str], there: Mapping[str, tuple[str, int]], room: int = ROOM
    ) -> tuple[list[Piece], bool]:
        """Cuts what one letter takes of some files.

        Args:
            names: the files, in the order in which they must arrive.
            there: what has come of each at the other end; see ``parts``.
            room: most bytes.

        Returns:
            The pieces, and whether something is left for the next letter.
        """
        pieces: list[Piece] = []
        hashes = self.files()
        for name in names:
            if name not in hashes:
                continue
            sha256, offset = there.get(name, ("", 0))
            if room <= 0:
                return pieces, True
            piece = self.piece(name, hashes[name], offset if sha256 == hashes[name] else 0, room)
            pieces.append(piece)
            room -= len(piece.data)
            if piece.offset + len(piece.data) < piece.size:
                return pieces, True
        return pieces, False

    def take(self, piece: Piece) -> bool:
        """Keeps a piece; with the last one, the file appears.

        Returns:
            Whether the file is whole now. A piece that does not go on where the last one ended is
            passed over: the other end hears what is there, and sends the right one.

        Raises:
            ValueError: the whole file is not what was announced; it is sent again.
            OSError: it can't be written.
        """
        part = self.folder / f"{_PART}{piece.sha256}-{piece.name}"
        for other in self.folder.glob(f"{_PART}*-{piece.name}"):
            if other != part:
                other.unlink(missing_ok=True)  # the file has changed since
        there = part.stat().st_size if part.exists() else 0
        if piece.offset != there:
            return False
        with part.open("ab") as stream:
            stream.write(piece.data)
        if there + len(piece.data) < piece.size:
            return False
        if regular_sha256(part, piece.size) != piece.sha256:
            part.unlink()
            raise ValueError(f"{piece.name} was damaged on its way (SHA-256); it is sent again")
        part.replace(self.folder / piece.name)
        return True

    def forget(self, files: Mapping[str, str]) -> None:
        """Removes files that the other end has removed, unless they are others by now."""
        hashes = self.files()
        for name, sha256 in files.items():
            if hashes.get(name) == sha256:
                (self.folder / name).unlink(missing_ok=True)
