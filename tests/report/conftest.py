"""One finished run, for all tests of what is told of runs."""

from pathlib import Path

import pytest

import ecavg_tf
from ecavg_tf.config import Config
from ecavg_tf.results import RunResults, load_results


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of two rounds."""
    config = Config(rounds=2)
    config.data.train_examples = 400
    config.data.test_examples = 100
    config.edge.epochs = config.server.epochs = 2
    workdir = tmp_path_factory.mktemp("report") / "run"
    ecavg_tf.run(config, workdir)
    return workdir


@pytest.fixture(scope="session")
def results(run: Path) -> RunResults:
    return load_results(run)
