"""A tflite-micro interpreter in another process, so that a bad model crashes only that."""

import contextlib
import importlib.util
import json
import platform
import re
import select
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from ecavg_tf.core.errors import ExportError, InstallationError
from ecavg_tf.core.template import Array
from export.micro import child

TIMEOUT_SECONDS = 120.0
_CHUNK = 32  # images a request, so that a time limit means something


def require_interpreter() -> None:
    """Says how to get the interpreter where there is none.

    Raises:
        InstallationError: the extra ``micro`` is not installed, or has no build for
            this platform.
    """
    here = f"{platform.system()} {platform.machine()}"
    if here != "Linux x86_64":
        raise InstallationError(
            f"tflite-micro's interpreter is built for Linux x86_64, and this is {here}; "
            "judge the file on such a machine (a container will do)"
        )
    if importlib.util.find_spec("tflite_micro") is None:
        raise InstallationError(
            "the tflite-micro interpreter is not installed: pip install 'ecavg-tf[micro]'"
        )


class MicroProcess:
    """Runs one model with arenas of any size; a crash is reported like any other result.

    Args:
        tflite: the model's bytes.
        timeout: seconds until a request is given up.

    Raises:
        InstallationError: there is no interpreter here.
    """

    def __init__(self, tflite: bytes, timeout: float = TIMEOUT_SECONDS) -> None:
        require_interpreter()
        self._timeout = timeout
        self._holder = tempfile.TemporaryDirectory(prefix="ecavg-micro-")
        self._folder = Path(self._holder.name)
        (self._folder / "model.tflite").write_bytes(tflite)
        self._process: subprocess.Popen[str] | None = None
        self.log = ""
        self.fault: str | None = None

    def __enter__(self) -> "MicroProcess":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()
        self._holder.cleanup()

    def works(self, arena: int) -> bool:
        """Whether the model allocates and runs with ``arena`` bytes.

        What the interpreter printed is in ``log`` afterwards, why it failed in ``fault``.
        """
        self.fault = self._ask({"arena": arena})
        return self.fault is None

    def run(self, inputs: Array, arena: int) -> Array:
        """Outputs for images, one after the other.

        Args:
            inputs: int8, shape (n, …) as the model takes them.
            arena: bytes.

        Returns:
            int8, shape (n, outputs).

        Raises:
            ExportError: the run failed, crashed or took too long.
        """
        outputs = []
        for start in range(0, len(inputs), _CHUNK):
            np.save(self._folder / "in.npy", inputs[start : start + _CHUNK])
            fault = self._ask({"arena": arena, "inputs": True})
            if fault is not None:
                raise ExportError(
                    f"tflite-micro fails on image {start} and following with an arena of "
                    f"{arena} bytes: {fault}"
                )
            outputs.append(np.load(self._folder / "out.npy", allow_pickle=False))
        return np.concatenate(outputs)

    def _ask(self, request: dict[str, Any]) -> str | None:
        """None when it went well, or one line that says what happened."""
        process = self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        stderr = self._folder / "stderr.txt"
        before = stderr.stat().st_size
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
        readable, _, _ = select.select([process.stdout], [], [], self._timeout)
        line = process.stdout.readline() if readable else ""
        if line.endswith("\n"):
            fault = json.loads(line).get("error")
        else:
            fault = self._died() if readable else f"no answer within {self._timeout:g} seconds"
            self._stop()
        with stderr.open("rb") as stream:
            stream.seek(before)
            self.log = stream.read().decode("utf-8", "replace")
        return fault if fault is None else self._explained(fault)

    def _explained(self, fault: str) -> str:
        missing = re.search(r"Didn't find op for builtin opcode '([^']*)'", self.log)
        if missing:
            return f"it has no operator {missing[1]}"
        failing = re.search(r"Node (\S+) \(number (\d+)\) failed to (\w+)", self.log)
        if failing and not memory_ran_out(self.log):
            return f"operator {failing[2]}, {failing[1]}, fails to {failing[3]}"
        return fault

    def _died(self) -> str:
        assert self._process is not None
        code = self._process.wait()
        if code < 0:
            return f"its process ended by signal {-code}"
        last = (self._folder / "stderr.txt").read_text(errors="replace").strip().split("\n")[-1]
        return f"its process ended with exit code {code} ({last})"

    def _started(self) -> "subprocess.Popen[str]":
        if self._process is None:
            with (self._folder / "stderr.txt").open("wb") as stderr:
                self._process = subprocess.Popen(
                    _command(self._folder),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    encoding="utf-8",
                )
        return self._process

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()
            self._process = None


def memory_ran_out(log: str) -> bool:
    """Whether tflite-micro printed that the arena was too small."""
    return re.search(r"Failed to (allocate|resize)|missing: ?\d|too small", log) is not None


def _command(folder: Path) -> Sequence[str]:
    # -P: the script's own folder has no place on the import path.
    return [sys.executable, "-P", str(child.__file__), str(folder)]
