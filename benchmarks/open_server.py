"""An open server without data, and four edges: all with Keras, or one without TensorFlow.

    python benchmarks/open_server.py --workdir=runs/open-server

For every seed two runs over an exchange folder. The server knows no data, the first edge says what
it is. Four processes bring examples of MNIST that differ in number and classes, each with a test
set of its own. In the second run ``south`` trains and decides without TensorFlow (importing it is
made to fail). What is finished in the workdir is read and not repeated.
"""

import argparse
import os
import statistics
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from device_rounds_tables import own, server
from fleets import BARRED, ENDING_S, ROOT
from processes import Processes, ProcessFailed

from ecavg_tf.config import DataConfig
from ecavg_tf.core.errors import ECAvgError
from ecavg_tf.core.files import atomic_path
from ecavg_tf.quiet import import_tensorflow
from ecavg_tf.results import RunResults, load_results

FLEETS: Mapping[str, tuple[str, ...]] = {"Keras": (), "south without TensorFlow": ("south",)}
DIGITS = {"north": range(10), "south": range(5), "east": range(5, 10), "isle": range(10)}
TRAIN = {"north": 1200, "south": 800, "east": 300, "isle": 2000}
TEST = 1000  # examples of each edge's own
SETTINGS = {
    "data.spec": "first-edge",
    "fleet.kind": "folder",
    "fleet.wait_for": ",".join(sorted(DIGITS)),
    "fleet.training_file": "dense",
    "model.hidden_units": "64",
    "edge.epochs": "4",
    "server.epochs": "4",
    "rounds": "2",
    "export.enabled": "false",
}


def write_edges(folder: Path) -> None:
    """Every edge's file; no example is in two of them."""
    if all((folder / f"{edge}.npz").exists() for edge in DIGITS):
        return
    import_tensorflow()
    from ecavg_tf.data.sources import load_data

    data = load_data(DataConfig(name="mnist"), seed=0)
    names = np.array([str(digit) for digit in range(10)])
    taken: dict[str, set[int]] = {"train": set(), "test": set()}
    for edge, digits in DIGITS.items():
        arrays: dict[str, Any] = {"classes": names, "value_range": np.array([0, 255])}
        for split, part, count in (("train", data.train, TRAIN[edge]), ("test", data.test, TEST)):
            free = [
                at
                for at in np.flatnonzero(np.isin(part.labels, list(digits))).tolist()
                if at not in taken[split]
            ][:count]
            taken[split] |= set(free)
            arrays |= {f"x_{split}": part.inputs[free], f"y_{split}": part.labels[free]}
        with atomic_path(folder / f"{edge}.npz") as path, path.open("wb") as file:
            np.savez(file, **arrays)


def play(folder: Path, data: Path, seed: int, devices: tuple[str, ...], limit: float) -> RunResults:
    """One run's results: from its folder, or by playing it."""
    path, exchange = folder / "server" / "results.json", folder / "exchange"
    found = load_results(path) if path.exists() else None
    if found is not None and found.status == "finished":
        return found
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    ecavg = [sys.executable, "-m", "ecavg_tf"]
    settings = SETTINGS | {"seed": str(seed), "fleet.folder": str(exchange)}
    settings["fleet.timeout_s"] = str(limit)
    config = ROOT / "configs" / "two_edges.py"  # its data an open server leaves out
    words = [f"--config={config}"]
    words += [f"--config.{name}={value}" for name, value in settings.items()]
    with Processes(folder / "logs", {**os.environ, "PYTHONPATH": paths}) as processes:
        processes.start("server", [*ecavg, "run", f"--workdir={folder / 'server'}", *words])
        for edge in DIGITS:
            program = [sys.executable, "-c", BARRED, "train"] if edge in devices else None
            mine = [f"--edge={edge}", f"--data={data / edge}.npz", f"--exchange={exchange}"]
            mine += [f"--state={folder / 'state'}", f"--timeout={limit}", "--pool"]
            processes.start(edge, [*(program or [*ecavg, "edge"]), *mine])
        processes.wait(["server"], limit)
        processes.wait(list(DIGITS), ENDING_S, must_end=False)
    return load_results(path)


def print_table(runs: Mapping[str, list[RunResults]]) -> None:
    """Prints the last round's accuracies in %, as Markdown."""
    print("\n| edges | seed | server | " + " | ".join(sorted(DIGITS)) + " | mean of edges |")
    print("|---|---|---|" + "---|" * len(DIGITS) + "---|")
    for fleet, played in runs.items():
        rows = [_row(run) for run in played]
        for seed, row in enumerate(rows):
            print(f"| {fleet} | {seed} | " + " | ".join(f"{each:.2f}" for each in row) + " |")
        columns = list(zip(*rows, strict=True))
        spread = [f"{statistics.fmean(each):.2f} ±{_spread(each):.2f}" for each in columns]
        print(f"| {fleet} | all | " + " | ".join(spread) + " |")


def _row(run: RunResults) -> list[float]:
    """The global model on all own test examples, then what each edge deploys on its own."""
    edges = [each.edge for each in run.rounds[-1].edges]
    if edges != sorted(DIGITS):
        raise ProcessFailed(f"an edge was left out: only {', '.join(edges)} took part")
    last = own(run, "accepted")[-len(edges) :]
    return [server(run)[-1], *last, statistics.fmean(last)]


def _spread(values: tuple[float, ...]) -> float:
    return statistics.stdev(values) if len(values) > 1 else 0.0


def main() -> int:
    """Parses, runs, prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--workdir", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--timeout", type=float, default=900.0, help="seconds for one run")
    arguments = parser.parse_args()
    workdir = arguments.workdir.resolve()
    runs: dict[str, list[RunResults]] = {fleet: [] for fleet in FLEETS}
    try:
        write_edges(workdir)
        for seed in range(arguments.seeds):
            for fleet, devices in FLEETS.items():
                folder = workdir / f"seed-{seed}" / ("device" if devices else "keras")
                runs[fleet].append(play(folder, workdir, seed, devices, arguments.timeout))
        print_table(runs)
    except (ProcessFailed, ECAvgError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
