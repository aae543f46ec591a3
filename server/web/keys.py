"""The keys by which tabs show which edge they are."""

import hashlib
import hmac
import json
import secrets
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from ecavg_tf.core.errors import WorkdirError
from ecavg_tf.core.files import atomic_path, read_json

KEYS = "keys.json"
_BYTES = 32


class Keys:
    """A key for each edge.

    Args:
        keys: by the edges' names.
    """

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._keys = dict(keys)

    def __getitem__(self, edge: str) -> str:
        return self._keys[edge]

    def edge_of(self, key: str) -> str | None:
        """Whose key this is; None: nobody's. How long it takes tells nothing of any key."""
        found = None
        for edge, known in self._keys.items():
            if hmac.compare_digest(_hashed(known), _hashed(key)):
                found = edge
        return found


def _hashed(key: str) -> bytes:
    """As many bytes whatever comes: a header may hold anything."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def keys_of(folder: Path, edges: Iterable[str]) -> Keys:
    """The edges' keys as a folder keeps them; whoever has none gets one.

    Args:
        folder: where they are kept, readable by the user alone.
        edges: the edges that take part; keys of others are kept, and let nobody in.

    Raises:
        WorkdirError: others may read the file, or it is damaged.
        OSError: it can't be written.
    """
    path = folder / KEYS
    known = _read(path) if path.exists() else {}
    wanted = tuple(edges)
    made = {edge: secrets.token_urlsafe(_BYTES) for edge in wanted if edge not in known}
    if made:
        _write(path, known | made)
    return Keys({edge: (known | made)[edge] for edge in wanted})


def _read(path: Path) -> dict[str, str]:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise WorkdirError(
            f"{path} holds keys, and others may read it (mode {mode:04o}): chmod 600 {path}; or "
            "remove it, and every edge gets another key"
        )
    keys = read_json(path)
    for edge, key in keys.items():
        if not isinstance(key, str) or len(key) < _BYTES:
            raise WorkdirError(f"{path}: the key of {edge} is none; remove its line")
    return keys


def _write(path: Path, keys: Mapping[str, str]) -> None:
    with atomic_path(path) as temporary:
        temporary.chmod(0o600)  # before anything is in it
        temporary.write_text(json.dumps(keys, indent=2) + "\n", encoding="utf-8")
