"""What edges that trained alone came to, as a run directory keeps it."""

from collections.abc import Sequence
from pathlib import Path

from ecavg_tf.core.errors import WorkdirError
from ecavg_tf.core.files import read_json, write_json
from ecavg_tf.core.findings import Alone
from ecavg_tf.results import alone_from_json, to_json

FOLDER = "baseline"
_FILE = "alone.json"


def read_alone(workdir: Path) -> tuple[Alone, ...]:
    """What is kept so far; empty: nothing.

    Raises:
        WorkdirError: the file is damaged.
    """
    path = workdir / FOLDER / _FILE
    if not path.exists():
        return ()
    try:
        return alone_from_json(read_json(path)["edges"])
    except (KeyError, TypeError, ValueError) as error:
        raise WorkdirError(
            f"{path} is damaged ({error}); remove it to train alone again"
        ) from error


def write_alone(workdir: Path, edges: Sequence[Alone]) -> None:
    """Replaces what is kept."""
    write_json(workdir / FOLDER / _FILE, {"edges": to_json(list(edges))})
