"""Messages between server and edges as files in folders.

Every edge has a folder of its own with an ``inbox`` (written by the server) and an
``outbox`` (written by the edge), so a memory stick, rsync or a mounted bucket can
carry it. Both sides write every file whole, by an atomic rename; a carrier may not. A
reply names the SHA-256 of the files that belong to it, so it does no harm if the small
reply comes before the large update; and a reply that is no JSON may still be copied.
"""

import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from json import JSONDecodeError
from pathlib import Path
from types import MappingProxyType

from ecavg_tf.core.files import (
    atomic_path,
    file_sha256,
    regular_sha256,
    write_json,
)
from ecavg_tf.core.messages.mail_files import (
    FileState,
    Growing,
    is_error,
    loaded,
    size,
    state_of,
    tells,
)
from ecavg_tf.core.messages.owner import Owner, check_owner, claim
from ecavg_tf.core.messages.reply import FILES, NoReply, Reply, decode_reply, encode_reply
from ecavg_tf.core.messages.request import (
    FINISH,
    NamedFile,
    Request,
    read_request,
    write_request,
)
from ecavg_tf.core.messages.signature import EdgeKeys, SignatureError, SigningKey
from ecavg_tf.core.messages.update_file import TensorFile

_OWNER = "owner.json"
POLL_S = 0.2  # how long a side sleeps between two looks
_REQUEST = re.compile(r"(\d{4,})-(hello|exchange|finish)\.safetensors")


class Mailbox:
    """One edge's two folders.

    Args:
        folder: the edge's folder, which has its name.
        make: whether to make what is missing of it.
        key: at the edge: signs its replies; None: they are not signed.
        keys: at the server: a reply counts only if the edge's key signed it; None: any does.
    """

    def __init__(
        self,
        folder: Path,
        *,
        make: bool = True,
        key: SigningKey | None = None,
        keys: EdgeKeys | None = None,
    ) -> None:
        self.edge = folder.name
        self._key = key
        self._keys = keys
        self.inbox = folder / "inbox"
        self.outbox = folder / "outbox"
        for box in (self.inbox, self.outbox) if make else ():
            box.mkdir(parents=True, exist_ok=True)
        self._owner: Owner | None = None
        self._laid = 0  # bytes of the file that was laid beside the newest request
        self._hashes: dict[str, tuple[FileState, str]] = {}
        self._growing = Growing()

    def check_boxes(self) -> None:
        """Before the server writes or removes a file here.

        Raises:
            OSError: a box is a link: an edge that put it there would have the server write
                into, or remove from, any folder of the server's.
        """
        for box in (self.inbox, self.outbox):
            if box.is_symlink():
                raise OSError(f"{box.name} is a link, expected a folder")

    def check_owner(self, owner: Owner) -> None:
        """Raises a ``WorkdirError`` if another state folder has answered for this edge."""
        check_owner(self.outbox / _OWNER, self.edge, owner)

    def claim(self, owner: Owner) -> None:
        """Takes the edge's name for a state folder; replies name it from now on.

        Raises:
            WorkdirError: another one has answered for this edge.
        """
        claim(self.outbox / _OWNER, self.edge, owner)
        self._owner = owner

    @property
    def signs(self) -> bool:
        """Whether replies are signed here."""
        return self._key is not None

    def send(self, request: Request) -> None:
        """Writes a request, unless it lies there already; an old error is forgotten."""
        path = self._request_path(request)
        reply = self._reply_path(request.round, request.kind)
        if is_error(reply) or self._is_foreign(reply, request):
            reply.unlink()
        if path.exists() and (reply.exists() or tells(path, request)):
            return
        write_request(path, request)

    def ask_again(self, request: Request) -> None:
        """Writes a request anew, as if there were no answer to it yet."""
        self._reply_path(request.round, request.kind).unlink(missing_ok=True)
        write_request(self._request_path(request), request)

    def put_file(self, source: Path) -> NamedFile:
        """Lays a file into the inbox, whole, unless it lies there already."""
        target = self.inbox / source.name
        self._laid = 0
        if not target.exists() or file_sha256(target) != file_sha256(source):
            with atomic_path(target) as temporary:
                shutil.copyfile(source, temporary)
            self._laid = size(target)
        return NamedFile(source.name, file_sha256(target))

    def sizes(self, request: Request, hashes: Mapping[str, str]) -> tuple[int, int]:
        """Bytes that a request took, and its answer, as far as there is one.

        Args:
            request: the request. A training file that lay there already took none.
            hashes: of the files that belong to the answer, by their names in ``FILES``.
        """
        answers = [self._file(request.round, name) for name in hashes]
        answers.append(self._reply_path(request.round, request.kind))
        down = size(self._request_path(request)) + self._laid
        return down, sum(map(size, answers))

    def has_file(self, file: NamedFile) -> bool:
        """Whether a named file lies in the inbox with the right bytes."""
        path = self.inbox / file.name
        return path.is_file() and file_sha256(path) == file.sha256

    def waiting(self) -> Path | None:
        """The file of the newest request, if it has no reply yet; it may not be whole."""
        newest = self._newest()
        return None if newest is None or self._answered(newest) else self.inbox / newest[0]

    def unanswered(self) -> Request | None:
        """The newest request, if it has no reply yet.

        An edge that fell behind does not train for rounds that are over. A request
        that is not whole yet is not there yet; an error is no reply.

        Raises:
            ValueError: a request is not one of ours, or was changed on its way.
        """
        path = self.waiting()
        if path is None:
            return None
        try:
            stored = TensorFile(path)
        except ValueError:
            return None
        request = read_request(stored)
        if self._request_path(request) != path:
            raise ValueError(f"{path.name} holds the request of another round; it was renamed")
        return request

    def newest(self) -> tuple[str | None, str | None]:
        """Names of the newest request and of the file that goes along with it, if there are any."""
        newest = self._newest()
        if newest is None:
            return None, None
        try:
            named = TensorFile(self.inbox / newest[0]).metadata.get("training_file")
        except ValueError:
            return None, None
        return newest[0], None if named is None else str(named.get("name"))

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
        path = self._reply_path(int(newest[1]), FINISH)
        try:
            return loaded(path).text("run_id")
        except (OSError, ValueError) as error:
            raise ValueError(f"{path.name} is not a reply: {error}") from error

    def _newest(self) -> re.Match[str] | None:
        files = (path.name for path in self.inbox.iterdir() if path.is_file())
        found = filter(None, map(_REQUEST.fullmatch, files))
        return max(found, key=lambda match: (int(match[1]), match[2]), default=None)

    def _answered(self, request: re.Match[str]) -> bool:
        reply = self._reply_path(int(request[1]), request[2])
        if not reply.exists():
            return False
        try:
            told = loaded(reply).values
        except JSONDecodeError:
            return False  # it is cut, and the server waits for a whole one
        except (OSError, ValueError):
            return True  # of damage, the server tells
        # One that another key signed is no answer: this edge signs anew.
        return told.get("error") is None and (self._key is None or self._key.made(told))

    def _is_foreign(self, reply: Path, request: Request) -> bool:
        """Whether a reply lies there that the edge's key did not sign: it may answer anew."""
        if self._keys is None or not reply.exists():
            return False
        try:
            self._keys.check(self.edge, request, loaded(reply).values)
        except JSONDecodeError:
            return False  # it may still be copied, and nobody would bring it again
        except (OSError, ValueError):
            return True
        return False

    def drop_pooled(self, request: Request) -> None:
        """Removes pooled data that no server wants any more once this request is there.

        The examples lie where other edges may read them: until the rounds before are finished,
        for a server that was stopped and goes on, and no longer.
        """
        over = request.round + (request.kind == FINISH)
        for path in self.outbox.glob("*-pooled.safetensors"):
            number = path.name.partition("-")[0]
            if number.isdecimal() and int(number) < over:
                path.unlink(missing_ok=True)

    def reply(self, request: Request, reply: Reply | NoReply) -> None:
        """Answers a request: first the files, then the reply that names them."""
        self.drop_pooled(request)
        hashes = {}
        for name in FILES if isinstance(reply, Reply) else ():
            source: Path | None = getattr(reply, name)
            if source is not None:
                target = self._file(request.round, name)
                with atomic_path(target) as temporary:
                    shutil.copyfile(source, temporary)
                hashes[name] = file_sha256(target)
        path = self._reply_path(request.round, request.kind)
        told = encode_reply(request, reply, hashes, self._owner)
        if self._key is not None:
            told = self._key.sign(self.edge, request, told)
        write_json(path, told)

    def answer(
        self, request: Request, largest: Mapping[str, int] = MappingProxyType({})
    ) -> Reply | NoReply | None:
        """The reply to a request, once it and all its files are there whole.

        Args:
            request: what was asked.
            largest: most bytes that the files ``update`` and ``pooled`` may have.

        Raises:
            ValueError: it can't be read, or a file is too large.
        """
        path = self._reply_path(request.round, request.kind)
        if not path.exists():
            return None
        files = {name: self._file(request.round, name) for name in FILES}
        try:
            told = loaded(path).values
            if self._keys is not None and told.get("error") is None:
                self._keys.check(self.edge, request, told)
            reply, hashes = decode_reply(told, request, self.edge, files)
        except FileNotFoundError:
            return None  # a carrier replaces it just now
        except SignatureError as error:
            raise ValueError(f"{path.name} is refused: {error}") from error
        except (OSError, ValueError) as error:
            if isinstance(error, JSONDecodeError) and self._growing.may_grow(path):
                return None
            raise ValueError(f"{path.name} is not a reply: {error}") from error
        for name, expected in hashes.items():
            found = self._hash(files[name], largest.get(name))
            taken = name == "pooled" and not request.pooled_wanted
            if found is None and taken and isinstance(reply, Reply):
                reply = replace(reply, pooled=None)  # the server took and removed it
            elif found != expected:
                return None
        return reply

    def _hash(self, file: Path, largest: int | None) -> str | None:
        """Of a file of the outbox; one that lies there unchanged is not read at every look."""
        try:
            state = state_of(file)
        except FileNotFoundError:
            return None
        known = self._hashes.get(file.name)
        if known is None or known[0] != state:
            known = self._hashes[file.name] = (state, regular_sha256(file, largest))
        return known[1]

    def _file(self, round_number: int, name: str) -> Path:
        return self.outbox / f"{round_number:04d}-{name}.safetensors"

    def _request_path(self, request: Request) -> Path:
        return self.inbox / f"{request.round:04d}-{request.kind}.safetensors"

    def _reply_path(self, round_number: int, kind: str) -> Path:
        return self.outbox / f"{round_number:04d}-{kind}.json"
