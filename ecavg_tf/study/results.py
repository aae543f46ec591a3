"""study.json: one object with a line for every cell."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ecavg_tf.core.files import canonical_json
from ecavg_tf.study.plan import Cell, cell_from_json

SCHEMA_VERSION = 1
RESULTS = "study.json"
DIVERGED = "diverged"  # cells whose arm has no model: listed apart, and in no mean


def lines_of(results: Mapping[str, Any]) -> str:
    """A study's results as JSON with one line a cell, so that two of them can be compared."""
    head = {name: value for name, value in results.items() if name != "cells"}
    cells = ",\n".join(canonical_json(cell) for cell in results["cells"])
    return f'{canonical_json(head)[:-1]},"cells":[\n{cells}\n]}}\n'


def left_out(results: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for every cell that no mean counts."""
    for cell in results.get(DIVERGED, []):
        why = cell[DIVERGED]
        yield f"Counted nowhere: {cell_from_json(cell['cell'])}. Training diverged: {why}."


def cell_path(folder: Path, cell: Cell) -> Path:
    """Where a study's directory has what came of a cell."""
    return folder / "cells" / f"{cell.name}.json"
