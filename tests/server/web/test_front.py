"""The front to an exchange folder, over real sockets: what it lets through, and what it doesn't."""

import dataclasses
import hashlib
import http.client
import json
import socket
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from front_for_tests import OWNER, PAGE, POLICY, Answer, Asker, fronted, reply_json
from messages_for_tests import asked, decided

from ecavg_tf.core.errors import ConfigError, WorkdirError
from ecavg_tf.core.flower import free_port
from ecavg_tf.core.messages.mail_files import LARGEST_REPLY
from ecavg_tf.core.messages.mailbox import Mailbox
from ecavg_tf.core.messages.owner import Owner
from ecavg_tf.core.messages.reply import NoReply, Reply
from ecavg_tf.core.messages.request import FINISH, Request
from ecavg_tf.core.messages.update_file import largest_update
from export.web.contents import INDEX
from server.carrying.certificates import make_authority, make_server
from server.web.front import Front, Order
from server.web.keys import KEYS, keys_of
from server.web.site import Site


@pytest.fixture
def exchange(tmp_path: Path) -> Path:
    folder = tmp_path / "exchange"
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps({"run_id": "run-a"}))
    return folder


@pytest.fixture
def north(exchange: Path) -> Iterator[Asker]:
    with fronted(exchange) as askers:
        yield askers["north"]


def exchanged(tmp_path: Path, request: Request, content: bytes = b"an update") -> Reply:
    update = tmp_path / "update"
    update.write_bytes(content)
    return Reply("north", request.round, update, None, None, {"pretrain": 1.5})


def outbox(exchange: Path, edge: str = "north") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (exchange / edge / "outbox").iterdir()}


def refused(answer: Answer, status: int, said: str) -> None:
    assert (answer.status, said in answer.json["error"]) == (status, True), answer
    assert "\n" not in answer.json["error"]


def test_an_exchange_through_it_leaves_the_same_files_as_one_by_the_folder(
    exchange: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "training-0123456789abcdef.bundle.zip"
    bundle.write_bytes(b"a training file" * 9)
    by_folder, told = Mailbox(tmp_path / "folder" / "north"), list[str]()
    with fronted(exchange, told=told) as askers:
        north = askers["north"]
        box = Mailbox(exchange / "north")
        assert north("run").json == {"run_id": "run-a", "edge": "north", "over": False}
        assert north("request").status == 204
        request = asked()
        request = dataclasses.replace(request, training_file=box.put_file(bundle))
        box.send(request)
        by_folder.send(request)
        waiting = north("request").json
        names = [file["name"] for file in waiting["files"]]
        assert names == ["0001-exchange.safetensors", bundle.name]
        for file in waiting["files"]:
            body = north(f"files/{file['name']}").body
            assert body == (box.inbox / file["name"]).read_bytes()
            assert (len(body), hashlib.sha256(body).hexdigest()) == (file["bytes"], file["sha256"])
        some = north(f"files/{bundle.name}", headers={"Range": "bytes=2-6"})
        assert (some.status, some.body) == (206, b"train")
        reply = exchanged(tmp_path, request)
        assert reply.update is not None
        put = north.put(f"reply/{waiting['id']}/update", reply.update.read_bytes())
        assert (put.status, outbox(exchange)) == (204, {})
        assert north.put(f"reply/{waiting['id']}", reply_json(request, reply)).status == 204
        by_folder.claim(Owner(**OWNER))
        by_folder.reply(request, reply)
        assert outbox(exchange) == outbox(tmp_path / "folder")
        answer = box.answer(request)
        assert isinstance(answer, Reply)
        assert (answer.update, answer.owner) == (
            box.outbox / "0001-update.safetensors", Owner(**OWNER)
        )  # fmt: skip
        assert north("request").status == 204
        last = asked(1, FINISH)
        box.send(last)
        done = Reply("north", 1, None, None, decided("north"), {})
        assert north(f"files/{bundle.name}").status == 200  # the model before may need it
        refused(north("files/0001-exchange.safetensors"), 404, "has no file")
        assert north.put(f"reply/{north.waiting()}", reply_json(last, done)).status == 204
        assert north("run").json["over"] is True
    assert [line.rpartition("-")[0] for line in told] == [
        "north answered 0001-exchange", "north answered 0001-finish"
    ]  # fmt: skip
    assert not list((tmp_path / "state" / "uploads" / "north").iterdir())


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


def test_a_reply_is_taken_once(north: Asker, exchange: Path, tmp_path: Path) -> None:
    box, request = Mailbox(exchange / "north"), asked()
    box.send(request)
    old = north.waiting()
    body = reply_json(request, exchanged(tmp_path, request))
    refused(north.put(f"reply/{old}", body), 400, "its update file has not come; send it first")
    assert north.put(f"reply/{old}/update", b"another one").status == 204
    refused(north.put(f"reply/{old}", body), 400, "its update file has another SHA-256")
    assert north.put(f"reply/{old}/update", b"an update").status == 204
    assert outbox(exchange) == {}
    assert north.put(f"reply/{old}", body).status == 204
    taken = outbox(exchange)
    refused(north.put(f"reply/{old}", body), 409, "does not wait for a reply of north")
    refused(north.put(f"reply/{old}/update", b"later"), 409, "does not wait")
    assert outbox(exchange) == taken
    box.send(asked(2))
    refused(north.put(f"reply/{old}", body), 409, "does not wait")
    new = north.waiting()
    refused(north.put(f"reply/{new}", body), 400, "its update file has not come")
    box.ask_again(dataclasses.replace(asked(2), pooled_wanted=True))
    assert north.waiting() != new
    refused(north.put(f"reply/{new}/update", b"an update"), 409, "does not wait")
    assert outbox(exchange) == taken


def test_only_one_browser_answers_for_an_edge(north: Asker, exchange: Path, tmp_path: Path) -> None:
    box = Mailbox(exchange / "north")
    for number, state, status in ((1, "aa" * 16, 204), (2, "bb" * 16, 409), (2, "aa" * 16, 204)):
        request = asked(number)
        box.send(request)
        reply = exchanged(tmp_path, request)
        at = f"reply/{north.waiting()}"
        assert north.put(f"{at}/update", b"an update").status == 204
        answer = north.put(at, reply_json(request, reply, state=state))
        assert answer.status == status, answer
        if status == 409:
            refused(answer, 409, "the name north belongs to a browser, which answered first")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"run_id": "run-b"}, "it belongs to run 'run-b', this is run 'run-a'"),
        ({"owner": None}, "owner is None, expected an object"),
        ({"owner": {**OWNER, "where": 7}}, "owner.where is 7"),
        ({"files": {}}, "it has no update"),
        ({"files": {"update": "x"}}, "files.update"),
        ({"files": {"../x": "ab" * 32}}, "files.../x is unknown"),
        ({"files": {"update": "ab" * 32, "pooled": "ab" * 32}}, "asks for no pooled file"),
        ({"body": {"decision": None}}, "body.seconds is missing"),
    ],
)
def test_a_reply_that_is_none_is_refused_in_one_line(
    north: Asker, exchange: Path, tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    request = asked()
    Mailbox(exchange / "north").send(request)
    at = f"reply/{north.waiting()}"
    assert north.put(f"{at}/update", b"an update").status == 204
    told = json.loads(reply_json(request, exchanged(tmp_path, request)))
    refused(north.put(at, json.dumps(told | changed)), 400, said)
    refused(north.put(at, b"\xff"), 400, "this is no reply to 0001-exchange-")
    refused(north.put(at, b"[]"), 400, "expected an object")
    refused(north.put(f"{at}/pooled", b"x"), 400, "asks for no pooled file")
    refused(north.put(f"{at}/other", b"x"), 404, "a reply brings update and pooled")
    assert outbox(exchange) == {}


def test_what_keeps_an_edge_from_answering_reaches_the_server(north: Asker, exchange: Path) -> None:
    box, request = Mailbox(exchange / "north"), asked()
    box.send(request)
    told = {"run_id": "run-a", "error": "no examples", "files": {}, "body": {}, "owner": OWNER}
    assert north.put(f"reply/{north.waiting()}", json.dumps(told)).status == 204
    assert box.answer(request) == NoReply("north", "no examples")


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


def test_the_page_and_every_answer_have_strict_headers(north: Asker) -> None:
    index, script = north("/", headers={"Authorization": ""}), north("/page/main.js")
    assert (index.body, script.body) == (PAGE[INDEX], PAGE["page/main.js"])
    assert index.headers["content-type"] == "text/html; charset=utf-8"
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    denied = north("run", headers={"Authorization": ""})
    for answer in (index, script, denied, north("run"), north("none"), north("run", method="PUT")):
        said = answer.headers
        assert said["content-security-policy"] == f"{POLICY}; frame-ancestors 'none'"
        assert said["x-content-type-options"] == "nosniff"
        assert said["referrer-policy"] == "no-referrer"
        assert said["cache-control"] == "no-store"
        assert said["cross-origin-resource-policy"] == "same-origin"
        assert "server" not in said
    head = north("/", method="HEAD")
    assert (head.status, head.body) == (200, b"")


def test_a_mailbox_that_is_a_link_is_not_followed(
    north: Asker, exchange: Path, tmp_path: Path
) -> None:
    box = exchange / "north"
    (box / "inbox").rmdir()
    (box / "inbox").symlink_to(tmp_path)
    refused(north("request"), 503, "inbox is a link")


def test_a_request_that_is_not_whole_waits_and_a_changed_one_is_told(
    north: Asker, exchange: Path
) -> None:
    box = Mailbox(exchange / "north")
    box.send(asked())
    path = box.inbox / "0001-exchange.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    assert north("request").status == 204
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    refused(north("request"), 503, "is damaged: it is not what the server wrote")


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


def test_a_proxy_may_show_it_under_an_address_of_its_own(exchange: Path) -> None:
    port = free_port()
    with fronted(exchange, address="https://Learn.example.org/", port=port) as askers:
        public = askers["north"]
        assert public.origin == "https://learn.example.org"
        near = dataclasses.replace(public, origin=f"http://127.0.0.1:{port}")
        passed_on = {"Host": "learn.example.org", "Origin": public.origin}
        assert near("run", headers=passed_on).status == 200
        assert near("run").status == 200  # a proxy that names this server itself
        refused(near("run", headers={"Host": "learn.example.org:444"}), 403, "addresses")


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
