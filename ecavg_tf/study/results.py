"""study.json: one object with a line for every cell."""

from collections.abc import Mapping
from typing import Any

from ecavg_tf.core.files import canonical_json

SCHEMA_VERSION = 1
RESULTS = "study.json"


def lines_of(results: Mapping[str, Any]) -> str:
    """A study's results as JSON with one line a cell, so that two of them can be compared."""
    head = {name: value for name, value in results.items() if name != "cells"}
    cells = ",\n".join(canonical_json(cell) for cell in results["cells"])
    return f'{canonical_json(head)[:-1]},"cells":[\n{cells}\n]}}\n'
