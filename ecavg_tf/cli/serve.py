"""``ecavg serve``: Flower's SuperLink, to which the edges' machines connect."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from ecavg_tf.cli.config_flag import parse
from ecavg_tf.core.commands import interrupted_code
from ecavg_tf.core.errors import ConfigError, ECAvgError, disk_errors
from ecavg_tf.core.flower import Supervised, check_flower, check_insecure, environment, shown
from ecavg_tf.core.locks import lock_folder
from ecavg_tf.core.paths import user_path
from server.carrying.superlink import SuperLink

HELP = """\
ecavg serve --certs=DIR --state=DIR [--host=127.0.0.1] [--port=9092]
ecavg serve --insecure --state=DIR [--port=9092]

Starts Flower's SuperLink with TLS and the edges' keys, and starts it again when it dies. Edges
connect with 'ecavg join'; 'ecavg run --config.fleet.kind=flower --config.fleet.server=DIR' plays
a run over it.

  --certs     what 'ecavg certs' made; the keys of its edges/*.pub are those that may connect
  --state     a folder for what it keeps; the --config.fleet.server of 'ecavg run'
  --host      the address to listen on. The port also takes runs, which are code: let a reverse
              proxy on another address show /v1/fleet/ alone to edges (docs/fleet.md)
  --insecure  without TLS and keys, on this machine alone, for a try
"""


def main(argv: Sequence[str]) -> int:
    """Parses, serves until it is stopped."""
    if "--help" in argv or "-h" in argv:
        print(HELP, end="")
        return 0
    values = flags.FlagValues()
    certs = flags.DEFINE_string("certs", None, "of ecavg certs", flag_values=values)
    state = flags.DEFINE_string("state", None, "what it keeps", flag_values=values)
    host = flags.DEFINE_string("host", "127.0.0.1", "the address", flag_values=values)
    port = flags.DEFINE_integer("port", 9092, "the port", 1, 65535, flag_values=values)
    insecure = flags.DEFINE_bool("insecure", False, "no TLS", flag_values=values)
    extra = parse(values, argv)
    if extra:
        raise ConfigError(f"{extra[0]!r} is no flag; see ecavg serve --help")
    if not state.value or bool(certs.value) == insecure.value:
        raise ConfigError("--state and --certs (or --insecure) are needed; see ecavg serve --help")
    check_flower()
    if insecure.value:
        check_insecure("--host", host.value)
        print("INSECURE: no TLS and no keys; anybody on this machine can read, change and start "
              "runs. For a try only.", file=sys.stderr, flush=True)  # fmt: skip
    folder = None if insecure.value else _checked(user_path(certs.value))
    link = SuperLink(user_path(state.value).resolve(), folder, host.value, port.value)
    try:
        with disk_errors(link.state):
            link.state.mkdir(parents=True, exist_ok=True)
            with lock_folder(link.state):
                _serve(link)
    except KeyboardInterrupt as error:
        return interrupted_code(error)
    return 0


def _checked(certs: Path) -> Path:
    missing = [
        name for name in ("ca.pem", "server.pem", "server.key") if not (certs / name).exists()
    ]
    if missing:
        raise ConfigError(f"{certs} has no {missing[0]}; make it with 'ecavg certs --host=NAME'")
    from server.carrying.certificates import check_server

    check_server(certs)
    return certs.resolve()


def _serve(link: SuperLink) -> None:
    link.write_connection()
    print(f"starts Flower's SuperLink; by hand:\n  {shown(link.words(), link.home)}", flush=True)
    if link.certs is not None and link.host not in ("127.0.0.1", "localhost", "::1"):
        print(f"NOTE: {link.host}:{link.port} also takes runs, which are code: whoever reaches it "
              "with ca.pem can start one; see docs/fleet.md for a proxy.", flush=True)  # fmt: skip
    process = Supervised(
        "flower-superlink", link.words, environment(link.home), link.state / "superlink.log", _tell
    )
    registered = 0.0
    try:
        while True:
            process.look()
            if time.monotonic() >= registered:
                registered = time.monotonic() + (30.0 if _register(link) else 2.0)
            time.sleep(0.5)
    finally:
        process.stop()


def _register(link: SuperLink) -> bool:
    try:
        link.register_keys(_tell)
    except ECAvgError:
        return False  # it is not up yet
    return True


def _tell(text: str) -> None:
    print(text, flush=True)
