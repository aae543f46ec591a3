"""A part of the export in a process of its own: what crashes or hangs there ends only that.

The child reads a JSON object a line and answers with one. It is kept between requests,
because starting one may take seconds, and is started again after a crash.
"""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

_TAIL = 2**22  # bytes of a log that are read; some converters print a line a node


class ChildFault(Exception):
    """The child crashed, was stopped, or said that it can't; the text is one line.

    Attributes:
        ended: whether the process is gone: nobody answered.
    """

    def __init__(self, said: str, *, ended: bool) -> None:
        super().__init__(said)
        self.ended = ended


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
        self.log = ""

    def start(self) -> None:
        """Starts it where it is not running; it gets ready while this process goes on."""
        if self._process is not None:
            return
        self._stderr = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=None if self._environment is None else dict(self._environment),
        )

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
            if not isinstance(error, ChildFault) or error.ended:
                self._note(before)
                self.stop()  # an interrupted request must not answer the next one
            raise
        self._note(before)
        if "error" in answer:
            raise ChildFault(str(answer["error"]), ended=False)
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
        if self._stderr is not None:
            self._stderr.close()
            self._stderr = None

    def _answer(self, timeout: float) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        until, got = time.monotonic() + timeout, b""
        while not got.endswith(b"\n"):
            left = max(0.0, until - time.monotonic())
            if not select.select([self._process.stdout], [], [], left)[0]:
                raise ChildFault(f"no answer within {timeout:g} seconds", ended=True)
            more = os.read(self._process.stdout.fileno(), 2**16)
            if not more:
                raise ChildFault(self._died(), ended=True)
            got += more
        answer: dict[str, Any] = json.loads(got)
        return answer

    def _died(self) -> str:
        assert self._process is not None
        code = self._process.wait()
        if code < 0:
            return f"its process ended by signal {-code}"
        last = self._printed(max(0, self._size() - 2000)).strip().split("\n")[-1]
        return f"its process ended with exit code {code} ({last})"

    def _note(self, before: int) -> None:
        self.log = self._printed(max(before, self._size() - _TAIL))

    def _size(self) -> int:
        assert self._stderr is not None
        return os.fstat(self._stderr.fileno()).st_size

    def _printed(self, start: int) -> str:
        """From a place on; read apart from the child, whose position is the same."""
        assert self._stderr is not None
        return os.pread(self._stderr.fileno(), _TAIL, start).decode("utf-8", "replace")


def home_of(module: str) -> str:
    """The folder that must be on the import path for a child to import a package of this one."""
    return str(Path(module).resolve().parent.parent)
