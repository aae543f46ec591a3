"""The device's command line: ``main`` parses, then calls one function."""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from ecavg_tf.core.commands import EDGE_TIMEOUT_S, exit_code_of, hyphened
from ecavg_tf.core.errors import ConfigError
from ecavg_tf.core.paths import check_current_folder, user_path
from ecavg_tf.core.streams import prepare_streams
from ecavg_tf.core.table import LABEL
from edge.carrying.command import add_join
from edge.micro.command import add_micro

EPILOG = (
    "Exit codes: 0 done, 1 a bug, 2 arguments or config, 3 data, 4 state directory or "
    "output, 5 a round failed, 6 installation, 7 model, 8 bundle refused, interrupted: "
    "129 by SIGHUP, 130 by Ctrl-C, 143 by SIGTERM."
)


def main(argv: Sequence[str] | None = None, program: str = "python -m edge") -> int:
    """Runs the command line.

    Args:
        argv: arguments without the program's name; None: those of the process.
        program: what the user typed.

    Returns:
        The exit code.
    """
    prepare_streams()  # argparse prints, too
    given = sys.argv[1:] if argv is None else argv
    arguments = _parser(program).parse_args(hyphened(given))

    def command() -> int:
        check_current_folder()
        return int(arguments.run(arguments))

    return exit_code_of(command, program.split()[-1])


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        program, description="What an edge device does with the bundle it was given.", epilog=EPILOG
    )
    parser.set_defaults(program=program)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_check(commands)
    _add_predict(commands)
    _add_train(commands)
    add_join(commands)
    add_micro(commands)
    return parser


def _common(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument(
        "--threads",
        type=_count,
        default=0,
        help="0: one a core (what predict does by itself; train uses 1)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _add_check(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "check",
        help="is a bundle whole, and does this device run it right?",
        description="Verifies a bundle's hashes and replays its golden examples in a process of "
        "its own.",
    )
    parser.add_argument("bundle", nargs="+")
    _common(parser)
    parser.set_defaults(run=_check)


def _add_predict(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "predict",
        help="label pictures, rows of tables or arrays",
        usage="%(prog)s (BUNDLE | --state=DIR [--edge=EDGE]) INPUT [INPUT ...] [--top=N] "
        "[--label-column=NAME] [--no-check] [--threads=N] [--json]",
        description="Prints each example's class, its probability and the time it took: with a "
        "bundle, or with what 'train' left in its --state.",
    )
    parser.add_argument(
        "input",
        nargs="+",
        metavar="INPUT",
        help="PNG, JPEG, .csv, .npz, .npy, a folder, or - for raw bytes on stdin; without --state "
        "the bundle comes before them",
    )
    parser.add_argument("--state", type=Path, help="the folder that train was given")
    parser.add_argument("--edge", help="the edge's name, if --state holds several")
    parser.add_argument("--top", type=_positive, default=1, help="labels an example; default 1")
    _add_label_column(parser)
    parser.add_argument("--no-check", action="store_true", help="don't replay the golden examples")
    _common(parser)
    parser.set_defaults(run=_predict)


def _add_label_column(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--label-column",
        default=LABEL,
        help=f"of a .csv: the column with the labels; default {LABEL}; all others but group and "
        "edge are numbers, matched by name",
    )


def _add_train(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "train",
        help="train on this device's data",
        description="Serves a run over an exchange folder until it ends, or trains once for "
        "this device alone (--bundle without --exchange). Killed and started again on the same "
        "--state it goes on after the last finished epoch.",
    )
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        help=".npz with x_train, y_train, .csv with a header, or a folder with train.csv",
    )
    _add_label_column(parser)
    parser.add_argument("--state", type=Path, required=True, help="folder for what it keeps")
    parser.add_argument("--edge", required=True, help="this edge's name, which no other has")
    parser.add_argument("--exchange", type=Path, help="the run's exchange folder")
    parser.add_argument("--bundle", type=Path, help="a training bundle, if the run ships none")
    parser.add_argument("--pool", action="store_true", help="training examples may be uploaded")
    parser.add_argument(
        "--sign", type=Path, help="this edge's private key (NAME.key): signs what it sends to a run"
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=EDGE_TIMEOUT_S,
        help="seconds without a request before it gives up; default: a week",
    )
    parser.add_argument("--epochs", type=_positive, default=3, help="without a run; default 3")
    parser.add_argument("--batch-size", type=_positive, default=32, help="without a run")
    parser.add_argument("--learning-rate", type=float, default=1e-3, help="without a run")
    parser.add_argument("--seed", type=_count, default=0, help="without a run")
    parser.add_argument(
        "--replace",
        action="store_true",
        help="without a run: replace what --state holds of another bundle, data or settings",
    )
    parser.add_argument(
        "--policy",
        choices=("guarded", "replace"),
        default="guarded",
        help="without a run: guarded (the default) lets predict use the trained model once "
        "held-out examples certify it as better; replace lets it use it in any case",
    )
    _common(parser)
    parser.set_defaults(run=_train, threads=1)


def _train(arguments: argparse.Namespace) -> int:
    from edge.device.training_settings import TrainingSettings
    from edge.training_command import Order, train

    rate, timeout_s = arguments.learning_rate, arguments.timeout
    if not 0 < rate < math.inf:
        raise ConfigError(f"--learning-rate is {rate}; it must be finite and above 0")
    if not timeout_s > 0:
        raise ConfigError(f"--timeout is {timeout_s}; it must be a number above 0 (inf: no end)")
    check_edge_name(arguments.edge)
    if arguments.sign and not arguments.exchange:
        raise ConfigError("--sign signs what a run gets: give --exchange=DIR, or leave --sign out")
    settings = TrainingSettings(arguments.epochs, arguments.batch_size, rate)
    return train(
        Order(
            edge=arguments.edge,
            data=user_path(arguments.data),
            label_column=arguments.label_column,
            state=user_path(arguments.state),
            exchange=arguments.exchange and user_path(arguments.exchange),
            bundle=arguments.bundle and user_path(arguments.bundle),
            pool=arguments.pool,
            sign=arguments.sign and user_path(arguments.sign),
            threads=arguments.threads,
            timeout_s=timeout_s,
            settings=settings,
            seed=arguments.seed,
            replace=arguments.replace,
            guarded=arguments.policy == "guarded",
            as_json=arguments.json,
            program=arguments.program,
        )
    )


def _check(arguments: argparse.Namespace) -> int:
    from edge.commands import check

    return check(arguments.bundle, as_json=arguments.json)


def _predict(arguments: argparse.Namespace) -> int:
    from edge.commands import predict
    from edge.predict import Predictor

    bundle, inputs = _bundle_and_inputs(arguments)
    if "-" in inputs and len(inputs) > 1:
        raise ConfigError("- (standard input) can't be given beside other examples")
    threads, check = arguments.threads, not arguments.no_check
    if bundle is None:
        edge = arguments.edge
        if edge is not None:
            check_edge_name(edge)
        predictor = Predictor.from_state(arguments.state, edge=edge, threads=threads, check=check)
    else:
        predictor = Predictor(bundle, threads=threads, check=check)
    return predict(
        predictor,
        inputs,
        top=arguments.top,
        as_json=arguments.json,
        label_column=arguments.label_column,
    )


def _bundle_and_inputs(arguments: argparse.Namespace) -> tuple[str | None, list[str]]:
    first, *others = arguments.input
    if arguments.state is not None:
        if first.endswith(".zip"):
            raise ConfigError(f"both the bundle {first} and --state were given; give one of them")
        return None, [first, *others]
    if arguments.edge is not None:
        raise ConfigError("--edge names an edge of --state; give --state=DIR, or leave it out")
    if not others:
        raise ConfigError(f"{first} came alone; give BUNDLE INPUT, or --state=DIR INPUT")
    return first, others


def check_edge_name(name: str) -> None:
    """The name is a folder's, in --state and in the exchange folder: none outside of them."""
    if name in ("", ".", "..") or "/" in name or not name.isprintable():
        raise ConfigError(f"--edge={name!r} is no name of an edge; give one such as north")


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return number


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is below 1")
    return number
