"""Why a server can't be reached, in one line each."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("cryptography", reason="the extra 'fleet' is not installed")

from tls_for_tests import make_future_server, serving

from ecavg_tf.core.errors import ConfigError, RoundError
from ecavg_tf.core.flower import free_port
from edge.carrying.reaching import check_reachable
from server.carrying.certificates import (
    check_server,
    make_authority,
    make_edge_key,
    make_server,
)

Serve = Callable[..., int]


@pytest.fixture
def certs(tmp_path: Path) -> Path:
    make_authority(tmp_path / "certs")
    make_server(tmp_path / "certs", ["localhost"], 30)
    return tmp_path / "certs"


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server on this machine, with TLS where certificates are given."""
    with contextlib.ExitStack() as running:
        yield lambda *given: running.enter_context(serving(*given))


def test_a_server_with_our_certificate_is_reached(certs: Path, serve: Serve) -> None:
    check_server(certs)
    port = serve(certs)
    for host in ("localhost", "127.0.0.1"):
        check_reachable(host, port, certs / "ca.pem")
    check_reachable("localhost", serve(None), None)


def test_a_dead_or_wrong_address(certs: Path) -> None:
    with pytest.raises(RoundError, match=r"no server answers at localhost:\d+ .*refused.*'ecavg s"):
        check_reachable("localhost", free_port(), certs / "ca.pem")
    with pytest.raises(RoundError, match=r"no machine has the name no\.such\.invalid"):
        check_reachable("no.such.invalid", 9092, certs / "ca.pem")


def test_an_expired_certificate(certs: Path, serve: Serve) -> None:
    make_server(certs, ["localhost"], -1)
    with pytest.raises(ConfigError, match=r"has expired .*make it anew on the server: ecavg certs"):
        check_reachable("localhost", serve(certs), certs / "ca.pem")
    with pytest.raises(ConfigError, match=r"server\.pem has expired on \d.*: ecavg certs --out="):
        check_server(certs)


def test_a_certificate_that_is_not_valid_yet(certs: Path, serve: Serve) -> None:
    """What an edge sees whose clock is more than a day behind."""
    make_future_server(certs)
    with pytest.raises(ConfigError, match=r"not valid yet: this machine's clock is behind; set"):
        check_reachable("localhost", serve(certs), certs / "ca.pem")
    with pytest.raises(ConfigError, match=r"server\.pem is not valid before .*clock"):
        check_server(certs)


@pytest.mark.parametrize(("off_s", "said"), [(86400, "behind that"), (-86400, "ahead of that")])
def test_a_clock_a_day_off(certs: Path, serve: Serve, off_s: float, said: str) -> None:
    with pytest.raises(ConfigError, match=f"this machine's clock is 86[34]\\d\\d s {said} of"):
        check_reachable("localhost", serve(certs, off_s), certs / "ca.pem")


def test_a_certificate_of_another_name_or_authority(
    certs: Path, tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.carrying.certificates._LOCAL", ())
    make_server(certs, ["learn.example.org"], 30)
    port = serve(certs)
    with pytest.raises(ConfigError, match=r"is for another name .*as in 'ecavg certs --host'"):
        check_reachable("localhost", port, certs / "ca.pem")
    make_authority(tmp_path / "other")
    with pytest.raises(ConfigError, match=r"was not signed by --ca=.*get ca\.pem from"):
        check_reachable("localhost", port, tmp_path / "other" / "ca.pem")
    (tmp_path / "bad.pem").write_text("no certificate")
    with pytest.raises(ConfigError, match="is no certificate that can be read"):
        check_reachable("localhost", port, tmp_path / "bad.pem")


def test_a_server_without_tls(certs: Path, serve: Serve) -> None:
    with pytest.raises(ConfigError, match="speaks no TLS"):
        check_reachable("localhost", serve(None), certs / "ca.pem")


def test_keys_are_made_once_and_nobody_else_reads_them(certs: Path) -> None:
    key = make_edge_key(certs / "edges", "north")
    before = key.read_bytes()
    assert make_edge_key(certs / "edges", "north").read_bytes() == before
    assert (certs / "edges" / "north.pub").read_text().startswith("ecdsa-sha2-nistp384 ")
    for private in (key, certs / "ca.key", certs / "server.key"):
        assert private.stat().st_mode & 0o077 == 0
    authority = (certs / "ca.pem").read_bytes()
    make_authority(certs)
    assert (certs / "ca.pem").read_bytes() == authority
