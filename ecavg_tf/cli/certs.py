"""``ecavg certs``: what server and edges need to know each other."""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from ecavg_tf.cli.config_flag import parse
from ecavg_tf.core.errors import ConfigError, InstallationError, disk_errors
from ecavg_tf.core.paths import user_path
from edge.cli import check_edge_name

HELP = """\
ecavg certs --out=DIR [--host=NAME,ADDRESS] [--edges=north,south] [--days=365]

Makes a certificate authority (once), the server's certificate and a key for each edge.

  --out    where to: ca.pem, ca.key, server.pem, server.key, edges/NAME.key and edges/NAME.pub
  --host   names and addresses under which edges reach the server; makes its certificate anew
  --edges  names of edges that get a key, unless they have one
  --days   how long the server's certificate holds

An edge gets ca.pem and its own edges/NAME.key, and nothing else. ca.key and server.key stay where
they are made. To take an edge's key away, remove edges/NAME.pub: 'ecavg serve'
notices it within half a minute.
"""


def main(argv: Sequence[str]) -> int:
    """Parses, makes files."""
    if "--help" in argv or "-h" in argv:
        print(HELP, end="")
        return 0
    values = flags.FlagValues()
    out = flags.DEFINE_string("out", None, "where to", flag_values=values)
    hosts = flags.DEFINE_list("host", [], "names of the server", flag_values=values)
    edges = flags.DEFINE_list("edges", [], "names of edges", flag_values=values)
    days = flags.DEFINE_integer("days", 365, "how long it holds", flag_values=values)
    extra = parse(values, argv)
    if extra:
        raise ConfigError(f"{extra[0]!r} is no flag; see ecavg certs --help")
    if not out.value or not (hosts.value or edges.value):
        raise ConfigError("give --out=DIR, and --host=NAME or --edges=NAME; see ecavg certs --help")
    for edge in edges.value:
        check_edge_name(edge)
    folder = user_path(out.value)
    with disk_errors(folder):
        _make(folder, hosts.value, edges.value, days.value)
    return 0


def _make(folder: Path, hosts: Sequence[str], edges: Sequence[str], days: int) -> None:
    try:
        from server.carrying import certificates
    except ModuleNotFoundError as error:
        raise InstallationError(
            f"'ecavg certs' needs the package {error.name}: pip install 'ecavg-tf[fleet]'"
        ) from error
    certificates.make_authority(folder)
    print(f"{folder / certificates.CA}: the authority; every edge needs this file")
    if hosts:
        until = certificates.make_server(folder, hosts, days)
        print(f"{folder / certificates.SERVER}: for {', '.join(hosts)}, until {until:%Y-%m-%d}")
    for edge in edges:
        print(f"{certificates.make_edge_key(folder / 'edges', edge)}: the key of {edge}")
