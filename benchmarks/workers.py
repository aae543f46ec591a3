"""How much faster edges of one machine are in N processes.

    python benchmarks/workers.py --workdir=runs/workers --workers=1,2

One guarded round of the MNIST net with 1,000 edges. Timed is the edges' part: their exchange and
their last decisions, with the start of the processes. The weights are compared, too. The last row
says what the machine gives at most: two whole runs at once, each with ``fleet.workers=1`` and half
of the edges, which share nothing but the processor.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from cells import Cost, measured
from tables import keep


def play(edges: int, workers: int, data: str, model: str, run: Path) -> None:
    """One run; tells the seconds of the edges' part, and the hash of the global model."""
    from ecavg_tf.quiet import import_tensorflow

    import_tensorflow()
    import ecavg_tf
    from ecavg_tf.config import Config
    from ecavg_tf.rounds.local_fleet import LocalFleet
    from ecavg_tf.rounds.process_fleet import ProcessFleet

    spent: list[float] = []

    def timed(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            began = time.monotonic()
            try:
                return method(*arguments)
            finally:
                spent.append(time.monotonic() - began)

        return call

    for kind in (LocalFleet, ProcessFleet):
        for name in ("exchange", "finish"):
            setattr(kind, name, timed(getattr(kind, name)))
    config = ecavg_tf.with_fields(
        Config(),
        {
            "data.name": data,
            "model.name": model,
            "partition.num_edges": edges,
            "edge.epochs": 1,
            "server.epochs": 1,
            "fleet.workers": workers,
        },
    )
    results = ecavg_tf.run(config, run)
    print(f"cell:{sum(spent)}")
    print(f"cell:{results.rounds[-1].server.global_.weights_sha256}")


def played(name: str, edges: int, workers: int, task: list[str], workdir: Path) -> Cost:
    """What a run of its own process costs; see ``play``."""
    command = [sys.executable, __file__, *task, f"--edges={edges}", f"--play={workers}"]
    return measured(name, [*command, f"--workdir={workdir / name}"], workdir)


def two_at_once(edges: int, task: list[str], workdir: Path) -> list[Cost]:
    """What two runs cost that share nothing but the processor."""
    with ThreadPoolExecutor(2) as both:
        runs = [both.submit(played, f"two-{at}", edges, 1, task, workdir) for at in range(2)]
        return [run.result() for run in runs]


def figures(name: str, seconds: float, first: float | None, costs: Sequence[Cost]) -> list[str]:
    """A row of the table, without the hash of the weights."""
    return [
        name,
        f"{seconds:.1f}",
        "-" if first is None else f"{first / seconds:.2f}",
        f"{sum(cost.cpu for cost in costs):.0f}",
        f"{sum(cost.memory for cost in costs):.0f}",
    ]


def main() -> None:
    """Parses, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--workdir", type=Path, required=True)
    parser.add_argument("--edges", type=int, default=1000)
    parser.add_argument("--workers", default="0,1,2")
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--model", default="mlp")
    parser.add_argument("--play", type=int, help="used by the script itself")
    arguments = parser.parse_args()
    task = [f"--{name}={getattr(arguments, name)}" for name in ("data", "model")]
    if arguments.play is not None:
        play(
            arguments.edges, arguments.play, arguments.data, arguments.model,
            arguments.workdir / f"run-{arguments.play}",
        )  # fmt: skip
        return
    counts = [int(word) for word in arguments.workers.split(",")]
    rows, first = [], None
    for workers in counts:
        cost = played(f"workers-{workers}", arguments.edges, workers, task, arguments.workdir)
        seconds, sha256 = float(cost.lines[0]), cost.lines[1]
        first = seconds if workers == 1 else first
        rows.append([*figures(str(workers), seconds, first, [cost]), sha256[:12]])
    if first is not None:
        costs = two_at_once(arguments.edges // 2, task, arguments.workdir)
        seconds = max(float(cost.lines[0]) for cost in costs)
        rows.append([*figures("two runs of 1", seconds, first, costs), ""])
    keep(
        f"workers_{arguments.model}",
        f"{arguments.edges:,} edges, one guarded round of {arguments.data} ({arguments.model}), in "
        "N processes of one thread each (0: in one process with all its threads)",
        ["fleet.workers", "edges' part, s", "speed-up", "CPU of all, s", "memory, MB", "weights"],
        rows,
    )


if __name__ == "__main__":
    main()
