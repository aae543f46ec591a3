"""Kills real processes at random moments and compares what the runs end with.

    python benchmarks/kills.py --kills=60 --folder-kills=20 --minutes=10 --out=runs/kills

A run of quickstart size (``configs/digits.py``) is played once undisturbed, then again and again
with SIGKILL at a random moment of each start, up to three times a run, and a last start that is
left to end. Its weights and its set of files must be those of the undisturbed run. In the folder
fleet one of three processes is killed: the server or an edge. Every finished run is a line in
``FLEET.jsonl``; started again, the program goes on after them.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

CONFIG = """
from ecavg_tf.config import Config, FleetKind, PartitionKind


def get_config() -> Config:
    config = Config()
    config.rounds = 2
    config.partition.kind = PartitionKind.CLASSES
    config.edge.epochs = config.server.epochs = 10
    config.fleet.timeout_s = 300
    config.fleet.folder = {folder!r}
    config.fleet.kind = FleetKind.{kind}
    return config
"""
EDGES = ("edge-00", "edge-01")
KILLS_A_RUN = 3


def commands(folder: Path, fleet: str) -> dict[str, list[str]]:
    """The processes of a run in ``folder``, by who they are."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "conf.py"
    exchange = str(folder / "exchange") if fleet == "folder" else ""
    config.write_text(CONFIG.format(folder=exchange, kind=fleet.upper()))
    ecavg = [sys.executable, "-m", "ecavg_tf"]
    found = {"server": [*ecavg, "run", f"--config={config}", f"--workdir={folder / 'server'}"]}
    for edge in EDGES if fleet == "folder" else ():
        words = [f"--config={config}", f"--edge={edge}", f"--workdir={folder / 'edges'}"]
        found[edge] = [*ecavg, "edge", *words]
    return found


def start(folder: Path, who: str, command: list[str]) -> subprocess.Popen[bytes]:
    """Starts a process, whose output is appended to a file."""
    with (folder / f"{who}.out").open("ab") as output:
        return subprocess.Popen(command, stdout=output, stderr=output)


def play(folder: Path, fleet: str, delays: list[tuple[str, float]]) -> dict[str, Any]:
    """Plays a run; each of ``delays`` kills a process so many seconds after it was started."""
    wanted = commands(folder, fleet)
    began, killed = time.monotonic(), 0
    running = {who: start(folder, who, command) for who, command in wanted.items()}
    for who, delay in delays:
        try:
            running[who].wait(timeout=delay)  # ended before its time
        except subprocess.TimeoutExpired:
            running[who].kill()
            running[who].wait()
            killed += 1
        running[who] = start(folder, who, wanted[who])
    codes = {who: process.wait(timeout=600) for who, process in running.items()}
    return {
        "kills": killed,
        "seconds": round(time.monotonic() - began, 1),
        "codes": codes,
        **ended(folder),
    }


def ended(folder: Path) -> dict[str, Any]:
    """What a run left: hashes of weights, pooled bytes, and names of files."""
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
    files = sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".out"
    )
    return {"status": results["status"], "weights": weights, "files": files}


def differences(run: dict[str, Any], whole: dict[str, Any]) -> list[str]:
    """In what a run differs from the one that was never killed."""
    found = [f"{who} exits with {code}" for who, code in run["codes"].items() if code]
    found += [name for name in ("status", "weights") if run[name] != whole[name]]
    return found + sorted(set(run["files"]) ^ set(whole["files"]))


def campaign(out: Path, fleet: str, kills: int, until: float, seed: int) -> None:
    """Kills until ``kills`` are done or the time is up; goes on after what is recorded."""
    record = out / f"{fleet}.jsonl"
    lines = record.read_text().splitlines() if record.exists() else []
    runs = [json.loads(line) for line in lines]
    if not runs:
        runs.append(fresh(out, fleet, []))
        record.write_text(json.dumps(runs[0]) + "\n")
    whole = runs[0]
    while sum(run["kills"] for run in runs) < kills and time.monotonic() < until:
        chance = random.Random(f"{seed} {fleet} {len(runs)}")
        who = ["server"] if fleet == "local" else ["server", *EDGES]
        delays = [
            (chance.choice(who), chance.uniform(0.2, whole["seconds"] / 2))
            for _ in range(KILLS_A_RUN)
        ]
        runs.append(fresh(out, fleet, delays))
        with record.open("a") as stream:
            stream.write(json.dumps(runs[-1]) + "\n")
        print(f"{fleet}: {runs[-1]['kills']} kills, {differences(runs[-1], whole) or 'equal'}")
    table(fleet, runs)


def fresh(out: Path, fleet: str, delays: list[tuple[str, float]]) -> dict[str, Any]:
    """A run in a folder of its own, which is removed where all went well."""
    folder = out / fleet
    shutil.rmtree(folder, ignore_errors=True)
    return play(folder, fleet, delays)


def table(fleet: str, runs: list[dict[str, Any]]) -> None:
    """Prints the figures of a fleet."""
    whole, *others = runs
    bad = [found for run in others if (found := differences(run, whole))]
    print("| fleet | runs | kills | equal | differ | seconds, undisturbed |")
    print("|---|---|---|---|---|---|")
    print(
        f"| {fleet} | {len(others)} | {sum(run['kills'] for run in others)} | "
        f"{len(others) - len(bad)} | {len(bad)} | {whole['seconds']} |"
    )
    for found in bad:
        print(f"  differs: {', '.join(found)}")


def main() -> None:
    """Plays both campaigns."""
    parser = argparse.ArgumentParser(description="Kills processes at random moments.")
    parser.add_argument("--kills", type=int, default=60, help="of runs in one process")
    parser.add_argument("--folder-kills", type=int, default=20, help="of runs over a folder")
    parser.add_argument("--minutes", type=float, default=10.0, help="no new run after these")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/kills"))
    words = parser.parse_args()
    words.out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    for fleet, kills, share in (("local", words.kills, 0.5), ("folder", words.folder_kills, 1.0)):
        campaign(words.out, fleet, kills, began + 60 * words.minutes * share, words.seed)


if __name__ == "__main__":
    main()
