"""What the tests of studies share."""

from pathlib import Path

import pytest
from study_for_tests import digits


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return digits(tmp_path_factory.mktemp("data"))
