"""Who does not belong to a fleet over Flower: nodes of Flower's own, started by hand."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("flwr", reason="the extra 'fleet' is not installed")
from flower_for_tests import Field

from ecavg_tf.core.files import read_json
from ecavg_tf.core.flower import environment, free_port, program
from server.carrying.superlink import CONNECTION, flwr

pytestmark = pytest.mark.slow


@pytest.fixture
def fields() -> Iterator[list[Field]]:
    made: list[Field] = []
    yield made
    for field in made:
        field.stop()


def test_nodes_of_flowers_own_without_key_or_tls_are_kept_out(
    fields: list[Field], tmp_path: Path
) -> None:
    field = Field(tmp_path, ("east",))
    fields.append(field)
    field.serve()
    field.join("east")
    home, where = tmp_path / "served" / "flower", f"localhost:{field.port}"
    words = [program("flower-supernode"), "--superlink", where, "--port", str(free_port())]
    ca = ["--root-certificates", str(tmp_path / "certs" / "ca.pem")]
    strangers = []
    try:
        for name, way in (("keyless", ca), ("plain", ["--insecure"])):
            words[-1] = str(free_port())
            with (tmp_path / f"{name}.out").open("w") as out:
                strangers.append(
                    subprocess.Popen(
                        [*words, *way], env=environment(tmp_path / name), stdout=out, stderr=out
                    )
                )
        mine = read_json(tmp_path / "served" / "keys.json")["east"]["node"]
        online: set[str] = set()
        deadline = time.monotonic() + 200
        while mine not in online:
            assert time.monotonic() < deadline
            time.sleep(1)
            nodes = flwr(home, ["supernode", "list", CONNECTION])["nodes"]
            online = {str(node["node-id"]) for node in nodes if node["status"] == "online"}
        time.sleep(15)  # by now the others would be there, too
        nodes = flwr(home, ["supernode", "list", CONNECTION])["nodes"]
        assert [(node["node-id"], node["status"]) for node in nodes] == [(mine, "online")]
    finally:
        for process in strangers:
            process.terminate()
        for process in strangers:
            process.wait(timeout=60)
