"""``ecavg web``."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from ecavg_tf.cli.config_flag import parse
from ecavg_tf.core.commands import Stopped, interrupted_code
from ecavg_tf.core.errors import ConfigError, InstallationError, disk_errors
from ecavg_tf.core.paths import user_path
from edge.cli import check_edge_name
from edge.device.checkpoint import locked
from edge.participating.agent import check_exchange

if TYPE_CHECKING:
    from server.web.front import Order

HELP = """\
ecavg web --exchange=DIR --edges=north,south --certs=DIR --host=0.0.0.0 [--port=8443]
ecavg web --exchange=DIR --edges=north,south [--port=8443]

Lets browser tabs take part in a run with fleet.kind=folder, each as an edge. Prints a link for
each edge, and a QR code where this is a terminal: who opens the link is that edge.

  --exchange  the run's exchange folder (--config.fleet.folder)
  --edges     names of the edges that are tabs
  --state     a folder for the edges' keys; default: the exchange folder's name with -web. To take
              a key away, remove its line from keys.json and start again: the edge gets another
  --certs     what 'ecavg certs' made; without it, only this machine can open the links
  --host      the address to listen on; default: 127.0.0.1
  --port      the port; 0: one that is free
  --address   where a proxy with a certificate of its own shows this server to others, such as
              https://learn.example.org

Ctrl-C ends it; the same command goes on with the same links.
"""


def main(argv: Sequence[str]) -> int:
    """Parses, serves until Ctrl-C."""
    if "--help" in argv or "-h" in argv:
        print(HELP, end="")
        return 0
    values = flags.FlagValues()
    exchange = flags.DEFINE_string("exchange", None, "the exchange folder", flag_values=values)
    edges = flags.DEFINE_list("edges", [], "names of edges", flag_values=values)
    state = flags.DEFINE_string("state", None, "what it keeps", flag_values=values)
    certs = flags.DEFINE_string("certs", None, "of ecavg certs", flag_values=values)
    host = flags.DEFINE_string("host", "127.0.0.1", "the address", flag_values=values)
    port = flags.DEFINE_integer("port", 8443, "the port", 0, 65535, flag_values=values)
    address = flags.DEFINE_string("address", None, "of a proxy", flag_values=values)
    extra = parse(values, argv)
    if extra:
        raise ConfigError(f"{extra[0]!r} is no flag; see ecavg web --help")
    if not exchange.value or not edges.value:
        raise ConfigError("--exchange=DIR and --edges=NAMES are needed; see ecavg web --help")
    folder = user_path(exchange.value).resolve()
    names = tuple(dict.fromkeys(edges.value))
    for edge in names:
        check_edge_name(edge)
        check_exchange(folder, edge)
    kept = (
        user_path(state.value).resolve() if state.value else folder.with_name(f"{folder.name}-web")
    )
    _check_apart(kept, folder)
    try:
        from server.web.front import Order
    except ModuleNotFoundError as error:
        raise InstallationError(
            f"'ecavg web' needs the package {error.name}: pip install 'ecavg-tf[web]'"
        ) from error
    given = user_path(certs.value).resolve() if certs.value else None
    order = Order(folder, names, kept, host.value, port.value, given, address.value)
    with locked(kept), disk_errors(kept):
        return _serve(order)


def _check_apart(state: Path, exchange: Path) -> None:
    """Keys must not lie where edges, or whoever carries the folder, may read them."""
    if state.is_relative_to(exchange):
        raise ConfigError(
            f"--state={state} lies in the exchange folder, which others read; give another one"
        )


def _serve(order: "Order") -> int:
    from export.web.answers import TYPES, headers_for
    from export.web.contents import INDEX
    from export.web.joining import joining_contents
    from server.web.front import Front
    from server.web.site import Site

    contents = joining_contents()
    front = Front(order, Site(contents, INDEX, TYPES, headers_for(contents[INDEX])), _tell)
    try:
        _show(front.links)
        front.run()
    except KeyboardInterrupt as error:
        print("\nended; the same command goes on with the same links", flush=True)
        return interrupted_code(error) if isinstance(error, Stopped) else 0
    return 0


def _show(links: Mapping[str, str]) -> None:
    """Prints links, and on a terminal what a phone's camera reads."""
    import segno

    for edge, link in links.items():
        print(f"{edge}: {link}")
        if sys.stdout.isatty():
            segno.make(link, error="l", micro=False).terminal(compact=True)
    print("Each link holds a key: give it to the owner of that edge alone. Ctrl-C ends it.",
          flush=True)  # fmt: skip


def _tell(text: str) -> None:
    print(text, flush=True)
