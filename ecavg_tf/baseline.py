"""What edges that trained alone, and a server without their weights, came to."""

from collections.abc import Sequence
from pathlib import Path

from ecavg_tf.core.errors import WorkdirError
from ecavg_tf.core.files import read_json, write_json
from ecavg_tf.core.findings import Alone
from ecavg_tf.results import alone_from_json, to_json

FOLDER = "baseline"
_FILE = "alone.json"
_POOLED = "pooled.json"


def read_alone(workdir: Path) -> tuple[Alone, ...]:
    """What is kept so far; empty: nothing.

    Raises:
        WorkdirError: the file is damaged.
    """
    return _read(workdir / FOLDER / _FILE, "edges")


def write_alone(workdir: Path, edges: Sequence[Alone]) -> None:
    """Replaces what is kept."""
    write_json(workdir / FOLDER / _FILE, {"edges": to_json(list(edges))})


def read_pooled_only(workdir: Path) -> Alone | None:
    """What the server came to on the pooled data, without the edges' weights; None: not kept.

    Raises:
        WorkdirError: the file is damaged.
    """
    return next(iter(_read(workdir / FOLDER / _POOLED, "server")), None)


def write_pooled_only(workdir: Path, made: Alone) -> None:
    """Replaces what is kept."""
    write_json(workdir / FOLDER / _POOLED, {"server": to_json([made])})


def _read(path: Path, key: str) -> tuple[Alone, ...]:
    if not path.exists():
        return ()
    try:
        return alone_from_json(read_json(path)[key])
    except (KeyError, TypeError, ValueError) as error:
        raise WorkdirError(
            f"{path} is damaged ({error}); remove it to train alone again"
        ) from error
