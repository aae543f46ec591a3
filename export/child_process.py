"""A part of the export in a process of its own: what crashes or hangs there ends only that.

The child reads a JSON object a line and answers with one. It is kept between requests,
because starting one may take seconds, and is started again after a crash. It ends with this
process, however that ends.
"""

import contextlib
import fcntl
import json
import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO, cast

_TAIL = 2**22  # bytes of a log that are read; some converters print a line a node
_LOOK_SECONDS = 0.2  # between two looks at the child's memory
_KEPT_FREE = 0.05  # of the machine's memory


class End(StrEnum):
    """How a child ended that did not answer."""

    CRASHED = "crashed"
    KILLED = "killed"  # from outside, as the system does when memory runs out
    TOO_LARGE = "too large"  # stopped: it took the memory that the machine had free
    TOO_SLOW = "too slow"  # stopped: its time was up


class ChildFault(Exception):
    """The child crashed, was stopped, or said that it can't; the text is one line.

    Attributes:
        end: how the process ended; None: it answered, and goes on.
    """

    def __init__(self, said: str, end: End | None = None) -> None:
        super().__init__(said)
        self.end = end


class ChildProcess:
    """Asks one process again and again; what it printed is in ``log`` after each request.

    Args:
        command: what to run. It answers on its standard output.
        environment: its environment variables; None: those of this process.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> None:
        self._command = command
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._stderr: BinaryIO | None = None
        self._lifeline: int | None = None
        self.log = ""

    @property
    def pid(self) -> int | None:
        """Its number; None while it does not run."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Starts it where it is not running; it gets ready while this process goes on."""
        if self._process is not None and self._process.poll() is not None:
            self.stop()  # it died while nobody asked it
        if self._process is not None:
            return
        self._stderr = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115
        end, self._lifeline = os.pipe()
        try:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                env=None if self._environment is None else dict(self._environment),
                pass_fds=(end,),
            )
            _dies_with_this(self._process.pid, end)
        finally:
            os.close(end)

    def ask(self, request: Mapping[str, Any], timeout: float) -> Mapping[str, Any]:
        """Sends a request and waits for its answer.

        Args:
            request: what JSON can say.
            timeout: seconds until the process is stopped.

        Raises:
            ChildFault: it has no answer.
        """
        self.start()
        assert self._process is not None
        assert self._process.stdin is not None
        before = self._size()
        try:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(json.dumps(request).encode() + b"\n")
                self._process.stdin.flush()
            answer = self._answer(timeout)
        except BaseException as error:
            if not isinstance(error, ChildFault) or error.end is not None:
                self._note(before)
                self.stop()  # an interrupted request must not answer the next one
            raise
        self._note(before)
        if "error" in answer:
            raise ChildFault(str(answer["error"]))
        return answer

    def stop(self) -> None:
        """Ends it, whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()
            self._process = None
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None
        if self._stderr is not None:
            self._stderr.close()
            self._stderr = None

    def _answer(self, timeout: float) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        most = memory_limit(self._process.pid)
        until, got = time.monotonic() + timeout, b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while not got.endswith(b"\n"):
                left = until - time.monotonic()
                if not selector.select(min(_LOOK_SECONDS, max(0.0, left))):
                    if left <= 0:
                        raise ChildFault(f"no answer within {timeout:g} seconds", End.TOO_SLOW)
                    _check_memory(self._process.pid, most)
                    continue
                more = os.read(self._process.stdout.fileno(), 2**16)
                if not more:
                    raise self._died()
                got += more
        answer: dict[str, Any] = json.loads(got)
        return answer

    def _died(self) -> ChildFault:
        assert self._process is not None
        code = self._process.wait()
        if code == -signal.SIGKILL:
            return ChildFault(
                f"its process ended by signal {-code} (the system does so when memory runs out)",
                End.KILLED,
            )
        if code < 0:
            return ChildFault(f"its process ended by signal {-code}", End.CRASHED)
        last = self._printed(max(0, self._size() - 2000)).strip().split("\n")[-1]
        return ChildFault(f"its process ended with exit code {code} ({last})", End.CRASHED)

    def _note(self, before: int) -> None:
        self.log = self._printed(max(before, self._size() - _TAIL))

    def _size(self) -> int:
        assert self._stderr is not None
        return os.fstat(self._stderr.fileno()).st_size

    def _printed(self, start: int) -> str:
        """From a place on; read apart from the child, whose position is the same."""
        assert self._stderr is not None
        return os.pread(self._stderr.fileno(), _TAIL, start).decode("utf-8", "replace")


def memory_limit(pid: int) -> int | None:
    """Bytes that a process may hold: what it has, and nearly all that the machine has free.

    A limit on address space (RLIMIT_AS) would not do: TensorFlow reserves far more than it uses.

    Returns:
        None where the system does not tell (it is not Linux).
    """
    held = _resident(pid)
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    told = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines}
    if held is None or "MemAvailable" not in told:
        return None
    return max(held + told["MemAvailable"] - int(_KEPT_FREE * told["MemTotal"]), held)


def _check_memory(pid: int, most: int | None) -> None:
    held = _resident(pid)
    if most is not None and held is not None and held > most:
        raise ChildFault(f"it takes more than {most / 2**30:.1f} GiB of memory", End.TOO_LARGE)


def _resident(pid: int) -> int | None:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def _dies_with_this(pid: int, end: int) -> None:
    """Lets the system kill a child when this process is gone, even if both were hung or killed.

    The child holds one end of a pipe, and this process the other. When the last holder of that
    one ends, the system signals the child, which need not do anything for it. (The child's
    standard input closes likewise, but a child that hangs reads nothing.)
    """
    if not hasattr(fcntl, "F_SETSIG"):  # not Linux: there it ends when it reads its input
        return
    fcntl.fcntl(end, fcntl.F_SETOWN, pid)
    fcntl.fcntl(end, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(end, fcntl.F_SETFL, fcntl.fcntl(end, fcntl.F_GETFL) | os.O_ASYNC)


def home_of(module: str) -> str:
    """The folder that must be on the import path for a child to import a package of this one."""
    return str(Path(module).resolve().parent.parent)
