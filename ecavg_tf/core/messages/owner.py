"""Whose an edge's name is: that of the state folder which first answered for it."""

import contextlib
import datetime
import os
import secrets
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

from ecavg_tf.core.errors import WorkdirError
from ecavg_tf.core.fields import Fields
from ecavg_tf.core.files import TEMPORARY_PREFIX, canonical_json, read_json, write_json

_STATE = "state.json"  # in a state folder
_LONGEST = 200


@dataclass(frozen=True)
class Owner:
    """A state folder that answers for an edge.

    Attributes:
        state: a random name that the folder got when it was first used.
        where: the machine and the folder, for people.
        since: when it first answered, for people.
    """

    state: str
    where: str
    since: str

    @classmethod
    def of(cls, folder: Path) -> "Owner":
        """The owner that an edge's own folder is, from now on; the folder is made."""
        path = folder / _STATE
        if not path.exists():
            write_json(path, {"state": secrets.token_hex(16)})
        now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        return cls(str(read_json(path).get("state")), f"{socket.gethostname()}:{folder}", now)

    @classmethod
    def field(cls, fields: Fields, name: str) -> "Owner":
        """Reads what ``asdict`` made of one.

        Raises:
            ValueError: it is not one.
        """
        inner = fields.inner(name)
        where, since = (inner.line(key)[:_LONGEST] for key in ("where", "since"))
        return cls(inner.text("state")[:_LONGEST], where, since)

    def refusal(self, edge: str, other: "Owner") -> str:
        """Why ``other`` can't answer for an edge that is this one's."""
        return (
            f"the name {edge} belongs to {self.where}, which answered first ({self.since}); "
            f"{other.where} is another state folder: give each edge a name of its own (--edge)"
        )


def check_owner(path: Path, edge: str, owner: Owner) -> bool:
    """Whether an edge's name has an owner already; it must be this one.

    Args:
        path: the file in the edge's outbox that names the owner.
        edge: the name.
        owner: who wants to answer for it.

    Raises:
        WorkdirError: the name is another one's.
    """
    if not path.exists():
        return False
    try:
        first = Owner.field(Fields({"owner": read_json(path)}), "owner")
    except ValueError as error:
        raise WorkdirError(f"{path} is damaged: {error}; remove it") from error
    if first.state != owner.state:
        raise WorkdirError(first.refusal(edge, owner))
    return True


def remember(path: Path, edge: str, owner: Owner) -> str | None:
    """Why a state folder may not answer for an edge; None: it may, and is remembered.

    Args:
        path: the server's file with the owners of all edges.
        edge: the name.
        owner: who answers for it.
    """
    known = read_json(path) if path.exists() else {}
    if edge not in known:
        write_json(path, known | {edge: asdict(owner)})
        return None
    first = Owner.field(Fields(known), edge)
    return None if first.state == owner.state else first.refusal(edge, owner)


def claim(path: Path, edge: str, owner: Owner) -> None:
    """Takes an edge's name for a state folder, unless another one has it.

    Raises:
        WorkdirError: the name is another one's.
    """
    if check_owner(path, edge, owner):
        return
    text = canonical_json(asdict(owner))
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}-{path.name}")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.link(temporary, path)  # of two at the same time, one fails
    except FileExistsError:
        check_owner(path, edge, owner)
    except OSError:  # a memory stick knows no links
        with contextlib.suppress(FileExistsError), path.open("x", encoding="utf-8") as file:
            file.write(text)
        check_owner(path, edge, owner)
    finally:
        temporary.unlink(missing_ok=True)
