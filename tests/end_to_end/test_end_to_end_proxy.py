"""The reverse proxy of ``deploy/``: edges reach the fleet path through it, and nothing else."""

import http.client
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("flwr", reason="the extra 'fleet' is not installed")
from flower_for_tests import Field
from paths_for_tests import ROOT

from ecavg_tf.core.errors import RoundError
from ecavg_tf.core.flower import free_port
from server.carrying.superlink import flwr

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed"),
]


@pytest.fixture
def field(tmp_path: Path) -> Iterator[Field]:
    made = Field(tmp_path, ("east",), rounds=1, epochs=1)
    yield made
    made.stop()


@pytest.fixture
def proxy(field: Field) -> Iterator[int]:
    """The port of nginx with the configuration of deploy/, its marked places edited."""
    port, folder = free_port(), field.folder / "nginx"
    folder.mkdir()
    text = (ROOT / "deploy" / "nginx.conf").read_text()
    text = text.replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
    text = text.replace("127.0.0.1:9092", f"127.0.0.1:{field.port}")
    text = text.replace("/etc/ecavg/certs", str(field.folder / "certs"))
    (folder / "nginx.conf").write_text(f"daemon off; pid {folder}/pid; user root;\n{text}")
    words = ["nginx", "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    process = subprocess.Popen(words)
    yield port
    process.terminate()
    process.wait(timeout=20)


def test_edges_get_through_and_runs_do_not(field: Field, proxy: int) -> None:
    field.serve()
    served, field.port = field.port, proxy
    field.join("east")
    field.port = served
    field.run()
    assert field.end().rounds[0].participants == ("east",)

    context = ssl.create_default_context(cafile=str(field.folder / "certs" / "ca.pem"))
    for path in ("/", "/v1/control/start-run", "/v1/runtime/get-nodes", "/v1/fleet/../control/"):
        connection = http.client.HTTPSConnection("localhost", proxy, context=context, timeout=20)
        connection.request("POST", path, body=b"")
        assert connection.getresponse().status in (403, 404), path
        connection.close()
    plain = http.client.HTTPConnection("localhost", proxy, timeout=20)
    plain.request("GET", "/v1/fleet/")
    assert plain.getresponse().status == 400  # plain text to a TLS port

    home = field.folder / "served" / "flower"
    config = (home / "config.toml").read_text().replace(str(served), str(proxy))
    (home / "config.toml").write_text(config)
    with pytest.raises(RoundError, match="'flwr run' fails"):
        flwr(home, ["run", str(ROOT / "server" / "carrying" / "app"), "ecavg"])
