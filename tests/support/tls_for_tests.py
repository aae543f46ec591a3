"""A server on this machine that answers as Flower's does to who only asks whether it is there."""

import contextlib
import datetime
import email.utils
import http.server
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

from server.carrying.certificates import make_server


@contextlib.contextmanager
def serving(certs: Path | None, clock_s: float = 0.0) -> Iterator[int]:
    """Gives the port of a running server.

    Args:
        certs: the folder of its certificate; None: without TLS.
        clock_s: how many seconds its clock is ahead of this machine's.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(404)
            self.end_headers()

        def date_time_string(self, _: float | None = None) -> str:
            now = datetime.datetime.now(datetime.UTC).timestamp()
            return email.utils.formatdate(now + clock_s, usegmt=True)

        def log_message(self, *arguments: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    if certs is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certs / "server.pem", certs / "server.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def _days_ahead(days: int) -> Iterator[None]:
    now = datetime.datetime

    class Ahead(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> "Ahead":
            return super().now(tz) + datetime.timedelta(days=days)

    datetime.datetime = Ahead  # type: ignore[misc]
    try:
        yield
    finally:
        datetime.datetime = now  # type: ignore[misc]


def make_future_server(certs: Path) -> None:
    """Makes a certificate that holds from the day after tomorrow on."""
    with _days_ahead(3):
        make_server(certs, ["localhost"], 30)
