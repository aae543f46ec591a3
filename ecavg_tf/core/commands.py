"""How every command line of this project ends when something goes wrong."""

import contextlib
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence

from ecavg_tf.core.errors import (
    ECAvgError,
    OutputError,
    disk_fault,
    full_disk,
    output_fault,
    printable,
)
from ecavg_tf.core.streams import let_go, prepare_streams

EDGE_TIMEOUT_S = 604800.0  # a week: an edge waits much longer than the server does for others
INTERRUPTED = 130
_STOPPING = (signal.SIGTERM, signal.SIGHUP)
_INTERRUPTED = (INTERRUPTED, *(128 + number for number in _STOPPING))
CLOSED = 141  # what a shell reports of a program whose output pipe was closed
LONGEST_LINE = 800
_FLAG = re.compile(r"^--?(?!-|(?:no)?config\.)[^=]+")


class Stopped(KeyboardInterrupt):
    """The system, a service manager or a closed terminal asks the program to end.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


def interrupted_code(error: KeyboardInterrupt) -> int:
    """What a command that was interrupted exits with, as a shell reports it."""
    return error.exit_code if isinstance(error, Stopped) else INTERRUPTED


def _stop(number: int, frame: object) -> None:
    del frame
    raise Stopped(number)


@contextlib.contextmanager
def stopping_cleanly() -> Iterator[None]:
    """In the block SIGTERM and SIGHUP raise ``Stopped``, as Ctrl-C raises its parent.

    A signal that the program was told to ignore stays ignored: nohup does that to SIGHUP.
    """
    changed = []
    if threading.current_thread() is threading.main_thread():  # no other may change signals
        changed = [each for each in _STOPPING if signal.getsignal(each) is signal.SIG_DFL]
    for number in changed:
        signal.signal(number, _stop)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, signal.SIG_DFL)


def exit_code_of(command: Callable[[], int], program: str) -> int:
    """Runs a command; what a user can mend becomes one line on stderr.

    Args:
        command: gives the exit code.
        program: what the line begins with.

    Returns:
        The exit code: the command's, an error's own, or when interrupted 130 (143 by SIGTERM,
        129 by SIGHUP).
    """
    prepare_streams()
    try:
        with stopping_cleanly():
            code = command()
            sys.stdout.flush()
            return code
    except ECAvgError as error:
        return _failed(error, program)
    except KeyboardInterrupt as error:
        with contextlib.suppress(KeyboardInterrupt):  # pressed again: it ends already
            _complain(f"\n{program}: interrupted; the same command goes on.")
        return interrupted_code(error)
    except BrokenPipeError:  # as in 'ecavg … | head'
        let_go(sys.stdout)
        return CLOSED
    except OSError as error:
        fault = output_fault(error)
        if fault is None and error.filename is None and getattr(sys.stdout, "write_through", False):
            fault = OutputError(error)  # nothing waits: python -u
        if fault is None and error.filename is not None and full_disk(error) is not None:
            return _failed(disk_fault(error), program)
        if fault is None:
            raise
        return _failed(fault, program)


def ending(code: int) -> int:
    """Where the process itself ends with this code: a second Ctrl-C changes nothing any more.

    Python gives its handlers back before a process is over: a signal that comes then would
    kill the process (-2), and one that comes a little earlier would print a traceback.

    Args:
        code: of ``exit_code_of``.

    Returns:
        The same code.
    """
    if code in _INTERRUPTED:
        for number in (signal.SIGINT, *_STOPPING):
            signal.signal(number, signal.SIG_IGN)
    return code


def _failed(error: ECAvgError, program: str) -> int:
    _complain(f"{program}: {one_line(str(error))}")
    try:
        sys.stdout.flush()
    except OSError:
        let_go(sys.stdout)
    return error.exit_code


def _complain(text: str) -> None:
    """Where standard error is full, too, the exit code says what is left to say."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        let_go(sys.stderr)


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
