"""What a reader of hostile files must not do, whatever the file holds."""

import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ecavg_tf.core.errors import ECAvgError

SECONDS = 10.0  # of a processor, for one input
MEMORY = 768 * 2**20  # bytes; a packed array may unpack to 256 MiB, whatever its own size
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_NEVER = (
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.fork",
    "socket.connect",
    "pickle.find_class",
)
_CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.chmod")
_CODE = (".py", ".pyc", ".so")


class Breach(AssertionError):
    """A reader did what no reader may do."""


class Guard:
    """Watches one reader at a time, by Python's audit events.

    Args:
        place: the folder that everything must stay in.
    """

    def __init__(self, place: Path) -> None:
        self._place = place.resolve()
        self._outside = place.parent
        self._known = sorted(self._outside.iterdir())
        self._armed = False
        self._breaches: list[str] = []
        sys.addaudithook(self._heard)

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Runs a reader.

        Raises:
            Breach: it left its place, started a process, or took too much time or memory.
        """
        self._breaches.clear()
        began, held = time.process_time(), _most_held()
        self._armed = True
        try:
            yield
        except ECAvgError as error:
            self._armed = False
            _check_line(error)
        finally:
            self._armed = False
        self._check(time.process_time() - began, _most_held() - held)

    def _check(self, seconds: float, grown: int) -> None:
        if self._breaches:
            raise Breach("; ".join(self._breaches))
        if seconds > SECONDS:
            raise Breach(f"it took {seconds:.1f} s of a processor")
        if grown > MEMORY:
            raise Breach(f"it took {grown / 2**20:.0f} MiB of memory")
        if (found := sorted(self._outside.iterdir())) != self._known:
            raise Breach(f"it left files beside its place: {found}")

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._armed:
            return
        if event in _NEVER:
            self._breaches.append(f"{event} {arguments[0]!r}")
        elif event == "open" and isinstance(arguments[0], str | bytes):
            self._opened(os.fsdecode(arguments[0]), arguments[1], arguments[2] or 0)
        elif event in _CHANGES:
            for path in arguments:
                if isinstance(path, str | bytes) and not self._is_inside(os.fsdecode(path)):
                    self._breaches.append(f"{event} {path!r}")

    def _opened(self, path: str, mode: str | None, flags: int) -> None:
        writes = bool(flags & _WRITES) or (mode is not None and not mode.startswith("r"))
        if not self._is_inside(path) and (writes or not _is_of_python(path)):
            self._breaches.append(f"open {path!r} {'to write' if writes else 'to read'}")

    def _is_inside(self, path: str) -> bool:
        """Whether it lies in the place; a link in the place is the user's own."""
        absolute = Path(os.path.normpath(Path.cwd() / path))
        return (absolute.parent.resolve() / absolute.name).is_relative_to(self._place)


def _is_of_python(path: str) -> bool:
    """Whether it is part of a program: some packages are imported when they are needed."""
    homes = (sys.prefix, sys.base_prefix, str(Path(__file__).parents[2]))
    return path.startswith(homes) or path.endswith(_CODE)


def _most_held() -> int:
    """The most memory that this process ever held, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _check_line(error: ECAvgError) -> None:
    """An error that a user can mend is one line that a terminal can show."""
    text = str(error)
    if "\n" in text or not text.strip():
        raise Breach(f"its error is no line: {text[:500]!r}") from error
