"""Kills real processes at random moments and compares what the runs end with.

    python benchmarks/kills.py --out=runs/kills [--cases=quickstart:120,mobilenet_v2:20,folder:60]

Each case is played once undisturbed, then again and again with SIGKILL at random moments, several
times a run; the killed process is started again by the same command at once. In the folder fleet
one of three processes is killed, the server or an edge, while the others go on. Of every run is
compared: the hashes of its weights and arrays, the bytes of its exported files and its set of
files; and it must have left no lock, no temporary file, no process, and have trained no finished
epoch again (an epoch that two starts of a process say they finished).

Processes are forked from one that has imported TensorFlow and has not used it, so that most kills
hit the run and not the import. Every run is a line in ``OUT/CASE.jsonl``; started again, the
program goes on after them.
"""

import argparse
import fcntl
import hashlib
import json
import multiprocessing
import os
import random
import re
import shutil
import sys
import time
import zipfile
from collections import Counter
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from ecavg_tf.core.files import TEMPORARY_PREFIX
from ecavg_tf.core.messages.update_file import TensorFile
from ecavg_tf.core.template import weights_sha256

DIGITS = """
import keras
import numpy as np
from ecavg_tf.config import Config, FleetKind, PartitionKind
from sklearn.datasets import load_digits


def pictures():
    # Digits of 32 x 32 pixels: the first 400 to train with, the next 100 to test with.
    found = load_digits()
    inputs = np.repeat(np.repeat(found.images, 4, 1), 4, 2)[..., None].astype(np.uint8)
    return (inputs[:400], found.target[:400]), (inputs[400:500], found.target[400:500])


def narrow(spec):
    return keras.applications.MobileNetV2(
        spec.input_shape, alpha=0.1, weights=None, classes=spec.num_classes
    )


def get_config() -> Config:
    config = Config()
    config.partition.kind = PartitionKind.CLASSES
"""
CASES = {
    # As configs/two_edges.py is, but for the number of files that it exports.
    "quickstart": """
    config.edge.epochs = config.server.epochs = 10
    config.export.enabled = True
    config.export.formats = "float32"
    return config
""",
    "mobilenet_v2": """
    config.data.name, config.model.name = "case:pictures", "case:narrow"
    config.edge.epochs = config.server.epochs = 3
    return config
""",
    "folder": """
    config.rounds = 2
    config.edge.epochs = config.server.epochs = 10
    config.fleet.timeout_s = 300
    config.fleet.kind, config.fleet.folder = FleetKind.FOLDER, "exchange"
    return config
""",
}
EDGES = ("edge-00", "edge-01")
KILLS_A_RUN = 10
MODULES = ["tensorflow", "keras", "sklearn.datasets", "ecavg_tf.rounds.loop"]
_NAMED = ("bundle.json", "model.tflite")  # they tell the run's name
_EPOCH = re.compile(r"round \d+: \S+ epoch \d+/\d+")


def commands(case: str) -> dict[str, list[str]]:
    """The command lines of a run, by who they are."""
    found = {"server": ["run", "--config=case.py", "--workdir=server"]}
    for edge in EDGES if case == "folder" else ():
        found[edge] = ["edge", "--config=case.py", f"--edge={edge}", "--workdir=edges"]
    return found


def ecavg(folder: Path, who: str, arguments: list[str]) -> None:
    """What a process does: ``ecavg`` in a folder; what it says is appended to a file."""
    os.chdir(folder)
    output = os.open(f"{who}.out", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(output, 1)
    os.dup2(output, 2)
    from ecavg_tf.cli import main

    sys.exit(main(arguments))


class Cast:
    """The processes of one run.

    Args:
        folder: where they run.
        case: a key of ``CASES``.
    """

    def __init__(self, folder: Path, case: str) -> None:
        self._folder = folder
        self._commands = commands(case)
        self._fork = multiprocessing.get_context("forkserver")
        self._fork.set_forkserver_preload(MODULES)
        self.running = {who: self.started(who) for who in self._commands}

    def started(self, who: str) -> ForkServerProcess:
        """Starts a process."""
        process = self._fork.Process(target=ecavg, args=(self._folder, who, self._commands[who]))
        process.start()
        return process

    def killed(self, who: str, delay: float) -> bool:
        """Kills a process after a while and starts it again; False: it ended before."""
        process = self.running[who]
        process.join(delay)
        ended = process.exitcode is not None
        if not ended:
            process.kill()
            process.join()
        self.running[who] = self.started(who)
        return not ended

    def codes(self) -> dict[str, int | None]:
        """Waits until all have ended; their exit codes."""
        for process in self.running.values():
            process.join(600)
        return {who: process.exitcode for who, process in self.running.items()}


def play(folder: Path, case: str, delays: list[tuple[str, float]]) -> dict[str, Any]:
    """Plays a run; each of ``delays`` kills a process so many seconds after the last kill."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "case.py").write_text(DIGITS + CASES[case])
    began = time.monotonic()
    cast = Cast(folder, case)
    kills = [who for who, delay in delays if cast.killed(who, delay)]
    codes = cast.codes()
    seconds = round(time.monotonic() - began, 1)
    return {"kills": len(kills), "who": kills, "seconds": seconds, "codes": codes, **ended(folder)}


def ended(folder: Path) -> dict[str, Any]:
    """What a run left: hashes, names of files, and what should not be there."""
    path = folder / "server" / "results.json"
    nothing = {"status": "none", "rounds": []}
    results: dict[str, Any] = json.loads(path.read_text()) if path.exists() else nothing
    weights = [
        [
            each["server"]["global"]["weights_sha256"],
            each["pooled_bytes"],
            *(edge["accepted"] and edge["accepted"]["weights_sha256"] for edge in each["edges"]),
        ]
        for each in results["rounds"]
    ]
    run = json.loads((folder / "server" / "environment.json").read_text()).get("run_id", "")
    found = [path for path in folder.rglob("*") if path.is_file()]
    return {
        "status": results["status"],
        "weights": weights,
        "files": sorted(
            str(path.relative_to(folder))
            for path in found
            if path.suffix not in (".out", ".pyc") and path.name != f"{TEMPORARY_PREFIX}lock"
        ),
        "hashes": {
            str(path.relative_to(folder)): hashed for path in found if (hashed := _of(path, run))
        },
        "locked": [str(path) for path in found if path.name.endswith("lock") and _is_locked(path)],
        "temporary": [
            str(path)
            for path in found
            if path.name.startswith(TEMPORARY_PREFIX) and not path.name.endswith("lock")
        ],
        "processes": _left(folder),
        "repeated": _repeated(folder),
    }


def _of(path: Path, run: str) -> str:
    """A hash of a file's arrays or bytes, the run's random name left out; empty for others."""
    if path.suffix == ".safetensors":
        tensors = TensorFile(path)
        return weights_sha256([tensors[key] for key in sorted(tensors.keys)])
    if path.suffix not in (".tflite", ".zip"):
        return ""
    with zipfile.ZipFile(path) as archive:  # a .tflite file ends with one, of its labels
        # A bundle's model lies beside it, and its hash is in bundle.json.
        names = [name for name in archive.namelist() if name not in _NAMED]
        parts = [archive.read(name) for name in names]
    parts.append(path.read_bytes().partition(b"PK\x03\x04")[0])
    return hashlib.sha256(b"".join(part.replace(run.encode(), b"") for part in parts)).hexdigest()


def _is_locked(path: Path) -> bool:
    with path.open() as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _left(folder: Path) -> list[str]:
    """Processes that still work in a folder; children of a killed one get 20 s to see it."""
    deadline = time.monotonic() + 20
    while True:
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if (process / "cwd").readlink().is_relative_to(folder):
                    found.append((process / "cmdline").read_text().replace("\0", " "))
            except OSError:  # it ended, or is another user's
                continue
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.5)


def _repeated(folder: Path) -> list[str]:
    """Epochs that were finished more than once."""
    said = [name for path in folder.glob("*.out") for name in _EPOCH.findall(path.read_text())]
    return [name for name, times in Counter(said).items() if times > 1]


def differences(run: dict[str, Any], whole: dict[str, Any]) -> list[str]:
    """In what a run differs from the one that was never killed."""
    found = [f"{who} exits with {code}" for who, code in run["codes"].items() if code != 0]
    found += [name for name in ("status", "weights", "hashes") if run[name] != whole[name]]
    found += sorted(set(run["files"]) ^ set(whole["files"]))
    for name in ("locked", "temporary", "processes", "repeated"):
        found += [f"{name}: {one}" for one in run[name]]
    return found


def campaign(out: Path, case: str, kills: int, seed: int, until: float) -> None:
    """Kills until ``kills`` are done; goes on after what is recorded."""
    record = out / f"{case}.jsonl"
    lines = record.read_text().splitlines() if record.exists() else []
    runs = [json.loads(line) for line in lines]
    who = list(commands(case))
    while not runs or sum(run["kills"] for run in runs) < kills:
        if time.monotonic() > until:
            return
        chance = random.Random(f"{seed} {case} {len(runs)}")
        latest = 0.5 * runs[0]["seconds"] / len(who) if runs else 0.0
        left = KILLS_A_RUN if runs else 0
        delays = [(chance.choice(who), chance.uniform(0.1, latest)) for _ in range(left)]
        runs.append(play(out.resolve() / case, case, delays))
        if not lines and (found := differences(runs[0], runs[0])):
            raise SystemExit(f"{case} fails by itself: {', '.join(found)}; see {out / case}")
        lines.append("")
        with record.open("a") as stream:
            stream.write(json.dumps(runs[-1]) + "\n")
        said = differences(runs[-1], runs[0]) or "equal"
        print(f"{case}: {runs[-1]['kills']} kills, {runs[-1]['seconds']} s, {said}", flush=True)


def table(out: Path, cases: list[str]) -> None:
    """Prints the figures of each case."""
    print("| case | runs | kills | equal | differ | locks, temporary files, processes left | "
          "epochs repeated | seconds, undisturbed |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|")
    for case in (case for case in cases if (out / f"{case}.jsonl").exists()):
        whole, *others = [json.loads(line) for line in (out / f"{case}.jsonl").open()]
        bad = [found for run in others if (found := differences(run, whole))]
        left = sum(
            len(run[name]) for run in others for name in ("locked", "temporary", "processes")
        )
        repeated = sum(len(run["repeated"]) for run in others)
        print(
            f"| {case} | {len(others)} | {sum(run['kills'] for run in others)} | "
            f"{len(others) - len(bad)} | {len(bad)} | {left} | {repeated} | {whole['seconds']} |"
        )
        for found in bad:
            print(f"  differs: {', '.join(found)}")


def main() -> None:
    """Plays the campaigns one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", default="quickstart:120,mobilenet_v2:20,folder:60")
    parser.add_argument("--minutes", type=float, default=60.0, help="no new run after these")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    words = parser.parse_args()
    until = time.monotonic() + 60 * words.minutes
    words.out.mkdir(parents=True, exist_ok=True)
    wanted = dict(word.split(":") for word in words.cases.split(","))
    for case, kills in wanted.items():
        campaign(words.out, case, int(kills), words.seed, until)
    table(words.out, list(wanted))


if __name__ == "__main__":
    main()
