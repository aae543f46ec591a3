"""Messages between server and edges as files in folders.

Every edge has a folder of its own with an ``inbox`` (written by the server) and an
``outbox`` (written by the edge), so a memory stick, rsync or a mounted bucket can
carry it. Every file appears whole, by an atomic rename. A reply names the SHA-256 of
the files that belong to it: a carrier that brings the small reply before the large
update does no harm.
"""

import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ecavg_tf.core.files import (
    atomic_path,
    file_sha256,
    load_json,
    read_regular,
    write_json,
)
from ecavg_tf.core.messages.letter import Letter, NamedFile, read_letter, write_letter
from ecavg_tf.core.messages.update_file import TensorFile

EXCHANGE, FINISH = "exchange", "finish"
_LARGEST_REPLY = 2**24
POLL_S = 0.2  # how long a side sleeps between two looks
_REQUEST = re.compile(r"(\d{4,})-(exchange|finish)\.safetensors")


@dataclass(frozen=True)
class Answer:
    """A reply as it lies in an outbox.

    Attributes:
        run_id: which run it belongs to.
        error: why there is no answer; None where there is one.
        body: the reply's JSON fields.
        update: the update file, if one belongs to it.
        pooled: the file of pooled data, if one belongs to it.
    """

    run_id: str
    error: str | None
    body: Mapping[str, Any]
    update: Path | None
    pooled: Path | None


class Mailbox:
    """One edge's two folders.

    Args:
        folder: the edge's folder; made when missing.
    """

    def __init__(self, folder: Path) -> None:
        self.inbox = folder / "inbox"
        self.outbox = folder / "outbox"
        for box in (self.inbox, self.outbox):
            box.mkdir(parents=True, exist_ok=True)
        self._hashes: dict[str, tuple[tuple[int, int, int], str]] = {}

    def send(self, letter: Letter) -> None:
        """Writes a request, unless it lies there already; an old error is forgotten."""
        path = self.inbox / f"{letter.round:04d}-{letter.kind}.safetensors"
        reply = self._reply_path(letter.round, letter.kind)
        if _is_error(reply):
            reply.unlink()
        if path.exists() and (reply.exists() or _names_file(path, letter.training_file)):
            return
        write_letter(path, letter)

    def put_file(self, source: Path) -> NamedFile:
        """Lays a file into the inbox, whole, unless it lies there already."""
        target = self.inbox / source.name
        if not target.exists() or file_sha256(target) != file_sha256(source):
            with atomic_path(target) as temporary:
                shutil.copyfile(source, temporary)
        return NamedFile(source.name, file_sha256(target))

    def has_file(self, file: NamedFile) -> bool:
        """Whether a named file lies in the inbox with the right bytes."""
        path = self.inbox / file.name
        return path.is_file() and file_sha256(path) == file.sha256

    def unanswered(self) -> Letter | None:
        """The newest request, if it has no reply yet.

        An edge that fell behind does not train for rounds that are over. A request
        that is not whole yet is not there yet; an error is no reply.

        Raises:
            ValueError: a request is not one of ours, or was changed on its way.
        """
        newest = self._newest()
        if newest is None or self._answered(newest):
            return None
        try:
            stored = TensorFile(self.inbox / newest[0])
        except ValueError:
            return None
        letter = read_letter(stored)
        if (letter.round, letter.kind) != (int(newest[1]), newest[2]):
            raise ValueError(f"{newest[0]} holds the request of another round; it was renamed")
        return letter

    def over(self) -> bool:
        """Whether the newest request is the run's last one and has its answer."""
        newest = self._newest()
        return newest is not None and newest[2] == FINISH and self._answered(newest)

    def finished_run(self) -> str | None:
        """The run whose last request has its answer; None: no run is over.

        Raises:
            ValueError: the answer can't be read.
        """
        newest = self._newest()
        if newest is None or not self.over():
            return None
        answer = self.answer(int(newest[1]), FINISH)
        return None if answer is None else answer.run_id

    def _newest(self) -> re.Match[str] | None:
        files = (path.name for path in self.inbox.iterdir() if path.is_file())
        found = filter(None, map(_REQUEST.fullmatch, files))
        return max(found, key=lambda match: (int(match[1]), match[2]), default=None)

    def _answered(self, request: re.Match[str]) -> bool:
        reply = self._reply_path(int(request[1]), request[2])
        return reply.exists() and not _is_error(reply)

    def reply(
        self,
        letter: Letter,
        body: Mapping[str, Any],
        *,
        update: Path | None = None,
        pooled: Path | None = None,
        error: str | None = None,
    ) -> None:
        """Answers a request: first the files, then the reply that names them."""
        files = {"update": update, "pooled": pooled}
        hashes = {}
        for name, source in files.items():
            if source is not None:
                target = self._file(letter.round, name)
                with atomic_path(target) as temporary:
                    shutil.copyfile(source, temporary)
                hashes[name] = file_sha256(target)
        fields = {"run_id": letter.run_id, "error": error, "files": hashes, "body": dict(body)}
        write_json(self._reply_path(letter.round, letter.kind), fields)

    def answer(
        self, round_number: int, kind: str, largest: Mapping[str, int] = MappingProxyType({})
    ) -> Answer | None:
        """The reply to a request, once it and all its files are there.

        Args:
            round_number: the round, from 1.
            kind: ``exchange`` or ``finish``.
            largest: most bytes that the files ``update`` and ``pooled`` may have.

        Raises:
            ValueError: it can't be read, or a file is too large.
        """
        path = self._reply_path(round_number, kind)
        if not path.exists():
            return None
        try:
            fields = load_json(read_regular(path, _LARGEST_REPLY))
            hashes = dict(fields["files"])
            if not isinstance(fields["error"], str | None):
                raise TypeError(f"its error is {fields['error']!r:.80}")
            if not hashes.keys() <= {"update", "pooled"}:
                raise ValueError(f"it names the files {sorted(hashes)}")
            answer = Answer(
                run_id=str(fields["run_id"]),
                error=fields["error"],
                body=dict(fields["body"]),
                update=self._file(round_number, "update") if "update" in hashes else None,
                pooled=self._file(round_number, "pooled") if "pooled" in hashes else None,
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path.name} is not a reply: {error!r}") from error
        for name, expected in hashes.items():
            file = self._file(round_number, name)
            if file.is_symlink() or (file.exists() and not file.is_file()):
                raise ValueError(f"{file.name} is not a regular file")
            if not file.exists() or self._hash(file, largest.get(name)) != expected:
                return None
        return answer

    def _hash(self, file: Path, largest: int | None) -> str:
        """Of a file of the outbox; one that lies there unchanged is not read at every look."""
        found = file.stat()
        if largest is not None and found.st_size > largest:
            raise ValueError(
                f"{file.name} has {found.st_size:,} bytes; at most {largest:,} were expected"
            )
        state = (found.st_size, found.st_mtime_ns, found.st_ino)
        known = self._hashes.get(file.name)
        if known is None or known[0] != state:
            known = self._hashes[file.name] = (state, file_sha256(file))
        return known[1]

    def _file(self, round_number: int, name: str) -> Path:
        return self.outbox / f"{round_number:04d}-{name}.safetensors"

    def _reply_path(self, round_number: int, kind: str) -> Path:
        return self.outbox / f"{round_number:04d}-{kind}.json"


def _is_error(reply: Path) -> bool:
    try:
        return load_json(read_regular(reply, _LARGEST_REPLY))["error"] is not None
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _names_file(request: Path, file: NamedFile | None) -> bool:
    """Whether a letter that lies there names this training file: a new one may lie there now."""
    try:
        named = TensorFile(request).metadata.get("training_file")
    except ValueError:
        return False
    return bool(named == (None if file is None else asdict(file)))
