"""The page as a folder that any web server can serve."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from ecavg_tf.core.errors import ExportError
from ecavg_tf.core.files import write_bytes
from export.web.contents import ABOUT, CATALOG


def write_page(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Writes the page; files of an earlier page there are replaced or removed.

    The list of files comes last: a folder without it was not finished.

    Args:
        folder: where to; made when it is missing.
        contents: every file by its path in the folder.

    Raises:
        ExportError: a file lies there that no earlier export of a page made.
    """
    check_place(folder)
    ours = _written(folder)
    for name in contents:
        if name not in ours and name != CATALOG and os.path.lexists(folder / name):
            raise ExportError(
                f"{folder / name} is there, and no page that was exported: move it away, or give "
                "another folder with --out"
            )
    for name in ours - set(contents):
        (folder / name).unlink(missing_ok=True)
    for name, content in contents.items():
        if name != CATALOG:
            write_bytes(folder / name, content)
    write_bytes(folder / CATALOG, contents[CATALOG])
    for place in sorted({(folder / name).parent for name in ours}, reverse=True):
        if place != folder and place.is_dir() and not any(place.iterdir()):
            place.rmdir()


def check_place(folder: Path) -> None:
    """Refuses, before minutes of work, a folder in which other files lie.

    Raises:
        ExportError: it holds something else than an exported page, or is no folder.
    """
    if not os.path.lexists(folder):
        return
    if not folder.is_dir():
        raise ExportError(f"{folder} is no folder; give another one with --out")
    if any(folder.iterdir()) and not _written(folder):
        raise ExportError(
            f"{folder} is not empty and holds no page that was exported: give a new folder with "
            "--out"
        )


def _written(folder: Path) -> set[str]:
    """The files that an earlier export wrote there, by their paths in the folder."""
    try:
        said = json.loads((folder / CATALOG).read_bytes())
        names = set(said["files"]) if said["about"] == ABOUT else set()
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    return {name for name in names if ".." not in Path(name).parts and not name.startswith("/")}
