"""The front as a running server: its socket, TLS, and how it ends."""

import socket
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from ecavg_tf.core.errors import ConfigError
from server.carrying.certificates import SERVER, SERVER_KEY
from server.web.addresses import check_place, link, names_of, origins_of, public_origin
from server.web.app import Tell, web_app
from server.web.counter import Counter
from server.web.keys import keys_of
from server.web.site import Site

_CONNECTIONS_EACH = 32  # browsers open six at a time
_GOODBYE_S = 5  # for answers that are on their way when it ends


@dataclass(frozen=True)
class Order:
    """What the user asked for.

    Attributes:
        exchange: the exchange folder.
        edges: the edges that are tabs.
        state: a folder for their keys, and for what they send before it is whole.
        host: the address to listen on.
        port: the port; 0: one that is free.
        certs: the folder with the server's certificate; None: without TLS, on this machine.
        address: where a proxy shows this server to others; None: there is none.
    """

    exchange: Path
    edges: tuple[str, ...]
    state: Path
    host: str
    port: int
    certs: Path | None = None
    address: str | None = None


class Front:
    """A server that listens, and answers once it runs.

    Args:
        order: what the user asked for.
        site: the page.
        tell: told of every reply, in one line.

    Raises:
        ConfigError: keys would travel in the open, or the port can't be used.
        WorkdirError: the keys can't be used.
        OSError: a folder can't be written.
    """

    def __init__(self, order: Order, site: Site, tell: Tell) -> None:
        check_place(order.host, order.certs)
        public = [] if order.address is None else [public_origin(order.address)]
        keys = keys_of(order.state, order.edges)
        counters = {
            edge: Counter(order.exchange, edge, order.state / "uploads" / edge)
            for edge in order.edges
        }
        self._socket = _listening(order.host, order.port)
        port = int(self._socket.getsockname()[1])
        scheme = "http" if order.certs is None else "https"
        origins = (*public, *origins_of(scheme, names_of(order.host, order.certs), port))
        self.links = {edge: link(origins[0], edge, keys[edge]) for edge in order.edges}
        app = web_app(counters, keys, site, frozenset(origins), tell)
        certs = order.certs
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                ssl_certfile=None if certs is None else certs / SERVER,
                ssl_keyfile=None if certs is None else certs / SERVER_KEY,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="error",
                access_log=False,  # the terminal is for the links, and no key is ever written
                server_header=False,
                proxy_headers=False,
                limit_concurrency=_CONNECTIONS_EACH * (1 + len(order.edges)),
                timeout_graceful_shutdown=_GOODBYE_S,
            )
        )

    def run(self) -> None:
        """Answers until Ctrl-C, which is raised on, or ``stop``."""
        with self._socket:
            self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Ends ``run`` from another thread."""
        self._server.should_exit = True


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"{host}, port {port} can't be used ({why}); give another --host or --port"
        ) from error
