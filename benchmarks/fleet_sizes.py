"""What a round costs with 2, 10, 100 and 1,000 edges, and how its page grows.

    python benchmarks/fleet_sizes.py --workdir=runs/sizes

One guarded round of the MNIST net (784-128-10), all 30,000 training examples dealt out, one epoch
on the edges and one on the server. Each number of edges is a run of its own; a run that is in the
work directory already is not measured again.
"""

import argparse
import html.parser
import shutil
import sys
import time
from pathlib import Path

from cells import measured
from tables import keep

from ecavg_tf.results import load_results

CONFIG = f"--config={Path(__file__).resolve().parent.parent / 'configs' / 'mnist_mlp.py'}"


def disk(folder: Path) -> float:
    """MB of a folder, by blocks, a file with two names once."""
    found = {(s.st_dev, s.st_ino): s.st_blocks for s in (p.lstat() for p in folder.rglob("*"))}
    return 512 * sum(found.values()) / 1e6


def main() -> None:
    """Parses, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--workdir", type=Path, required=True)
    parser.add_argument("--edges", default="2,10,100,1000")
    arguments = parser.parse_args()
    rows = []
    for edges in map(int, arguments.edges.split(",")):
        run = arguments.workdir / f"run-{edges}"
        settings = {
            "partition.kind": "iid",
            "partition.num_edges": edges,
            "edge.epochs": 1,
            "server.epochs": 1,
        }
        words = [f"--config.{name}={value}" for name, value in settings.items()]
        kept = arguments.workdir / f"edges-{edges}.json"
        if not kept.exists():
            shutil.rmtree(run, ignore_errors=True)
        command = [sys.executable, "-m", "ecavg_tf", "run", CONFIG, *words, f"--workdir={run}"]
        cost = measured(f"edges-{edges}", command, arguments.workdir)
        page = (run / "report.html").read_text("utf-8")
        began = time.perf_counter()
        html.parser.HTMLParser().feed(page)
        parsed = time.perf_counter() - began
        score = load_results(run).rounds[-1].server.global_.all
        rows.append(
            [
                f"{edges:,}",
                f"{cost.wall:.0f}",
                f"{cost.cpu:.0f}",
                f"{cost.memory:.0f}",
                f"{disk(run):.0f}",
                f"{len(page) / 1e6:.1f}",
                f"{parsed:.2f}",
                "-" if score is None else f"{100 * score.accuracy:.1f}",
            ]
        )
    keep(
        "fleet_sizes",
        "One guarded round of MNIST (784-128-10) by number of edges",
        ["edges", "wall, s", "CPU, s", "memory, MB", "disk, MB", "page, MB", "parsed, s",
         "global, %"],
        rows,
        ["Wall and CPU are of the whole command, the import of TensorFlow and reading the data "
         "included. Parsed: the page by Python's html.parser."],
    )  # fmt: skip


if __name__ == "__main__":
    main()
