"""Processes that work together: if one fails or time runs out, all are ended."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

LAST_LINES = 5


class ProcessFailed(Exception):
    """A process ended badly or did not end; the message names the logs."""


class Processes:
    """Starts processes, each with a log; at the end of the ``with`` block none is left.

    Every one leads a group of its own, so what it started ends with it.

    Args:
        logs: folder for ``NAME.log``; a log that is there already is continued.
        environment: all of the processes' variables.
    """

    def __init__(self, logs: Path, environment: Mapping[str, str]) -> None:
        self._logs = logs
        self._environment = dict(environment)
        self._started: dict[str, tuple[subprocess.Popen[bytes], IO[bytes]]] = {}

    def __enter__(self) -> "Processes":
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process, log in self._started.values():
            _kill(process)
            log.close()

    def start(self, name: str, command: Sequence[str]) -> None:
        """Starts a command; its log begins with the command itself."""
        log = self._log(name).open("ab")
        log.write(f"$ {' '.join(command)}\n".encode())
        log.flush()
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env=self._environment, start_new_session=True
        )
        self._started[name] = process, log

    def wait(self, names: Sequence[str], timeout_s: float, *, must_end: bool = True) -> None:
        """Waits until the named processes have ended well.

        Args:
            names: those to wait for.
            timeout_s: how long.
            must_end: whether it is a failure if they go on for longer.

        Raises:
            ProcessFailed: one of all that were started ended badly, or a named one did
                not end in time.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            codes = {name: process.poll() for name, (process, _) in self._started.items()}
            for name, code in codes.items():
                if code:
                    raise ProcessFailed(f"{name} ended with {code}: {self._ending(name)}")
            waiting = [name for name in names if codes[name] is None]
            late = time.monotonic() > deadline
            if not waiting or (late and not must_end):
                return
            if late:
                raise ProcessFailed(
                    f"{', '.join(waiting)} did not end within {timeout_s:g} s; logs:{self._paths()}"
                )
            time.sleep(0.2)

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def _ending(self, name: str) -> str:
        lines = self._log(name).read_text(errors="replace").splitlines()[-LAST_LINES:]
        return "".join(f"\n    {line}" for line in lines) + f"\nlogs:{self._paths()}"

    def _paths(self) -> str:
        return "".join(f"\n    {self._log(name)}" for name in self._started)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Ends a process and what it started; does nothing to one that was seen to end."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
