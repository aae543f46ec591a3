import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ecavg_tf.config import Config, PartitionKind


@pytest.fixture
def small() -> Callable[[], Config]:
    """Makes a config that runs in a second: 200 digits, two class-disjoint edges."""

    def make() -> Config:
        config = Config()
        config.data.train_examples = 200
        config.data.test_examples = 100
        config.partition.kind = PartitionKind.CLASSES
        config.model.hidden_units = 16
        config.edge.epochs = 2
        config.server.epochs = 2
        return config

    return make


@pytest.fixture
def tfds_dir() -> str:
    """A prepared TFDS directory; tests that need one say so when there is none."""
    folder = os.environ.get("TFDS_DATA_DIR", "")
    if not (folder and (Path(folder) / "cifar10").is_dir()):
        pytest.skip("TFDS_DATA_DIR does not point at prepared mnist, cifar10 and cifar100")
    return folder


@pytest.fixture
def every_epoch_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fit that is killed finds its last epoch kept, although that took milliseconds."""
    monkeypatch.setattr("ecavg_tf.training.resuming.WORTH_S", 0.0)


@pytest.fixture(autouse=True)
def no_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """To draw a run's pictures takes longer than a test's run; who looks at them says so."""
    if request.path.parent.name in WHOLE_RUNS and "pictures" not in request.keywords:
        monkeypatch.setattr("ecavg_tf.report.plots.pictures", lambda *_: {})


WHOLE_RUNS = ("cli", "data", "edge", "end_to_end", "export", "rounds", "training")  # folders
