"""A front to an exchange folder that really listens, and what asks it."""

import hashlib
import http.client
import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from ecavg_tf.core.messages.reply import Reply, encode_reply
from ecavg_tf.core.messages.request import Request
from export.web.answers import TYPES, headers_for
from export.web.contents import INDEX
from server.web.front import Front, Order
from server.web.site import Site

PATIENCE_S = 30
POLICY = "default-src 'none'; script-src 'self'"
PAGE = {
    INDEX: f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'.encode(),
    "page/main.js": b"export {};",
}
OWNER = {"state": "5e" * 16, "where": "a browser", "since": "2026-01-01T00:00:00+00:00"}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Asker:
    """A program that asks a front as one edge.

    Attributes:
        edge: which.
        key: shown with every request.
        origin: where the front is.
        context: for TLS.
    """

    edge: str
    key: str
    origin: str
    context: ssl.SSLContext | None = None

    def __call__(
        self,
        path: str,
        *,
        method: str = "GET",
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Asks below the edge's address, or exactly there if ``path`` begins with a slash."""
        parts = urlsplit(self.origin)
        assert parts.hostname is not None
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=PATIENCE_S)
        if self.context is not None:
            connection = http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=PATIENCE_S, context=self.context
            )
        given = {"Authorization": f"Bearer {self.key}"} | dict(headers or {})
        target = path if path.startswith("/") else f"/api/edges/{quote(self.edge)}/{path}"
        try:
            connection.request(method, target, body, given)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def put(self, path: str, body: Any, **more: Any) -> Answer:
        return self(path, method="PUT", body=body, **more)

    def waiting(self) -> str:
        """The id of the request that waits."""
        return str(self("request").json["id"])


@contextmanager
def fronted(
    exchange: Path,
    edges: tuple[str, ...] = ("north", "south"),
    *,
    certs: Path | None = None,
    address: str | None = None,
    port: int = 0,
    contents: Mapping[str, bytes] = PAGE,
    told: list[str] | None = None,
) -> Iterator[dict[str, Asker]]:
    """A running front, and for each edge who asks it."""
    order = Order(exchange, edges, exchange.parent / "state", "127.0.0.1", port, certs, address)
    site = Site(contents, INDEX, TYPES, headers_for(contents[INDEX]))
    front = Front(order, site, ([] if told is None else told).append)
    thread = threading.Thread(target=front.run)
    thread.start()
    context = None if certs is None else ssl.create_default_context(cafile=certs / "ca.pem")
    try:
        yield {edge: _asker(edge, link, context) for edge, link in front.links.items()}
    finally:
        front.stop()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def _asker(edge: str, link: str, context: ssl.SSLContext | None) -> Asker:
    origin, _, fragment = link.partition("/#")
    named, _, key = fragment.partition("&key=")
    assert named == f"edge={quote(edge)}"
    return Asker(edge, key, origin, context)


def reply_json(request: Request, reply: Reply, **owner: str) -> bytes:
    """A reply as a tab sends it, with the hashes of its files."""
    files = {"update": reply.update, "pooled": reply.pooled}
    hashes = {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in files.items()
        if path is not None
    }
    return json.dumps(encode_reply(request, reply, hashes) | {"owner": OWNER | owner}).encode()


def exchanged(tmp_path: Path, request: Request, content: bytes = b"an update") -> Reply:
    update = tmp_path / "update"
    update.write_bytes(content)
    return Reply("north", request.round, update, None, None, {"pretrain": 1.5})


def outbox(exchange: Path, edge: str = "north") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (exchange / edge / "outbox").iterdir()}


def refused(answer: Answer, status: int, said: str) -> None:
    assert (answer.status, said in answer.json["error"]) == (status, True), answer
    assert "\n" not in answer.json["error"]
