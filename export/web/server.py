"""Serves the page to this machine alone, from memory: no path leads to any file of the disk."""

from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from ecavg_tf.core.errors import ConfigError
from export.web.answers import TYPES, headers_for
from export.web.contents import INDEX

HOST = "127.0.0.1"


class PageServer(ThreadingHTTPServer):
    """Serves a page's files on the loopback address.

    Args:
        contents: every file by its path.
        port: where to; 0: one that is free.

    Raises:
        ConfigError: the port can't be used.
    """

    daemon_threads = True

    def __init__(self, contents: Mapping[str, bytes], port: int = 0) -> None:
        self.contents = contents
        self.answers = headers_for(contents[INDEX])
        try:
            super().__init__((HOST, port), _Handler)
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or error
            raise ConfigError(f"port {port} can't be used ({why}); give another --port") from error
        self.hosts = {f"{name}:{self.server_port}" for name in (HOST, "localhost")}
        if self.server_port == 80:
            self.hosts |= {HOST, "localhost"}

    @property
    def address(self) -> str:
        """What to open in a browser."""
        return f"http://{HOST}:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    server_version, sys_version = "ecavg", ""
    timeout = 60

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        if self.headers.get("Host") not in self.server.hosts:  # a name that leads here by DNS
            self._send(HTTPStatus.FORBIDDEN, "", b"This page is served to this machine alone.\n")
            return
        name = unquote(urlsplit(self.path).path).removeprefix("/") or INDEX
        content = self.server.contents.get(name)
        if content is None:
            self._send(HTTPStatus.NOT_FOUND, "", b"There is no such file.\n")
            return
        self._send(HTTPStatus.OK, PurePosixPath(name).suffix, content, with_body=with_body)

    def _send(
        self, code: HTTPStatus, suffix: str, content: bytes, *, with_body: bool = True
    ) -> None:
        self.send_response(code)
        self.send_header("Content-Type", TYPES.get(suffix, "application/octet-stream"))
        self.send_header("Content-Length", str(len(content)))
        for header, value in self.server.answers.items():
            self.send_header(header, value)
        self.end_headers()
        if with_body:
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: the terminal is for the address."""
        del format, args
