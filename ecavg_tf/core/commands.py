"""What every command line of ours does when something goes wrong."""

import contextlib
import os
import re
import sys
from collections.abc import Callable, Sequence

from ecavg_tf.core.errors import ECAvgError, printable

INTERRUPTED = 130
CLOSED = 141  # as a shell counts a program that a closed pipe ends
LONGEST_LINE = 800
_FLAG = re.compile(r"^--?(?!-|(?:no)?config\.)[^=]+")


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


def hyphened(arguments: Sequence[str]) -> list[str]:
    """Flags are spelt with hyphens; with underscores they are taken, too.

    ``--batch_size=8`` becomes ``--batch-size=8``. Config fields (``--config.a.b_c``) are names
    in Python and keep their underscores.
    """
    return [_FLAG.sub(lambda found: found[0].replace("_", "-"), word) for word in arguments]


def one_line(text: str) -> str:
    """What libraries, files or edges say may hold line breaks and terminal codes."""
    short = " ".join(printable(text).split())
    return short if len(short) <= LONGEST_LINE else short[:LONGEST_LINE] + " …"
