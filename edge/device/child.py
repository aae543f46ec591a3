"""Running a part of this package in a process of its own, which may crash."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ecavg_tf.core.errors import ExportError
from ecavg_tf.core.files import load_json

TIMEOUT_S = 300.0


def ask_child(
    module: str, arguments: Sequence[str], *, what: str, timeout_s: float = TIMEOUT_S
) -> Mapping[str, Any]:
    """Runs ``python -m module`` and reads the JSON object that is its last line.

    Args:
        module: a module of this package.
        arguments: its arguments.
        what: what it looks at, for the errors.
        timeout_s: seconds before it is stopped.

    Returns:
        What it printed.

    Raises:
        ExportError: it crashed, took too long, or says that the file is not sound.
    """
    home = str(Path(__file__).resolve().parent.parent)
    known = os.environ.get("PYTHONPATH", "")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, (home, known))),
        # A folder with a stranger's bundle may hold a stranger's json.py, too.
        "PYTHONSAFEPATH": "1",
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            capture_output=True,
            env=environment,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ExportError(
            f"{what} did not answer within {timeout_s:g} s in a process of its own; don't use it"
        ) from error
    try:
        last = done.stdout.decode("utf-8", "replace").splitlines()[-1]
        answer = dict(load_json(last))
    except (IndexError, ValueError, TypeError) as error:
        raise ExportError(
            f"{what} crashes the runtime ({_ending(done.returncode)}); don't use it, or install "
            "a newer runtime"
        ) from error
    if "error" in answer:
        raise ExportError(f"{what}: {answer['error']}")
    return answer


def _ending(code: int) -> str:
    if code == -signal.SIGKILL:
        return f"killed by signal {-code}, as the system does when memory runs out"
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"
