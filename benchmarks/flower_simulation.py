"""Wall, CPU and memory of simulated edges here and in Flower's simulation, the same work.

    python benchmarks/flower_simulation.py --flower=FLOWER/bin/python --workdir=runs/flower

Plain federated averaging, without guard sets and without pooling: 10 edges and 3 rounds of the
MNIST net, and 2 edges and one round of MobileNetV2 on CIFAR-10. FLOWER is a virtual environment
with ``flwr[simulation]`` and TensorFlow. Each edge has the same examples on both sides. What the
start-up costs shows by runs with one round: "a further round" is the difference, by round. The
import of TensorFlow and Keras, which no run is shorter than, has a row of its own.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from cells import Cost, measured
from tables import keep

from ecavg_tf.core.files import atomic_path

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
TASKS: Mapping[str, Mapping[str, Any]] = {
    "mnist": {
        "config": "mnist_mlp",
        "model": "mlp",
        "edges": 10,
        "rounds": 3,
        "epochs": 1,
        "cpus": 1,
        "examples": 0,
    },
    "cifar10": {
        "config": "cifar10_mobilenetv2",
        "model": "mobilenet_v2",
        "edges": 2,
        "rounds": 1,
        "epochs": 1,
        "cpus": 1,
        "examples": 1000,
    },
}


def settings(data: str, rounds: int) -> dict[str, Any]:
    """The fields of a run here."""
    task = TASKS[data]
    return {
        "data.name": data,
        "partition.kind": "iid",
        "data.train_examples": task["examples"],
        "data.test_examples": 1000 if task["examples"] else 0,
        "model.name": task["model"],
        "partition.num_edges": task["edges"],
        "partition.guard_fraction": 0.0,
        "rounds": rounds,
        "edge.epochs": task["epochs"],
        "server.epochs": 0,
        "server.pool": False,
        "server.influence_examples": 0,
        "update.policy": "replace",
    }


def write_data(data: str, folder: Path) -> None:
    """Each edge's examples and the test set, as files for Flower's side."""
    if (folder / "test.npz").exists():
        return
    from ecavg_tf.quiet import import_tensorflow

    import_tensorflow()
    from ecavg_tf.config import Config, with_fields
    from ecavg_tf.data.federated import federated_data

    found = federated_data(with_fields(Config(), settings(data, 1)))
    parts = {str(at): found.edge(name).train for at, name in enumerate(found.edges)}
    for name, part in {**parts, "test": found.test}.items():
        with atomic_path(folder / f"{name}.npz") as path, path.open("wb") as file:
            np.savez(file, x=part.inputs, y=part.labels)


def accuracy_here(run: Path) -> float:
    """The global model's, after the last round."""
    from ecavg_tf.results import load_results

    score = load_results(run).rounds[-1].server.global_.all
    return 0.0 if score is None else score.accuracy


def main() -> None:
    """Parses, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--flower", required=True, help="the interpreter with flwr[simulation]")
    parser.add_argument("--workdir", type=Path, required=True)
    parser.add_argument("--data", default="mnist,cifar10")
    arguments = parser.parse_args()
    imports = "import tensorflow, keras"
    cost = measured("imports", [sys.executable, "-c", imports], arguments.workdir)
    rows = [["none", imports, *figures({1: cost}), ""]]
    for data in arguments.data.split(","):
        rows += compare(data, arguments.flower, arguments.workdir)
    keep(
        "flower_simulation",
        "Federated averaging of simulated edges: this project against Flower's simulation",
        [
            "task",
            "",
            "wall, s",
            "a further round",
            "CPU, s",
            "a further round",
            "memory, MB",
            "accuracy, %",
        ],
        rows,
        ["Wall, CPU and memory are of the whole command, summed over processes. This side also "
         "scores every edge's local model and writes a report."],
    )  # fmt: skip


def compare(data: str, flower: str, workdir: Path) -> list[list[str]]:
    """The rows of one task."""
    task = TASKS[data]
    write_data(data, workdir / data)
    app = Path(__file__).with_name("flower_app.py")
    rounds = sorted({1, task["rounds"]})
    here, there = {}, {}
    config = f"--config={CONFIGS / task['config']}.py"
    for number in rounds:
        run = workdir / f"run-{data}-{number}"
        words = [f"--config.{name}={value}" for name, value in settings(data, number).items()]
        here[number] = measured(
            f"here-{data}-{number}",
            [sys.executable, "-m", "ecavg_tf", "run", config, *words, f"--workdir={run}"],
            workdir,
        )
        options = [f"--{name}={task[name]}" for name in ("model", "edges", "epochs", "cpus")]
        there[number] = measured(
            f"flower-{data}-{number}",
            [flower, str(app), f"--data={workdir / data}", *options, f"--rounds={number}"],
            workdir,
        )
    last = rounds[-1]
    name = f"{data}, {task['edges']} edges, {last} round{'s' * (last > 1)}"
    told = [accuracy_here(workdir / f"run-{data}-{last}"), float(there[last].lines[-1])]
    sides = {"here": here, "Flower": there}
    rows = [
        [name, side, *figures(costs), f"{100 * accuracy:.1f}"]
        for (side, costs), accuracy in zip(sides.items(), told, strict=True)
    ]
    ratios = [
        f"{float(b) / float(a):.1f} x" if a != "-" and float(a) > 0 else "-"
        for a, b in zip(figures(here), figures(there), strict=True)
    ]
    return [*rows, [name, "Flower / here", *ratios, ""]]


def figures(costs: Mapping[int, Cost]) -> list[str]:
    """Wall and CPU of the longest run, each with what a further round adds; its memory."""
    last = max(costs)
    more = last - 1

    def further(kind: str) -> str:
        ends = getattr(costs[last], kind) - getattr(costs[1], kind)
        return f"{ends / more:.2f}" if more else "-"

    return [
        f"{costs[last].wall:.1f}",
        further("wall"),
        f"{costs[last].cpu:.1f}",
        further("cpu"),
        f"{costs[last].memory:.0f}",
    ]


if __name__ == "__main__":
    main()
