"""``ecavg edge``: edges of a run whose server is elsewhere."""

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from ecavg_tf.cli.config_flag import parse, parse_config
from ecavg_tf.core.commands import EDGE_TIMEOUT_S, interrupted_code
from ecavg_tf.core.errors import ConfigError
from ecavg_tf.core.paths import user_path
from ecavg_tf.core.table import LABEL
from edge.cli import check_edge_name

HELP = """\
ecavg edge --edge=NAME --exchange=DIR --data=DATA --state=DIR [--label-column=NAME] [--pool]
    [--sign=KEY] [--export[=FORMATS]] [--timeout=SECONDS]
ecavg edge --config=FILE --config.fleet.folder=DIR --edge=edge-00[,edge-01] --workdir=DIR

Serves an edge of a run: waits in the exchange folder for the requests of
'ecavg run --config.fleet.kind=folder --config.fleet.folder=DIR', trains, answers, and
ends with the run. Stopped and started again on the same --state it goes on where it was.

  --edge      its name, which belongs to the --state that first answered for it
  --exchange  the folder that it shares with the server
  --data      an .npz file with x_train and y_train (also x_guard, y_guard, x_test, y_test and
              classes), a .csv file with a header, a folder with train.csv (also guard.csv and
              test.csv), a folder with one folder of pictures a class, or a function
              module:function of yours, which returns (x_train, y_train), a pair of such
              pairs (train, test), or a dict with the arrays of an .npz file; classes and
              columns are matched to the run's by name
  --label-column  of a .csv: the column with the labels; default: label
  --state     a folder for what it keeps
  --pool      training examples may be uploaded if the server asks; without it, weights alone
  --sign      this edge's private key, NAME.key of 'ecavg certs': signs what the server gets, so
              that a run with fleet.edge_keys takes it
  --export    at the end of the run: converts the model that the edge accepted, compares each
              file with Keras on the edge's own data, and puts files and bundles into
              STATE/exports; FORMATS as in 'ecavg export', default: all. 'ecavg export
              --state=DIR' does the same later
  --timeout   seconds without a request before it gives up; default: a week

The second form serves edges of a simulated partition: give it the config that the server has.
"""


def main(argv: Sequence[str]) -> int:
    """Parses, serves."""
    if "--help" in argv or "-h" in argv:
        print(HELP, end="")
        return 0
    if not any(word.lstrip("-").startswith("config") for word in argv):
        return _join(argv)
    values = flags.FlagValues()
    edges = flags.DEFINE_list("edge", None, "names of the edges to serve", flag_values=values)
    workdir = flags.DEFINE_string("workdir", None, "the edges' own files", flag_values=values)
    config = parse_config(values, argv)
    if not (edges.value and workdir.value and config.fleet.folder):
        raise ConfigError("--edge, --workdir and --config.fleet.folder are needed")

    if config.fleet.edge_keys:
        raise ConfigError(
            "fleet.edge_keys wants signed replies, and edges of a simulated partition don't sign: "
            "serve data of your own (--data, --sign), or leave fleet.edge_keys out"
        )
    home = user_path(workdir.value)
    _check_took_part(user_path(config.fleet.folder), edges.value, home)
    from ecavg_tf.plugins import find_users_modules
    from ecavg_tf.quiet import import_tensorflow

    import_tensorflow(config.model.name)
    find_users_modules()
    from ecavg_tf.live import listener
    from ecavg_tf.rounds.serving import serve_edges

    try:
        with listener() as listening:
            serve_edges(config, edges.value, home, listener=listening)
    except KeyboardInterrupt as error:
        with contextlib.suppress(OSError):  # SIGHUP: the terminal may be closed
            print("\ninterrupted; the same command goes on.", file=sys.stderr)
        return interrupted_code(error)
    return 0


def _join(argv: Sequence[str]) -> int:
    """Serves an edge with data of its own; the config comes with the first request."""
    values = flags.FlagValues()
    text = {
        name: flags.DEFINE_string(name, None, help, flag_values=values)
        for name, help in (
            ("edge", "its name"),
            ("exchange", "the exchange folder"),
            ("data", "its data"),
            ("state", "what it keeps"),
        )
    }
    label = flags.DEFINE_string("label-column", LABEL, "of a table", flag_values=values)
    sign = flags.DEFINE_string("sign", None, "a private key", flag_values=values)
    formats = flags.DEFINE_string("export", None, "formats", flag_values=values)
    pool = flags.DEFINE_bool("pool", False, "examples may be uploaded", flag_values=values)
    timeout = flags.DEFINE_float(
        "timeout", EDGE_TIMEOUT_S, "seconds", lower_bound=0.0, flag_values=values
    )
    extra = parse(values, ["--export=" if word == "--export" else word for word in argv])
    if extra:
        raise ConfigError(f"{extra[0]!r} is no flag; see ecavg edge --help")
    missing = [f"--{name}" for name, flag in text.items() if not flag.value]
    if missing:
        raise ConfigError(
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} needed (or --config: "
            "see ecavg edge --help)"
        )
    check_edge_name(text["edge"].value)
    if formats.value:
        from export.making.formats import parse_formats

        parse_formats(formats.value)  # before hours of training
    from ecavg_tf.core.messages.signature import SigningKey

    key = SigningKey.load(sign.value) if sign.value else None
    exchange, state = (user_path(text[name].value) for name in ("exchange", "state"))
    from ecavg_tf.data.own_data import data_place
    from ecavg_tf.keras_settings import check_keras_settings
    from ecavg_tf.plugins import find_users_modules

    check_keras_settings()
    find_users_modules()
    from ecavg_tf.live import listener
    from ecavg_tf.rounds.joining import Joiner

    edge, data = text["edge"].value, data_place(text["data"].value)
    with listener() as listening:
        Joiner(
            edge=edge,
            exchange=exchange,
            state=state,
            data=data,
            pool=pool.value,
            timeout_s=timeout.value,
            label_column=label.value,
            key=key,
            listener=listening,
        ).run()
    print(f"{edge}: the run is over; what was accepted is in {state / edge}.")
    if formats.value is not None:
        from ecavg_tf.cli import export

        return export.main([f"--state={state}", f"--edge={edge}", f"--formats={formats.value}"])
    return 0


def _check_took_part(exchange: Path, edges: Sequence[str], workdir: Path) -> None:
    """A run that is over needs no edges; a mistyped folder must not look like such a run."""
    from ecavg_tf.core.messages.mailbox import Mailbox
    from edge.participating.serving import check_took_part

    for edge in edges:
        if all((exchange / edge / box).is_dir() for box in ("inbox", "outbox")):
            check_took_part(Mailbox(exchange / edge), workdir / edge, "--workdir")
