"""Which rounds edges take part in (``fleet.presence``), and whom a server waits for."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ecavg_tf.core.errors import ConfigError

_ENTRY = re.compile(r"([A-Za-z0-9_-][A-Za-z0-9._-]*):([1-9]\d*)(?:-([1-9]\d*))?")
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")


def _entries(text: str) -> list[str]:
    return [entry for each in text.split(",") if (entry := each.strip())]


def rounds_of(presence: str) -> Mapping[str, tuple[int, int | None]]:
    """The first and the last round of each edge that ``fleet.presence`` names; None: no last.

    Raises:
        ConfigError: it says something else.
    """
    found: dict[str, tuple[int, int | None]] = {}
    for entry in _entries(presence):
        match = _ENTRY.fullmatch(entry)
        first = int(match[2]) if match else 0
        last = int(match[3]) if match and match[3] else None
        if match is None or match[1] in found or (last is not None and last < first):
            raise ConfigError(
                f"fleet.presence has {entry!r}; expected each edge once, as NAME:FIRST or "
                "NAME:FIRST-LAST with the rounds that it takes part in"
            )
        found[match[1]] = (first, last)
    return found


def present(presence: str, edges: Sequence[str], number: int) -> tuple[str, ...]:
    """The edges that take part in a round, in their order."""
    rounds = rounds_of(presence)
    there = []
    for edge in edges:
        first, last = rounds.get(edge, (1, None))
        if first <= number and (last is None or number <= last):
            there.append(edge)
    return tuple(there)


def check_presence(presence: str, edges: Sequence[str]) -> None:
    """Checks that the edges that it names are there.

    Raises:
        ConfigError: there is no edge of a name.
    """
    for name in rounds_of(presence):
        if name not in edges:
            raise ConfigError(
                f"fleet.presence names {name!r}, which is no edge; valid: {', '.join(edges)}"
            )


@dataclass(frozen=True)
class WaitFor:
    """Whom a server without training data waits for before round 1.

    Attributes:
        count: so many edges, whatever their names.
        names: these edges.
    """

    count: int
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, text: str, quorum: int) -> "WaitFor":
        """Reads ``fleet.wait_for``.

        Raises:
            ConfigError: it is neither a number nor names.
        """
        entries = _entries(text)
        if not entries:
            return cls(quorum)
        if len(entries) == 1 and entries[0].isdecimal() and int(entries[0]) > 0:
            return cls(int(entries[0]))
        wrong = [entry for entry in entries if not _NAME.fullmatch(entry) or entry.isdecimal()]
        if wrong:
            raise ConfigError(
                f"fleet.wait_for has {wrong[0]!r}; expected a number of edges, or names of edges "
                "separated by commas"
            )
        return cls(0, tuple(entries))

    def missing(self, there: Sequence[str]) -> str:
        """Who is not there yet, in words; empty: nobody is waited for."""
        if self.names:
            return ", ".join(name for name in self.names if name not in there)
        lacking = self.count - len(there)
        more = "more " if there else ""
        return f"{lacking} {more}edge{'s' if lacking > 1 else ''}" if lacking > 0 else ""
