"""The server of the page: to this machine alone, with the right types and a strict policy."""

import http.client
import threading
from collections.abc import Iterator

import pytest

from ecavg_tf.core.errors import ConfigError
from export.web.server import PageServer

POLICY = "default-src 'none'; script-src 'self'"
CONTENTS = {
    "index.html": f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'.encode(),
    "page/main.js": b"export {};",
    "page/style.css": b"",
    "page/icon.svg": b"<svg/>",
    "runtime/litert.wasm": b"\0asm",
    "runtime/LICENSE": b"Apache",
    "models/0/bundle.json": b"{}",
    "models/0/model.tflite": b"TFL3",
}


@pytest.fixture
def server() -> Iterator[PageServer]:
    with PageServer(CONTENTS) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def asked(
    server: PageServer, path: str, method: str = "GET", host: str | None = None
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request(method, path, headers={} if host is None else {"Host": host})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), body


def test_it_listens_on_the_loopback_address_alone(server: PageServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    assert server.address == f"http://127.0.0.1:{server.server_port}/"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/index.html?x=1", "text/html; charset=utf-8"),
        ("/page/main.js", "text/javascript; charset=utf-8"),
        ("/page/style.css", "text/css; charset=utf-8"),
        ("/page/icon.svg", "image/svg+xml"),
        ("/runtime/litert.wasm", "application/wasm"),
        ("/runtime/LICENSE", "text/plain; charset=utf-8"),
        ("/models/0/bundle.json", "application/json"),
        ("/models/0/model.tflite", "application/octet-stream"),
    ],
)
def test_every_file_has_its_type_and_the_policy(
    server: PageServer, path: str, expected: str
) -> None:
    status, headers, body = asked(server, path)
    assert (status, headers["Content-Type"]) == (200, expected)
    assert headers["Content-Security-Policy"] == f"{POLICY}; frame-ancestors 'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    name = path.partition("?")[0].removeprefix("/") or "index.html"
    assert body == CONTENTS[name]
    status, headers, body = asked(server, path, "HEAD")
    assert (status, body, headers["Content-Length"]) == (200, b"", str(len(CONTENTS[name])))


@pytest.mark.parametrize("path", ["/none", "/../etc/passwd", "/%2e%2e/etc/passwd", "//etc/passwd"])
def test_no_path_leads_out(server: PageServer, path: str) -> None:
    assert asked(server, path)[0] == 404


def test_other_names_of_this_machine_are_refused(server: PageServer) -> None:
    assert asked(server, "/", host=f"localhost:{server.server_port}")[0] == 200
    status, _, body = asked(server, "/", host="rebound.example")
    assert (status, b"meta" in body) == (403, False)
    assert asked(server, "/", "POST")[0] == 501


def test_a_port_in_use_is_told(server: PageServer) -> None:
    with pytest.raises(ConfigError, match=rf"port {server.server_port} can't be used .*--port"):
        PageServer(CONTENTS, server.server_port)
