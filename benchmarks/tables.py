"""One benchmark's table: printed, and kept as JSON for docs/performance.md.

A file ``benchmarks/results/NAME.json`` holds one object: ``title``, ``command``, ``columns`` (a
list of words), ``rows`` (lists as long as ``columns``, of words already), ``notes`` (sentences),
``machine`` and ``versions``.
"""

import os
import platform
import shlex
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from ecavg_tf.core.files import write_json

RESULTS = Path(__file__).resolve().parent / "results"
_PACKAGES = ("ecavg-tf", "tensorflow", "keras", "numpy")


def keep(
    name: str,
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    notes: Sequence[str] = (),
) -> None:
    """Prints a table and writes it, with the command that was given.

    Args:
        name: of the file.
        title: one line.
        columns: the header.
        rows: a cell for every column.
        notes: sentences that belong below the table.
    """
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    print(title)
    for row in (columns, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))
    for note in notes:
        print(note)
    RESULTS.mkdir(exist_ok=True)
    script = Path(sys.argv[0]).name
    write_json(
        RESULTS / f"{name}.json",
        {
            "title": title,
            "command": shlex.join(["python", f"benchmarks/{script}", *sys.argv[1:]]),
            "columns": list(columns),
            "rows": [list(row) for row in rows],
            "notes": list(notes),
            "machine": machine(),
            "versions": {each: metadata.version(each) for each in _PACKAGES},
        },
    )


def machine() -> dict[str, str | int]:
    """The processor, and how many of its cores this process may use."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"processor": named[0] if named else platform.machine(), "cores": cores or 1,
            "avx512": any("avx512f" in line for line in lines)}  # fmt: skip
