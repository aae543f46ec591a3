"""A tflite-micro interpreter in another process, so that a bad model crashes only that."""

import importlib.util
import platform
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from ecavg_tf.core.errors import ExportError, InstallationError
from ecavg_tf.core.template import Array
from export.child_process import ChildFault, ChildProcess
from export.micro import child

TIMEOUT_SECONDS = 120.0
_CHUNK = 32  # examples a request, so that a time limit means something


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
        ports: how many inputs the model has.

    Raises:
        InstallationError: there is no interpreter here.
    """

    def __init__(self, tflite: bytes, timeout: float = TIMEOUT_SECONDS, *, ports: int = 1) -> None:
        require_interpreter()
        self._ports = ports
        self._timeout = timeout
        self._holder = tempfile.TemporaryDirectory(prefix="ecavg-micro-")
        self._folder = Path(self._holder.name)
        (self._folder / "model.tflite").write_bytes(tflite)
        self._child = ChildProcess(_command(self._folder))
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
        self._child.stop()
        self._holder.cleanup()

    def works(self, arena: int) -> bool:
        """Whether the model allocates and runs with ``arena`` bytes.

        What the interpreter printed is in ``log`` afterwards, why it failed in ``fault``.
        """
        self.fault = self._ask({"arena": arena, "ports": self._ports})
        return self.fault is None

    def run(self, inputs: Array, arena: int) -> Array:
        """Outputs for examples, one after the other.

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
                    f"tflite-micro fails on example {start} and following with an arena of "
                    f"{arena} bytes: {fault}"
                )
            outputs.append(np.load(self._folder / "out.npy", allow_pickle=False))
        return np.concatenate(outputs)

    def steps(
        self,
        inputs: Mapping[int, Array],
        fed: Mapping[int, int],
        *,
        steps: int,
        outputs: int,
        arena: int,
    ) -> tuple[Array, ...]:
        """Training steps, each with what the one before gave.

        Args:
            inputs: an array for each input, by its number, shape (m, …); step ``s`` takes row
                ``s % m``.
            fed: outputs that inputs get from the second step on, by the inputs' numbers.
            steps: how many.
            outputs: how many outputs the model has.
            arena: bytes.

        Returns:
            Every output of every step, shape (steps, …).

        Raises:
            ExportError: the run failed, crashed or took too long.
        """
        with (self._folder / "in.npz").open("wb") as stream:
            named: dict[str, Any] = {str(number): each for number, each in inputs.items()}
            np.savez(stream, **named)
        request = {"arena": arena, "steps": steps, "outputs": outputs, "fed": dict(fed)}
        fault = self._ask(request)
        if fault is not None:
            raise ExportError(f"tflite-micro fails on {steps} training steps: {fault}")
        with np.load(self._folder / "out.npz", allow_pickle=False) as stored:
            return tuple(stored[str(number)] for number in range(outputs))

    def _ask(self, request: dict[str, Any]) -> str | None:
        """None when it went well, or one line that says what happened."""
        try:
            self._child.ask(request, self._timeout)
        except ChildFault as fault:
            return self._explained(str(fault))
        finally:
            self.log = self._child.log
        return None

    def _explained(self, fault: str) -> str:
        log = self._child.log
        missing = re.search(r"Didn't find op for builtin opcode '([^']*)'", log)
        if missing:
            return f"it has no operator {missing[1]}"
        failing = re.search(r"Node (\S+) \(number (\d+)\) failed to (\w+)", log)
        if failing and not memory_ran_out(log):
            return f"operator {failing[2]}, {failing[1]}, fails to {failing[3]}"
        return fault


def memory_ran_out(log: str) -> bool:
    """Whether tflite-micro printed that the arena was too small."""
    return re.search(r"Failed to (allocate|resize)|missing: ?\d|too small", log) is not None


def _command(folder: Path) -> Sequence[str]:
    # -P: the script's own folder has no place on the import path.
    return [sys.executable, "-P", str(child.__file__), str(folder)]
