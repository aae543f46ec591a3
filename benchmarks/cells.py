"""Measures commands one by one on Linux; a cell that was measured is not measured again."""

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ecavg_tf.core.files import write_json

_LOOK_S = 0.2  # between two looks at the processes
# After their memory was added up, it is not again for this many times as long: the system walks all
# their pages for it. A peak that is shorter may be missed.
_RESTS = 20


@dataclass(frozen=True)
class Cost:
    """What a command cost, all processes that it started included.

    Attributes:
        wall: seconds.
        cpu: seconds of all its processes.
        memory: MB, the most that all of them had at one time, what they share counted once.
        lines: what it printed that begins with ``cell:``, without that.
    """

    wall: float
    cpu: float
    memory: float
    lines: tuple[str, ...]


def measured(name: str, command: Sequence[str], workdir: Path, **environment: str) -> Cost:
    """Runs a command and measures it, unless ``workdir`` holds what came of it before.

    Raises:
        SystemExit: it failed.
    """
    kept = workdir / f"{name}.json"
    if kept.exists():
        known = json.loads(kept.read_text())
        return Cost(**{**known, "lines": tuple(known["lines"])})
    workdir.mkdir(parents=True, exist_ok=True)
    log = workdir / f"{name}.log"
    with log.open("wb") as written:
        began = time.monotonic()
        process = subprocess.Popen(
            command, stdout=written, stderr=subprocess.STDOUT, env={**os.environ, **environment}
        )
        memory, cpu = _watched(process)
        wall = time.monotonic() - began
    if process.returncode:
        raise SystemExit(f"{name} ended with {process.returncode}; see {log}")
    lines = log.read_text(errors="replace").splitlines()
    told = tuple(line.removeprefix("cell:") for line in lines if line.startswith("cell:"))
    cost = Cost(wall, cpu, memory, told)
    write_json(kept, asdict(cost))
    return cost


def _watched(process: subprocess.Popen[bytes]) -> tuple[float, float]:
    """The most memory at one time, MB, and all CPU seconds, until a process has ended."""
    most, next_sum, spent = 0.0, 0.0, {}
    while process.poll() is None:
        family = _family(process.pid)
        for pid in family:
            with contextlib.suppress(OSError):  # it has just ended
                begun, seconds = _cpu(pid)
                spent[pid, begun] = seconds
        if (began := time.monotonic()) >= next_sum:
            most = max(most, sum(map(_pss, family)))
            took = time.monotonic() - began
            next_sum = began + _RESTS * took
        time.sleep(_LOOK_S)
    return most, sum(spent.values())


def _stat(pid: int) -> list[str]:
    """What /proc says of a process, from its state on (proc(5): field 3)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _family(root: int) -> list[int]:
    """A process and all that it started."""
    parents: dict[int, int] = {}
    for name in (path.name for path in Path("/proc").iterdir()):
        if name.isdigit():
            with contextlib.suppress(OSError):
                parents[int(name)] = int(_stat(int(name))[1])
    found = [root]
    for pid in found:  # which grows meanwhile
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def _cpu(pid: int) -> tuple[str, float]:
    """When a process began, and its CPU seconds."""
    fields = _stat(pid)
    return fields[19], (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _pss(pid: int) -> float:
    """MB of memory, of what is shared its share; 0 of a process that has just ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0
