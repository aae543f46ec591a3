"""Fuzzes readers of files that come from elsewhere, guided by coverage (atheris, libFuzzer).

    pip install -e '.[fuzz]'
    python tests/fuzz/fuzz.py                          # every target, 10 seconds each
    python tests/fuzz/fuzz.py update npz --seconds=600

Prints a line for each target: executions, coverage, and findings. An input that a reader does not
refuse as it should is kept in ``--findings``, and the exit code is 1. What a target asserts is in
``fuzz_guard.py``: nothing but the package's own errors, a time and a memory limit for each input,
and no file outside of its place.
"""

import argparse
import contextlib
import importlib
import importlib.util
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TARGETS = (
    *("update", "messages", "bundle", "training_bundle", "run_directory"),
    *("npz", "images", "csv", "tflite", "device"),
)
_PACKAGES = ["ecavg_tf", "edge", "server", "export"]
_ONE = "--one"  # this program's word for a target's own process
_MEMORY = Path("/dev/shm")  # files there need no disk
_HANGS = 60  # seconds without an end; the limit on a processor's time is far lower
_LARGEST_INPUT = 2**17
_MOST_RESIDENT = 4096  # MiB; libFuzzer stops a target that holds more


@dataclass(frozen=True)
class Row:
    """What became of one target."""

    target: str
    executions: int
    edges: int
    features: int
    corpus: int
    seconds: float
    findings: tuple[Path, ...]
    said: str


def main(arguments: Sequence[str]) -> int:
    """Runs the targets one after the other, each in a process of its own."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=10, help="for each target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"))
    given = parser.parse_args(arguments)
    if unknown := sorted(set(given.targets) - set(TARGETS)):
        parser.error(f"{unknown[0]!r} is none of {', '.join(TARGETS)}")
    if importlib.util.find_spec("atheris") is None:
        parser.error("atheris is not installed: pip install -e '.[fuzz]' (Linux, x86-64)")
    print(f"{'target':16} {'executions':>10} {'edges':>6} {'features':>8} {'corpus':>6} {'s':>5}")
    rows = []
    for target in given.targets or TARGETS:
        row = _run(target, given.seconds, given.seed, given.findings.resolve())
        rows.append(row)
        print(
            f"{row.target:16} {row.executions:10} {row.edges:6} {row.features:8} "
            f"{row.corpus:6} {row.seconds:5.0f}",
            flush=True,
        )
        for path in row.findings:
            print(f"  FINDING {path}\n{row.said}", flush=True)
    found = sum(len(row.findings) for row in rows)
    print(f"{found} findings")
    return 1 if found else 0


def _run(target: str, seconds: int, seed: int, findings: Path) -> Row:
    """One target, from the corpus in the repository."""
    findings.mkdir(parents=True, exist_ok=True)
    before = set(findings.iterdir())
    home = _MEMORY if _MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=home) as folder:
        grown = Path(folder) / "corpus"
        shutil.copytree(HERE / "corpus" / target, grown)
        command = [sys.executable, __file__, _ONE, target, str(grown)]
        command += [f"-max_total_time={seconds}", f"-seed={seed}", "-print_final_stats=1"]
        command += [f"-timeout={_HANGS}", f"-rss_limit_mb={_MOST_RESIDENT}"]
        # libFuzzer means seconds on the clock, which a busy machine takes; the guard counts those
        # of a processor.
        command += [f"-report_slow_units={_HANGS}"]
        command += [f"-max_len={_LARGEST_INPUT}", f"-artifact_prefix={findings / target}-"]
        began = time.monotonic()
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "TMPDIR": folder, "CUDA_VISIBLE_DEVICES": "-1"},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds + 600,
            check=False,
        )
        took = time.monotonic() - began
    made = tuple(sorted(set(findings.iterdir()) - before))
    told = _told(done.stderr)
    if done.returncode and not made:
        raise SystemExit(
            f"{target} does not run (exit code {done.returncode}):\n{done.stderr[-3000:]}"
        )
    if not any(findings.iterdir()):
        findings.rmdir()
    said = "\n".join(line for line in done.stderr.splitlines() if not line.startswith("#"))
    said += done.stdout
    return Row(target, *told, took, made, said[-3000:] if made else "")


def _told(said: str) -> tuple[int, int, int, int]:
    """Executions, edges, features and the corpus' size, from libFuzzer's last words."""
    executed = re.search(r"number_of_executed_units: (\d+)", said)
    lines = re.findall(r"^#(\d+)\s+\S+\s+cov: (\d+) ft: (\d+) corp: (\d+)", said, re.MULTILINE)
    count, edges, features, corpus = map(int, lines[-1]) if lines else (0, 0, 0, 0)
    return int(executed[1]) if executed else count, edges, features, corpus


def _fuzz(target: str, arguments: list[str]) -> None:
    """Never returns: libFuzzer ends the process."""
    import atheris

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.path.insert(0, str(HERE))
    with atheris.instrument_imports(include=_PACKAGES):
        module: Any = importlib.import_module(f"fuzz_{target}")
        guard_of = importlib.import_module("fuzz_guard").Guard
    getattr(module, "prepare", lambda: None)()
    os.fsync = _no_disk  # what is on a disk after a power loss is no question here
    root = Path(tempfile.mkdtemp(prefix=f"fuzz-{target}-"))
    place = root / "place"
    place.mkdir()
    guard = guard_of(place)

    def one_input(data: bytes) -> None:
        for reader in module.READERS:
            _emptied(place)
            module.lay(place, data)
            with guard():
                reader(place)

    def mutated(data: bytes, most: int, seed: int) -> bytes:
        rng = random.Random(seed)

        def mutate(part: bytes) -> bytes:
            changed: bytes = atheris.Mutate(part, min(most, max(64, 2 * len(part))))
            return changed

        if rng.randrange(16) == 0:
            return mutate(data)[:most]
        try:
            made: bytes = module.mutated(data, rng, mutate)
        except Exception:  # it has been changed too often to be taken apart
            made = mutate(data)
        return made if len(made) <= most else data

    atheris.Setup([sys.argv[0], *arguments], one_input, custom_mutator=mutated)
    atheris.Fuzz()


def _no_disk(fd: Any) -> None:
    del fd


def _emptied(place: Path) -> None:
    for item in place.iterdir():
        if item.is_dir() and not item.is_symlink():
            shutil.rmtree(item, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                item.unlink()


if __name__ == "__main__":
    if sys.argv[1:2] == [_ONE]:
        _fuzz(sys.argv[2], sys.argv[3:])
    sys.exit(main(sys.argv[1:]))
