"""The flags of ``micro-weights`` and ``micro-update``."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ecavg_tf.core.errors import ConfigError, DataError, disk_errors
from ecavg_tf.core.files import read_regular, write_text
from ecavg_tf.core.paths import user_path
from ecavg_tf.events import Event, Note

if TYPE_CHECKING:
    from ecavg_tf.core.bundles.micro_head import MicroHead
    from edge.micro.bridge import Bridge

_MOST_LINES = 2**28  # bytes of what a device printed


def add_micro(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds both to the commands."""
    weights = commands.add_parser(
        "micro-weights",
        help="a head's weights as lines for a microcontroller",
        description="Prints the head that a run's newest request starts from, or the one in an "
        "update file or an accepted model, as lines that a microcontroller reads.",
    )
    _common(weights)
    weights.add_argument("file", nargs="?", help="an update or an accepted model (.safetensors)")
    weights.add_argument("--out", type=Path, help="a file for the lines; default: print them")
    weights.set_defaults(run=_weights)
    update = commands.add_parser(
        "micro-update",
        help="a microcontroller's lines as an update",
        description="Answers a run's newest request with what a microcontroller printed after it "
        "trained, or writes that as an update file.",
    )
    _common(update)
    update.add_argument(
        "lines",
        nargs="?",
        help="what the device printed, - for standard input; at a run's end none",
    )
    update.add_argument("--state", type=Path, help="with --exchange: a folder for what is kept")
    update.add_argument("--out", type=Path, help="without --exchange: the update file to write")
    update.add_argument("--round", type=int, default=1, help="without --exchange; default 1")
    update.set_defaults(run=_update)


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("head", metavar="HEAD.json", help="head.json among the device's sources")
    parser.add_argument("--exchange", type=Path, help="the run's exchange folder")
    parser.add_argument("--edge", help="this edge's name, which no other has")


def _weights(arguments: argparse.Namespace) -> int:
    from edge.micro.bridge import lines_of_file

    head = _head(arguments)
    if (arguments.exchange is None) == (arguments.file is None):
        raise ConfigError("give either --exchange=DIR --edge=NAME, or a FILE with weights")
    if arguments.file is not None:
        lines = lines_of_file(user_path(arguments.file), head)
    else:
        lines = _bridge(arguments, head, Path()).weights()
    if arguments.out is None:
        print(lines, end="")
        return 0
    out = user_path(arguments.out)
    with disk_errors(out.parent):
        write_text(out, lines)
    return 0


def _update(arguments: argparse.Namespace) -> int:
    from edge.micro.bridge import read_lines, write

    head = _head(arguments)
    if (arguments.exchange is None) == (arguments.out is None):
        raise ConfigError("give either --exchange=DIR --edge=NAME --state=DIR, or --out=FILE")
    lines = None if arguments.lines is None else read_printed(arguments.lines)
    if arguments.exchange is not None:
        if arguments.state is None:
            raise ConfigError("--exchange needs --state=DIR, a folder of this edge's own")
        state = user_path(arguments.state)
        with disk_errors(state):
            _bridge(arguments, head, state).answer(lines)
        return 0
    if lines is None:
        raise ConfigError("LINES of the device are missing: give a file, or - for standard input")
    if arguments.round < 1:
        raise ConfigError(f"--round is {arguments.round}; rounds are counted from 1")
    trained, out = read_lines(lines, head), user_path(arguments.out)
    with disk_errors(out.parent):
        write(out, head, head.template, trained, _edge(arguments), arguments.round, {})
    print(f"{out}: an update of {arguments.edge}, {sum(trained.class_counts)} examples")
    return 0


def _head(arguments: argparse.Namespace) -> "MicroHead":
    from ecavg_tf.core.bundles.micro_head import read_micro_head

    return read_micro_head(user_path(arguments.head))


def _bridge(arguments: argparse.Namespace, head: "MicroHead", state: Path) -> "Bridge":
    from edge.micro.bridge import Bridge

    return Bridge(head, _edge(arguments), user_path(arguments.exchange), state, _tell)


def _edge(arguments: argparse.Namespace) -> str:
    from edge.cli import check_edge_name

    if arguments.edge is None:
        raise ConfigError("give --edge=NAME, the name of the edge that the device is")
    check_edge_name(arguments.edge)
    return str(arguments.edge)


def read_printed(path: str) -> str:
    """What a device printed: a file, or - for standard input.

    Raises:
        DataError: it can't be read.
    """
    if path == "-":
        return sys.stdin.read(_MOST_LINES)
    try:
        return read_regular(user_path(path), _MOST_LINES).decode("ascii", "replace")
    except (OSError, ValueError) as error:
        raise DataError(f"{path} can't be read: {error}") from error


def _tell(event: Event) -> None:
    if isinstance(event, Note):
        print(event.text)
