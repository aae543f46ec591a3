"""Flower's SuperLink: its command, its connection, and the keys that it knows."""

import json
import shlex
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecavg_tf.core.errors import RoundError, WorkdirError, brief
from ecavg_tf.core.files import file_sha256, read_json, write_json, write_text
from ecavg_tf.core.flower import environment, program

CONNECTION = "ecavg"
_SECONDS = 60  # for one of Flower's short commands


@dataclass(frozen=True)
class SuperLink:
    """Where a SuperLink listens and keeps its files.

    Attributes:
        state: the folder of ``ecavg serve --state``.
        certs: the folder of ``ecavg certs``; None: no TLS and no keys, on loopback alone.
        host: the address to listen on.
        port: the port.
    """

    state: Path
    certs: Path | None
    host: str
    port: int

    @property
    def home(self) -> Path:
        """Flower's own folder."""
        return home_of(self.state)

    def words(self) -> list[str]:
        """The command that starts it."""
        words = [program("flower-superlink"), "--host", self.host, "--port", str(self.port)]
        words += ["--database", str(self.state / "superlink.db")]
        words += ["--disable-runtime-dependency-installation"]
        if self.certs is None:
            return [*words, "--insecure"]
        for flag, name in (("certfile", "server.pem"), ("keyfile", "server.key")):
            words += [f"--ssl-{flag}", str(self.certs / name)]
        return [*words, "--ssl-ca-certfile", str(self.certs / "ca.pem"), "--enable-supernode-auth"]

    def write_connection(self) -> None:
        """Writes how ``flwr run`` and ``ecavg run`` on this machine reach it."""
        local = "127.0.0.1" if self.host in ("0.0.0.0", "::", "localhost") else self.host
        lines = ["[superlink]", f'default = "{CONNECTION}"', "", f"[superlink.{CONNECTION}]"]
        lines += [f"address = {json.dumps(f'{local}:{self.port}')}"]
        if self.certs is None:
            lines += ["insecure = true"]
        else:
            lines += [f"root-certificates = {json.dumps(str(self.certs / 'ca.pem'))}"]
        write_text(self.home / "config.toml", "\n".join(lines) + "\n")

    def register_keys(self, tell: Callable[[str], None]) -> None:
        """Makes the keys that it knows those of ``certs/edges/*.pub``.

        Raises:
            RoundError: it does not answer (yet).
        """
        if self.certs is None:
            return
        record = self.state / "keys.json"
        known: dict[str, dict[str, str]] = read_json(record) if record.exists() else {}
        keys = {path.stem: path for path in sorted((self.certs / "edges").glob("*.pub"))}
        hashes = {edge: file_sha256(path) for edge, path in keys.items()}
        for edge in sorted(known):
            if hashes.get(edge) != known[edge]["sha256"]:
                flwr(self.home, ["supernode", "unregister", known[edge]["node"], CONNECTION])
                tell(f"the former key of {edge} is valid no more")
                write_json(record, known := {name: known[name] for name in known if name != edge})
        for edge in sorted(keys.keys() - known.keys()):
            words = ["supernode", "register", str(keys[edge]), CONNECTION, "--name", edge]
            node = str(flwr(self.home, words).get("node-id"))
            tell(f"registered the key of {edge}; by hand: {shlex.join(['flwr', *words])}")
            write_json(record, known := known | {edge: {"node": node, "sha256": hashes[edge]}})


def home_of(state: Path) -> Path:
    """Flower's own folder in the folder of ``ecavg serve --state``."""
    return state / "flower"


def check_served(state: Path) -> None:
    """Checks that a server has its state in a folder.

    Raises:
        WorkdirError: none has.
    """
    if not (home_of(state) / "config.toml").exists():
        raise WorkdirError(
            f"{state} is not the state of a server; start one with 'ecavg serve --state={state}', "
            "or mend --config.fleet.server"
        )


def flwr(home: Path, words: Sequence[str]) -> dict[str, Any]:
    """Runs one of Flower's short commands, and gives what it answers.

    Raises:
        RoundError: it fails, or takes too long.
    """
    return Question(home, words).answer()


class Question:
    """One of Flower's short commands, which takes seconds, while other things go on.

    Args:
        home: Flower's own folder.
        words: of the command ``flwr``.
    """

    def __init__(self, home: Path, words: Sequence[str]) -> None:
        self._word = words[0]
        self._until = time.monotonic() + _SECONDS
        self._process = subprocess.Popen(
            [program("flwr"), *words, "--format", "json"],
            env=environment(home), text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def is_answered(self) -> bool:
        """Whether there is an answer, or there will be none any more."""
        return self._process.poll() is not None or time.monotonic() > self._until

    def answer(self) -> dict[str, Any]:
        """Waits for what it answers.

        Raises:
            RoundError: it fails, or takes too long.
        """
        left = max(0.0, self._until - time.monotonic())
        try:
            output, errors = self._process.communicate(timeout=left)
            answer = _json_in(output)
        except (ValueError, subprocess.TimeoutExpired) as error:
            raise RoundError(f"'flwr {self._word}' gives no answer: {brief(error)}") from error
        finally:
            self.drop()
        if self._process.returncode or not answer.get("success", True):
            why = str(answer.get("error-message") or errors or output)
            raise RoundError(f"'flwr {self._word}' fails: {brief(ValueError(why))}")
        return answer

    def drop(self) -> None:
        """Ends it, if nobody wants to know any more."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


def _json_in(text: str) -> dict[str, Any]:
    """The JSON object in what was printed, which may hold other lines before it."""
    start = text.find("{")
    if start < 0:
        raise ValueError(text.strip() or "it printed nothing")
    value, _ = json.JSONDecoder().raw_decode(text[start:])
    assert isinstance(value, dict)
    return value
