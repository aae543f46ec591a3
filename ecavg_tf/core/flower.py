"""What both ends need of Flower: the tested version, its programs, and that they stay up."""

import contextlib
import ctypes
import importlib.util
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import IO

from ecavg_tf.core.errors import ConfigError, InstallationError

VERSION = "1.42.0"  # 1.41 to 1.42 changed the transport: exactly the version that was tested
_LONGEST_PAUSE_S = 60.0
_SOUND_S = 60.0  # a process that lived so long was no failed start
_KEPT_LINES = 200  # of a process's output
_LONGEST_LINE = 2**16
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def check_flower() -> None:
    """Checks that the extra ``fleet`` is installed, in the version that was tested.

    Raises:
        InstallationError: it is not.
    """
    found = None if importlib.util.find_spec("flwr") is None else metadata.version("flwr")
    if found != VERSION:
        came = "is not installed" if found is None else f"is {found} here"
        raise InstallationError(
            f"edges over a network need flwr {VERSION}, which {came}: pip install 'ecavg-tf[fleet]'"
        )


def program(name: str) -> str:
    """The path of one of Flower's programs, beside this Python."""
    return str(Path(sys.executable).parent / name)


def environment(home: Path) -> dict[str, str]:
    """The environment of Flower's programs: its files in ``home``, nothing is told to anybody."""
    own = {
        "FLWR_HOME": str(home),
        "FLWR_TELEMETRY_ENABLED": "0",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "PYTHONUNBUFFERED": "1",
        # Its programs start each other by name.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
    }
    return {**os.environ, **own}


def shown(words: Sequence[str], home: Path) -> str:
    """A command of Flower as a user would type it."""
    return f"FLWR_HOME={shlex.quote(str(home))} {shlex.join([Path(words[0]).name, *words[1:]])}"


def split_address(flag: str, address: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT``.

    Raises:
        ConfigError: it is not that.
    """
    host, colon, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigError(f"{flag}={address!r} is no HOST:PORT, such as learn.example.org:9092")
    return host, int(port)


def check_insecure(flag: str, host: str) -> None:
    """Without TLS anybody on the way reads and changes what is sent: on this machine only.

    Raises:
        ConfigError: the host is not this machine.
    """
    if host not in _LOOPBACK:
        raise ConfigError(
            f"--insecure is for tries on one machine, and {flag} is {host}; make certificates with "
            "'ecavg certs'"
        )


def free_port() -> int:
    """A port of this machine that nobody uses."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


_PRCTL = getattr(ctypes.CDLL(None), "prctl", None) if sys.platform == "linux" else None
_PDEATHSIG = 1


def _end_with_parent() -> None:
    """A supervisor that is killed can't end what it started: the system does it, on Linux."""
    if _PRCTL is not None:
        _PRCTL(_PDEATHSIG, signal.SIGTERM)


class Supervised:
    """A process that is started again when it dies.

    Args:
        name: what it is, for people.
        words: gives its command, anew for each start.
        env: its environment.
        log: where its output goes.
        tell: told when it dies.
        meanings: what words in its output mean, for people.
        last_words: after these in its output it does nothing more, though it does not end.
    """

    def __init__(
        self,
        name: str,
        words: Callable[[], Sequence[str]],
        env: Mapping[str, str],
        log: Path,
        tell: Callable[[str], None],
        meanings: Mapping[str, str] = MappingProxyType({}),
        last_words: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.log = log
        self._words = words
        self._env = env
        self._tell = tell
        self._meanings = meanings
        self._last_words = last_words
        self._said: deque[bytes] = deque(maxlen=_KEPT_LINES)
        self._reader: threading.Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._pause_s = 0.0
        self._again = 0.0

    @property
    def pid(self) -> int:
        """The number of its process and of all that it started as a session; 0: it does not run."""
        return 0 if self._process is None else self._process.pid

    def look(self) -> int | None:
        """Starts it where it does not run; gives the code of one that has ended by itself."""
        now = time.monotonic()
        if self._process is None:
            if now >= self._again:
                self._start()
            return None
        code = self._process.poll()
        if code is None and self._has_given_up():
            self.stop()
            self._starts_again(now, "has given up")
            return None
        if code is None:
            return None
        self._process = None
        if code == 0:
            return code
        self._starts_again(
            now, f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        )
        return code

    def _starts_again(self, now: float, how: str) -> None:
        sound = now - self._started > _SOUND_S
        self._pause_s = 1.0 if sound else min(max(2 * self._pause_s, 1.0), _LONGEST_PAUSE_S)
        self._again = now + self._pause_s
        self._tell(
            f"{self.name} {how} ({self._last_line()}); it is started again in {self._pause_s:g} s"
        )

    def stop(self) -> None:
        """Ends it, and all that it started."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        for number, seconds in ((signal.SIGTERM, 15), (signal.SIGKILL, 15)):
            try:
                os.killpg(process.pid, number)
                process.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                continue
            except ProcessLookupError:
                pass
            return

    def _start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            list(self._words()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(self._env),
            start_new_session=True,  # so that all of it can be ended
            preexec_fn=_end_with_parent,
        )
        self._said = deque(maxlen=_KEPT_LINES)
        stream = self._process.stdout
        self._reader = threading.Thread(target=self._listen, args=(stream, self._said), daemon=True)
        self._reader.start()
        self._started = time.monotonic()

    def _listen(self, stream: IO[bytes], said: deque[bytes]) -> None:
        """Keeps what it says. It must not write to a disk itself: a full one would break it."""
        with stream:
            for line in iter(lambda: stream.readline(_LONGEST_LINE), b""):
                said.append(line)
                with contextlib.suppress(OSError), self.log.open("ab") as out:
                    out.write(line)

    def _has_given_up(self) -> bool:
        said = b"".join(list(self._said)).decode("utf-8", "replace")
        return any(words in said for words in self._last_words)

    def _last_line(self) -> str:
        if self._reader is not None:
            self._reader.join(timeout=1.0)  # what it started may outlive it, and keep this open
        said = b"".join(list(self._said)).decode("utf-8", "replace")
        for words, meaning in self._meanings.items():
            if words in said:
                return meaning
        lines = said.split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
        return last[:300]
