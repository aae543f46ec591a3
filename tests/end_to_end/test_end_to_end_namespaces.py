"""Server and edges in network namespaces of their own, each with its address."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("flwr", reason="the extra 'fleet' is not installed")
from flower_for_tests import Field, bits

pytestmark = pytest.mark.slow
EDGES = ("east", "north")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


@pytest.fixture
def spaces() -> Iterator[dict[str, str]]:
    """Names of the namespaces of the server and of each edge; each edge has a link of its own."""
    if shutil.which("ip") is None:
        pytest.skip("iproute2 is not installed")
    names = {who: f"ecavg-{os.getpid()}-{who}" for who in ("server", *EDGES)}
    made = []
    try:
        try:
            for name in names.values():
                ip("netns", "add", name)
                made.append(name)
                ip("-n", name, "link", "set", "lo", "up")
        except subprocess.CalledProcessError as error:
            pytest.skip(f"network namespaces can't be made here: {error.stderr.strip()}")
        for number, edge in enumerate(EDGES, 1):
            here, there = f"s{number}", f"e{number}"
            ip("-n", names["server"], "link", "add", here, "type", "veth", "peer", "name", there,
               "netns", names[edge])  # fmt: skip
            for who, link, last in ((names["server"], here, 1), (names[edge], there, 2)):
                ip("-n", who, "addr", "add", f"10.77.{number}.{last}/24", "dev", link)
                ip("-n", who, "link", "set", link, "up")
        yield names
    finally:
        for name in made:
            subprocess.run(["ip", "netns", "del", name], check=False)


def test_edges_with_addresses_of_their_own_and_a_line_that_is_cut(
    spaces: dict[str, str], tmp_path: Path
) -> None:
    field = Field(tmp_path, EDGES, rounds=2)
    try:
        for who in ("serve", "far", *EDGES):
            space = spaces.get(who, spaces["server"])
            field.inside[who] = ["ip", "netns", "exec", space]
        field.hosts = {"east": "10.77.1.1", "north": "10.77.2.1"}
        field.certs("--host=10.77.1.1,10.77.2.1")
        field.serve("--host=0.0.0.0")
        for edge in EDGES:
            field.join(edge)
        field.run()
        log = tmp_path / "state" / "north" / "run-0001" / "edge.log"
        field.wait_for(log, "round 1: north pre-trains")
        ip("-n", spaces["north"], "link", "set", "e2", "down")
        time.sleep(30)
        ip("-n", spaces["north"], "link", "set", "e2", "up")
        far = field.end()
        assert [played.participants for played in far.rounds] == [EDGES] * 2
        assert all(played.absent == () for played in far.rounds)
        assert bits(far) == bits(field.near())
    finally:
        field.stop()
