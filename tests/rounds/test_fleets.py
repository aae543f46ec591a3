"""The registry of fleets."""

from collections.abc import Callable
from pathlib import Path

import pytest

import ecavg_tf
from ecavg_tf.config import Config, FleetKind
from ecavg_tf.core.errors import ConfigError
from ecavg_tf.rounds.fleets import FLEETS


def test_every_kind_of_fleet_can_be_made() -> None:
    assert set(FLEETS) == set(FleetKind)


def test_a_run_over_flower_needs_a_courier(small: Callable[[], Config], tmp_path: Path) -> None:
    config = small()
    config.fleet.kind, config.fleet.server = FleetKind.FLOWER, str(tmp_path)
    with pytest.raises(ConfigError, match="is started with 'ecavg run'"):
        ecavg_tf.run(config, tmp_path / "run")
    config.fleet.server = ""
    with pytest.raises(ConfigError, match=r"--config\.fleet\.server=DIR, as in ecavg serve --sta"):
        ecavg_tf.run(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()
