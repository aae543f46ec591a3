"""What is wrong with address, certificate or clock is one clear line of ``ecavg join``."""

import contextlib
import datetime
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("flwr", reason="the extra 'fleet' is not installed")
from paths_for_tests import ROOT
from tls_for_tests import make_future_server, serving

from ecavg_tf.core.flower import free_port
from server.carrying.certificates import make_authority, make_edge_key, make_server

pytestmark = pytest.mark.slow
DAY_S = 86_400


@pytest.fixture
def certs(tmp_path: Path) -> Path:
    make_authority(tmp_path)
    make_server(tmp_path, ["localhost"], 30)
    make_edge_key(tmp_path / "edges", "north")
    return tmp_path


@contextlib.contextmanager
def joining(certs: Path, server: str) -> Iterator[subprocess.Popen[str]]:
    """A running ``ecavg join``."""
    words = [
        sys.executable, "-m", "ecavg_tf", "join", f"--server={server}", "--edge=north",
        "--data=north.npz", f"--state={certs / 'state'}", f"--ca={certs / 'ca.pem'}",
        f"--key={certs / 'edges' / 'north.key'}", "--device",
    ]  # fmt: skip
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.mark.parametrize(
    ("host", "said"),
    [("localhost", "no server answers at localhost:"), ("no.such.invalid", "no machine has")],
)
def test_a_dead_or_wrong_address_is_tried_again(certs: Path, host: str, said: str) -> None:
    with joining(certs, f"{host}:{free_port()}") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert said in line
        assert line.endswith("It is tried again.\n")
        assert process.poll() is None


def test_an_expired_certificate(certs: Path) -> None:
    make_server(certs, ["localhost"], -1)
    with serving(certs) as port:
        check_refused(certs, port, "has expired (or this machine's clock is ahead)")


def test_a_certificate_that_is_not_valid_yet(certs: Path) -> None:
    make_future_server(certs)
    with serving(certs) as port:
        check_refused(certs, port, "is not valid yet: this machine's clock is behind; set it")


@pytest.mark.parametrize(("clock_s", "said"), [(DAY_S, "behind"), (-DAY_S, "ahead of")])
def test_a_clock_a_day_off(certs: Path, clock_s: float, said: str) -> None:
    with serving(certs, clock_s) as port:
        check_refused(certs, port, f" s {said} that of localhost:{port}")


def check_refused(certs: Path, port: int, said: str) -> None:
    """What does not mend itself ends the command."""
    with joining(certs, f"localhost:{port}") as process:
        printed, _ = process.communicate(timeout=60)
        code = process.returncode
    assert code == 2, printed
    (line,) = printed.splitlines()
    assert line.startswith("ecavg: ")
    assert said in line


def test_a_server_does_not_start_with_an_expired_certificate(certs: Path) -> None:
    make_server(certs, ["localhost"], -1)
    words = ["serve", f"--certs={certs}", f"--state={certs / 'served'}", f"--port={free_port()}"]
    done = subprocess.run(
        [sys.executable, "-m", "ecavg_tf", *words],
        capture_output=True, text=True, timeout=60, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 2
    yesterday = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    (line,) = done.stderr.splitlines()
    assert f"server.pem has expired on {yesterday:%Y-%m-%d}" in line
    assert not (certs / "served").exists()
