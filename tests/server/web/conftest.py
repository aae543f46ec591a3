"""An exchange folder, and a front to it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from front_for_tests import Asker, fronted


@pytest.fixture
def exchange(tmp_path: Path) -> Path:
    folder = tmp_path / "exchange"
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps({"run_id": "run-a"}))
    return folder


@pytest.fixture
def north(exchange: Path) -> Iterator[Asker]:
    with fronted(exchange) as askers:
        yield askers["north"]
