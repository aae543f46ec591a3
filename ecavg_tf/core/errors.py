"""What can go wrong, and the exit code that the command line answers with."""

import contextlib
import errno
import re
import sys
from collections.abc import Iterator

_LONGEST = 200
JOINERS = "\u200c\u200d"  # between letters of Persian and Indic scripts, and in emoji
_LONGEST_LINE = 1000
# What the system says of an open file that takes no more.
_NO_MORE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
_FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file is larger than this system lets it be",
}
_NUMBER = re.compile(r"\b(?:os error|errno =|Errno) (\d+)")  # safetensors, HDF5, Python


class ECAvgError(Exception):
    """Base of all errors a user can mend; its text is one line that says how.

    Attributes:
        exit_code: what ``ecavg`` exits with (README lists all of them).
    """

    exit_code = 1


class ConfigError(ECAvgError, ValueError):
    """A flag, a config field or a config file is wrong."""

    exit_code = 2


class DataError(ECAvgError, ValueError):
    """The data is missing, malformed, or too small for what was asked of it."""

    exit_code = 3


class WorkdirError(ECAvgError):
    """A run directory can't be used: another config, not writable, damaged."""

    exit_code = 4


class OutputError(WorkdirError):
    """What a command prints can't be written: its standard output is full, for example."""

    def __init__(self, error: OSError) -> None:
        super().__init__(
            f"standard output can't be written ({error.strerror or error}); what was done until "
            "here is kept; make room where it goes, or send it elsewhere"
        )


class RoundError(ECAvgError):
    """A round could not be finished, for example because no update was accepted."""

    exit_code = 5


class DivergedError(RoundError):
    """Training diverged: its loss or its weights are NaN or infinite."""


class InstallationError(ECAvgError):
    """Another package has the name of one of this project's, or a dependency is missing."""

    exit_code = 6


class ModelError(ECAvgError, ValueError):
    """A model can't be built, loaded, or does not fit the data."""

    exit_code = 7


class ExportError(ECAvgError):
    """A model can't be exported, or a file failed its check."""

    exit_code = 8


class UnprovedError(ExportError):
    """A file broke no limit, but too few examples show that it keeps to them all."""

    exit_code = 9


def printable(text: str) -> str:
    """A text without terminal codes and line breaks, of the same length."""
    return "".join(letter if letter.isprintable() or letter in JOINERS else " " for letter in text)


def one_line(text: str, most: int = _LONGEST_LINE) -> str:
    """A text from elsewhere as one printable line of a bounded length.

    A terminal obeys what is not printable, half characters (lone surrogates) can't be written as
    UTF-8, and a text of many megabytes would be kept in every file of a run.
    """
    said = printable(text[: most + 1])
    return said if len(said) <= most else said[:most] + "…"


def brief(error: Exception) -> str:
    """A library's error as a part of one line: short, printable and never empty."""
    said = " ".join(printable(str(error)).split()) or type(error).__name__
    return said if len(said) <= _LONGEST else said[:_LONGEST] + "…"


def full_disk(error: BaseException) -> int | None:
    """The number by which the system says that no more can be written; None: it is not that.

    Libraries wrap what the system said: safetensors and HDF5 put the number into a text, and
    closing a file that could not be written may raise another error on top.
    """
    seen: list[BaseException] = []
    while not any(error is one for one in seen):
        seen.append(error)
        found = {int(number) for number in _NUMBER.findall(str(error))}
        found |= {error.errno} if isinstance(error, OSError) and error.errno is not None else set()
        for code in _FULL:
            if code in found:
                return code
        error = error.__cause__ or error.__context__ or error
    return None


def disk_fault(error: OSError, folder: object = None) -> "WorkdirError":
    """A disk's error as one line that names the place.

    Args:
        error: what was raised.
        folder: what was written, where the error does not say.
    """
    where = error.filename or folder
    if error.errno in _FULL:
        return WorkdirError(
            f"{where} can't be written: {_FULL[error.errno]} ({error.strerror}); make room and run "
            "the same command again: what is finished is kept"
        )
    return WorkdirError(f"{where}: {error.strerror or error}; finished rounds are kept")


def output_fault(error: OSError) -> OutputError | None:
    """Whether it was standard output that could not be written; None: something else.

    Args:
        error: what was raised by something that may have printed.
    """
    if error.filename is None and error.errno in _NO_MORE and sys.stdout is not None:
        try:
            sys.stdout.flush()  # what could not be written is still there to be written
        except OSError as again:
            return OutputError(again)
    return None


@contextlib.contextmanager
def disk_errors(folder: object) -> Iterator[None]:
    """A full or vanished disk is something a user can mend: one line, not a traceback."""
    try:
        yield
    except BrokenPipeError:  # the program that read our output has ended
        raise
    except OSError as error:
        if (fault := output_fault(error)) is not None:
            raise fault from error
        raise disk_fault(error, folder) from error


class UpdateRefused(ECAvgError, ValueError):
    """An edge's update was not accepted; the round goes on without it.

    Attributes:
        edge: name of the edge.
        reason: one line that names the fault, and the variable where there is one.
    """

    exit_code = 5

    def __init__(self, edge: str, reason: str) -> None:
        self.edge = edge
        self.reason = one_line(reason)
        super().__init__(f"{edge}: {self.reason}")
