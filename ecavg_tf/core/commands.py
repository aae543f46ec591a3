"""How every command line of this project ends when something goes wrong."""

import contextlib
import os
import sys
from collections.abc import Callable

from ecavg_tf.core.errors import ECAvgError, printable

INTERRUPTED = 130
CLOSED = 141  # what a shell reports of a program whose output pipe was closed
LONGEST_LINE = 800


def exit_code_of(command: Callable[[], int], program: str) -> int:
    """Runs a command; what a user can mend becomes one line on stderr.

    Args:
        command: gives the exit code.
        program: what the line begins with.

    Returns:
        The exit code: the command's, an error's own, or 130 when interrupted.
    """
    try:
        code = command()
        sys.stdout.flush()
        return code
    except ECAvgError as error:
        print(f"{program}: {one_line(str(error))}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"\n{program}: interrupted; the same command goes on.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # as in 'ecavg … | head': Python would complain once more at its end
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED


def one_line(text: str) -> str:
    """What libraries, files or edges say may hold line breaks and terminal codes."""
    short = " ".join(printable(text).split())
    return short if len(short) <= LONGEST_LINE else short[:LONGEST_LINE] + " …"
