"""``ecavg check``: the device's command, where the full program is installed."""

from collections.abc import Sequence

from edge.cli import main as device


def main(argv: Sequence[str]) -> int:
    """Passes the arguments on."""
    return device(["check", *argv], "ecavg")
