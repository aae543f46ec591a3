"""What the front to an exchange folder keeps out, over real sockets."""

import dataclasses
import http.client
import json
import socket
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from front_for_tests import (
    PAGE,
    Asker,
    fronted,
    outbox,
    refused,
)
from messages_for_tests import asked

from ecavg_tf.core.errors import ConfigError, WorkdirError
from ecavg_tf.core.messages.mailbox import LARGEST_REPLY, Mailbox
from ecavg_tf.core.messages.update_file import largest_update
from export.web.contents import INDEX
from server.carrying.certificates import make_authority, make_server
from server.web.front import Front, Order
from server.web.keys import KEYS, keys_of
from server.web.site import Site


@pytest.mark.parametrize("path", ["run", "request", "files/x", "reply/x", "reply/x/update"])
def test_who_has_not_the_edges_own_key_is_kept_out(exchange: Path, path: str) -> None:
    method = "PUT" if path.startswith("reply") else "GET"
    Mailbox(exchange / "north").send(asked())
    with fronted(exchange) as askers:
        north, south = askers["north"], askers["south"]
        path = path.replace("/x", f"/{north.waiting()}" if method == "PUT" else "/x")
        for headers in (
            {"Authorization": ""},
            {"Authorization": "Bearer"},
            {"Authorization": north.key},
            {"Authorization": f"Basic {north.key}"},
            {"Authorization": "Bearer " + "A" * 43},
            {"Authorization": f"Bearer {north.key[:-1]}"},
            {"Authorization": f"Bearer {north.key}x"},
            {"Authorization": "Bearer \xe9"},
        ):
            answer = north(path, method=method, body=b"{}", headers=headers)
            refused(answer, 401, "no key came, or one that is not known")
            assert answer.headers["www-authenticate"] == "Bearer"
        as_query = f"/api/edges/north/{path}?key={north.key}"
        refused(north(as_query, method=method, headers={"Authorization": ""}), 401, "no key")
        theirs = f"/api/edges/north/{path}"
        refused(south(theirs, method=method, body=b"{}"), 403, "this is the key of south")
        refused(south(theirs.replace("north", "nobody"), method=method), 403, "key of south")
    assert outbox(exchange) == {}


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Host": "evil.example"},
        {"Host": "127.0.0.1"},
        {"Host": ""},
    ],
)
def test_pages_of_other_origins_are_kept_out(north: Asker, headers: dict[str, str]) -> None:
    answer = north("run", headers=headers)
    assert answer.status == 403
    assert "origin" in answer.json["error"] or "addresses" in answer.json["error"]
    assert not [name for name in answer.headers if name.startswith("access-control")]
    mine = {"Origin": north.origin, "Sec-Fetch-Site": "same-origin"}
    assert north("run", headers=mine).status == 200


def test_a_body_that_is_too_large_is_refused_before_it_is_read(
    north: Asker, exchange: Path, tmp_path: Path
) -> None:
    Mailbox(exchange / "north").send(asked())
    at = f"reply/{north.waiting()}"
    most = largest_update(asked().template)
    for path, size in ((at, LARGEST_REPLY), (f"{at}/update", most)):
        assert announced(north, path, size + 1) == 413
        chunks = iter([b"x" * 2**20] * (size // 2**20) + [b"x" * (size % 2**20 + 1)])
        answer = streamed(north, path, chunks)
        assert answer in (413, None)  # None: the line was cut while it was still being sent
    assert north.put(f"{at}/update", b"x" * 1000).status == 204
    assert not list((tmp_path / "state" / "uploads" / "north").glob(".*"))
    assert outbox(exchange) == {}
    assert north("run").status == 200


def announced(asker: Asker, path: str, size: int) -> int:
    """The answer to a body of which nothing is sent."""
    parts = urlsplit(asker.origin)
    with socket.create_connection((str(parts.hostname), int(parts.port or 0)), 10) as line:
        line.sendall(
            f"PUT /api/edges/{asker.edge}/{path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            f"Authorization: Bearer {asker.key}\r\nContent-Length: {size}\r\n\r\n".encode()
        )
        return int(line.recv(64).split()[1])


def streamed(asker: Asker, path: str, chunks: Iterator[bytes]) -> int | None:
    """The answer to a body that does not say how long it is."""
    try:
        return asker.put(path, chunks).status
    except (BrokenPipeError, ConnectionResetError):
        return None


@pytest.mark.parametrize(
    "path",
    [
        "files/..",
        "files/../../../run.json",
        "files/..%2f..%2frun.json",
        "files/%2e%2e%2frun.json",
        "files/%2e%2e/%2e%2e/run.json",
        "files/.ecavg-part",
        "files/notes.txt",
        "files/link.bundle.zip",
        "files/training-link.bundle.zip",
        "files/0001-exchange.safetensors%00",
        "files/",
        "files",
        "../south/run",
        "..%2fsouth/run",
        "",
        "/",
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
        "/api",
        "/api/edges/north/request/",
    ],
)
def test_no_path_leads_anywhere_else(north: Asker, exchange: Path, path: str) -> None:
    box = Mailbox(exchange / "north")
    box.send(asked())
    (box.inbox / "notes.txt").write_text("x")
    (box.inbox / "training-link.bundle.zip").symlink_to(exchange / "run.json")
    answer = north(path)
    if path == "/":
        assert (answer.status, answer.body) == (200, PAGE[INDEX])
    else:
        assert answer.status in (403, 404), answer
        assert "error" in answer.json


@pytest.mark.parametrize("method", ["POST", "DELETE", "PATCH", "OPTIONS", "TRACE", "PUT"])
def test_other_methods_are_refused(north: Asker, method: str) -> None:
    for path in ("run", "request", "files/x", "/", "/page/main.js"):
        assert north(path, method=method).status == 405
    if method != "PUT":
        assert north("reply/x", method=method).status == 405
    assert north("reply/x", method="GET").status == 404


def test_a_mailbox_that_is_a_link_is_not_followed(
    north: Asker, exchange: Path, tmp_path: Path
) -> None:
    box = exchange / "north"
    (box / "inbox").rmdir()
    (box / "inbox").symlink_to(tmp_path)
    refused(north("request"), 503, "inbox is a link")


def test_with_certificates_it_speaks_tls_alone(exchange: Path, tmp_path: Path) -> None:
    certs = tmp_path / "certs"
    make_authority(certs)
    make_server(certs, ["learn.example.org"], 9)
    with fronted(exchange, certs=certs) as askers:
        north = askers["north"]
        assert north.origin.startswith("https://localhost:")
        assert north("run").json["edge"] == "north"
        parts = urlsplit(north.origin)
        refused(north("run", headers={"Origin": f"http://{parts.netloc}"}), 403, "another origin")
        assert north("run", headers={"Host": f"learn.example.org:{parts.port}"}).status == 200
        plain = dataclasses.replace(north, origin=f"http://127.0.0.1:{parts.port}", context=None)
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            plain("run")
        stranger = dataclasses.replace(north, context=ssl.create_default_context())
        with pytest.raises(ssl.SSLCertVerificationError):
            stranger("run")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "learn.example.org"])
def test_plain_http_is_for_this_machine_alone(exchange: Path, tmp_path: Path, host: str) -> None:
    order = Order(exchange, ("north",), tmp_path / "state", host, 0)
    with pytest.raises(ConfigError, match=f"--host={host} needs TLS: without --certs only this"):
        Front(order, Site(PAGE, INDEX, {}, {}), print)
    assert not (tmp_path / "state").exists()


def test_keys_stay_the_same_and_nobody_else_can_read_them(tmp_path: Path) -> None:
    keys = keys_of(tmp_path, ["north", "south"])
    file = tmp_path / KEYS
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(keys["north"]) == 43
    assert keys["north"] != keys["south"]
    more = keys_of(tmp_path, ["south", "east"])
    assert more["south"] == keys["south"]
    assert more.edge_of(keys["south"]) == "south"
    assert more.edge_of(keys["north"]) is None  # no edge of this time
    assert set(json.loads(file.read_text())) == {"north", "south", "east"}
    file.chmod(0o640)
    with pytest.raises(WorkdirError, match=r"others may read it \(mode 0640\): chmod 600"):
        keys_of(tmp_path, ["north"])
    file.chmod(0o600)
    file.write_text('{"north": ""}')
    with pytest.raises(WorkdirError, match="the key of north is none; remove its line"):
        keys_of(tmp_path, ["north"])
