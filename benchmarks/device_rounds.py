"""Whole runs whose edges have no TensorFlow, beside the same runs with Keras edges.

    python benchmarks/device_rounds.py mnist --workdir=runs/device-mnist
    python benchmarks/device_rounds.py cifar10 --workdir=runs/device-cifar10

For every seed, four runs on the same examples, dealt out in the same way:

- Keras: ``ecavg run`` with both edges in its process;
- oneDNN: the same with other kernels (``TF_ENABLE_ONEDNN_OPTS=1``; all others have 0): what a
  difference in rounding alone does over some thousand steps;
- devices: ``ecavg run`` over an exchange folder, and two processes ``python -m edge train``,
  each with an ``.npz`` of its own examples;
- mixed: the same with one such process and one ``ecavg edge`` (Keras).

Devices run in ``--device-python``, best one of a virtual environment that has nothing but
``edge/requirements.txt``; where it does have TensorFlow, importing it is made to fail.
What is finished in the workdir is read and not repeated; what was cut off goes on.
"""

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

from device_rounds_tables import print_comparison, print_summary
from fleets import ROOT, Bench, Task
from processes import ProcessFailed

from ecavg_tf.core.errors import ConfigError, ECAvgError

HAS_TENSORFLOW = "import importlib.util as u; print(u.find_spec('tensorflow') is not None)"

TASKS = {
    "digits": Task("digits", {"rounds": "3", "export.enabled": "false"}, "dense", 3),
    "mnist": Task("mnist_mlp", {"rounds": "3"}, "dense", 3),
    "cifar10": Task(
        "cifar10_mobilenetv2",
        {
            "rounds": "3",
            "data.train_examples": "5000",
            "data.test_examples": "2000",
            "model.train": "head",
            "edge.epochs": "3",
            "server.epochs": "3",
        },
        "head",
        1,
        {
            "seed": "100",  # draws examples of its own
            "partition.kind": "iid",
            "data.train_examples": "5000",
            "data.test_examples": "2000",
            "edge.epochs": "1",
            "server.epochs": "10",
            "update.policy": "replace",
        },
    ),
}


def bench(task: Task, workdir: Path, python: str, timeout_s: float) -> Bench:
    """The task in its place, with the environment of all its processes.

    Raises:
        ConfigError: the devices' interpreter does not run.
    """
    try:
        asked = subprocess.run(
            [python, "-c", HAS_TENSORFLOW], capture_output=True, text=True, check=True, timeout=60
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ConfigError(f"--device-python={python} does not run: {error}") from error
    barred = asked.stdout.strip() == "True"
    had = "have a TensorFlow that they can't import" if barred else "have no TensorFlow"
    print(f"devices {had}: {python}", flush=True)
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    environment = {**os.environ, "PYTHONPATH": paths}
    return Bench(task, workdir.resolve(), python, timeout_s, barred, environment)


def compare(made: Bench, seeds: int) -> None:
    """Plays what is not finished yet and prints the tables."""
    made.start()
    comparisons = []
    for seed in range(seeds):
        comparisons.append(made.compare(seed))
        print_comparison(comparisons[-1])
    print_summary(comparisons)


def main() -> int:
    """Parses, runs, prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--workdir", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=0, help="0: the task's own number")
    parser.add_argument(
        "--device-python",
        default=sys.executable,
        help="the devices' interpreter; needs no more than edge/requirements.txt",
    )
    parser.add_argument("--timeout", type=float, default=1800.0, help="seconds for one run")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that children end, too
    task = TASKS[arguments.task]
    try:
        made = bench(task, arguments.workdir, arguments.device_python, arguments.timeout)
        compare(made, arguments.seeds or task.seeds)
    except (ProcessFailed, ECAvgError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
