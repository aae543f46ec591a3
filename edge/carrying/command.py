"""The flags of ``join``."""

import argparse

from ecavg_tf.core.commands import EDGE_TIMEOUT_S
from ecavg_tf.core.errors import ConfigError
from ecavg_tf.core.paths import user_path
from ecavg_tf.core.table import LABEL


def add_join(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds ``join`` to the commands."""
    parser = commands.add_parser(
        "join",
        help="serve a run that is across a network, with data of this machine",
        description="Connects to 'ecavg serve' through Flower, and keeps a Flower node and an edge "
        "process up until it is stopped (Ctrl-C). Started again on the same --state it goes on "
        "where it was. What is accepted lies in STATE/run-0001/kept, and so on for each run.",
    )
    parser.add_argument("--server", required=True, help="HOST:PORT of the server")
    parser.add_argument("--edge", required=True, help="this edge's name: that of its key")
    parser.add_argument("--data", required=True, help="as in 'ecavg edge' or 'edge train'")
    parser.add_argument("--label-column", default=LABEL, help="of a .csv; default: label")
    parser.add_argument("--state", required=True, help="folder for what it keeps")
    parser.add_argument("--ca", help="ca.pem of the server; default: STATE/ca.pem")
    parser.add_argument("--key", help="this edge's key; default: STATE/NAME.key")
    parser.add_argument("--insecure", action="store_true", help="without TLS, on one machine")
    parser.add_argument("--device", action="store_true", help="train without TensorFlow")
    parser.add_argument("--pool", action="store_true", help="training examples may be uploaded")
    parser.add_argument(
        "--timeout",
        type=float,
        default=EDGE_TIMEOUT_S,
        help="seconds without a request before the edge process is started anew; default: a week",
    )
    parser.set_defaults(run=_join)


def _join(arguments: argparse.Namespace) -> int:
    from edge.carrying.joining import JoinOrder, edge_arguments, join
    from edge.cli import check_edge_name

    check_edge_name(arguments.edge)
    if not arguments.timeout > 0:
        raise ConfigError(f"--timeout is {arguments.timeout}; it must be a number above 0")
    state = user_path(arguments.state).resolve()
    data = arguments.data if ":" in arguments.data else str(user_path(arguments.data).resolve())
    files = {"ca": arguments.ca, "key": arguments.key}
    if arguments.insecure and any(files.values()):
        raise ConfigError("--insecure goes without --ca and --key; leave out one or the other")
    ca = user_path(arguments.ca).resolve() if arguments.ca else state / "ca.pem"
    key = user_path(arguments.key).resolve() if arguments.key else state / f"{arguments.edge}.key"
    return join(
        JoinOrder(
            server=arguments.server,
            edge=arguments.edge,
            state=state,
            ca=None if arguments.insecure else ca,
            key=None if arguments.insecure else key,
            device=arguments.device,
            arguments=tuple(
                edge_arguments(data, arguments.label_column, arguments.timeout, pool=arguments.pool)
            ),
        )
    )
