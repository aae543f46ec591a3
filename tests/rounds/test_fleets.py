"""The registry of fleets."""

from ecavg_tf.config import FleetKind
from ecavg_tf.rounds.fleets import FLEETS


def test_every_kind_of_fleet_can_be_made() -> None:
    assert set(FLEETS) == set(FleetKind)
