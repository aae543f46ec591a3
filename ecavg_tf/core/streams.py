"""Copes with standard streams that are closed, full, or in an old encoding."""

import contextlib
import os
import sys
from typing import TextIO


def keep_descriptors() -> None:
    """Makes sure that descriptors 0, 1 and 2 are open: /dev/null where the caller closed them.

    Else the next file that is opened becomes 'standard error', and what C++ libraries print
    is written into it.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:  # a lower one is free, too
                os.dup2(opened, number)
                os.close(opened)


def prepare_streams() -> None:
    """Makes a command able to print, whatever its streams are.

    A stream that is missing (a daemon, pythonw) swallows what is printed. One that can't
    encode a sign prints a replacement for it.
    """
    keep_descriptors()
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None or stream.closed:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        elif _fails_on_signs(stream):
            stream.reconfigure(errors="replace")


def _fails_on_signs(stream: TextIO) -> bool:
    if not hasattr(stream, "reconfigure"):  # a notebook's, or a test's
        return False
    if stream.errors == "surrogateescape":  # LANG=C: file names come out as they are
        return stream.encoding.lower().replace("-", "") != "utf8"
    return stream.errors == "strict"


def let_go(stream: TextIO) -> None:
    """Sends the rest to nowhere: Python would complain once more at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
