"""Which rounds edges take part in, and whom a server waits for."""

import pytest

from ecavg_tf.config import Config, with_fields
from ecavg_tf.config.presence import WaitFor, present
from ecavg_tf.core.errors import ConfigError

EDGES = ("east", "isle", "north")


def test_edges_join_and_leave_by_round() -> None:
    said = "isle:2, north:1-2"
    assert [present(said, EDGES, number) for number in (1, 2, 3)] == [
        ("east", "north"),
        EDGES,
        ("east", "isle"),
    ]
    assert present("", EDGES, 1) == EDGES


@pytest.mark.parametrize("said", ["isle", "isle:0", "isle:3-2", "isle:1,isle:2", "a b:1"])
def test_what_presence_can_not_be(said: str) -> None:
    with pytest.raises(ConfigError, match="NAME:FIRST or NAME:FIRST-LAST"):
        with_fields(Config(), {"fleet.presence": said})


def test_whom_a_server_waits_for() -> None:
    assert WaitFor.of("", 2).missing([]) == "2 edges"
    assert WaitFor.of("3", 1).missing(["east", "isle"]) == "1 more edge"
    assert WaitFor.of("3", 1).missing(EDGES) == ""
    assert WaitFor.of("west, isle", 1).missing(EDGES) == "west"
    for wrong in ("0", "2,3", "a b", "-/x"):
        with pytest.raises(ConfigError, match=r"fleet\.wait_for has"):
            with_fields(Config(), {"fleet.wait_for": wrong})


def test_a_server_that_is_told_its_data_needs_a_folder() -> None:
    with pytest.raises(ConfigError, match=r"set fleet\.kind=folder"):
        with_fields(Config(), {"data.spec": "first-edge"})
