"""Makes the gallery of reports: runs some configs and keeps the page that each run writes.

    python benchmarks/gallery.py [NAME ...] [--runs=runs/gallery] [--docs=docs]

Writes DOCS/gallery/NAME.html, which is the report as it stands, and DOCS/gallery.md. A run that is
finished already is not repeated. Needs MNIST for one of them (``TFDS_DATA_DIR``).
"""

import argparse
import os
import shlex
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

from ecavg_tf.core.files import write_text
from ecavg_tf.report.gains import verdict
from ecavg_tf.results import load_results

BREAK = " \\\n"
ROOT = Path(__file__).resolve().parent.parent
INTRODUCTION = """\
# A gallery of reports

Every run writes `report.html`: one file that needs no network. Here are those of some runs, as they
were written. This page and the reports were made by `python benchmarks/gallery.py`; each command
makes its report again.
"""


@dataclass(frozen=True)
class Shown:
    """A run of the gallery.

    Attributes:
        words: what is special about it.
        flags: of ``ecavg run``, without ``--workdir``.
    """

    words: str
    flags: str


RUNS = {
    "digits": Shown(
        "the quickstart: four edges with unequal data, a fifth of it pooled, two rounds",
        "--config=digits",
    ),
    "paper": Shown(
        "the same, with the update of the paper: every edge takes the server's model",
        "--config=digits --config.update.policy=replace --config.export.enabled=false",
    ),
    "many": Shown(
        "fifty edges with 34 to 636 examples each, and no pool: the server only averages",
        "--config=mnist_mlp --config.data.train_examples=10000 --config.partition.num_edges=50 "
        "--config.partition.kind=dirichlet --config.partition.alpha=0.3 --config.rounds=3 "
        "--config.server.pool=false --config.server.epochs=0 --config.baseline.alone=true "
        "--config.export.enabled=false",
    ),
}


def main() -> None:
    """Plays the runs, then writes the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(RUNS))
    parser.add_argument("--runs", type=Path, default=Path("runs/gallery"))
    parser.add_argument("--docs", type=Path, default=ROOT / "docs")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(RUNS)
    if unknown:
        parser.error(f"no run {min(unknown)!r}; there are {', '.join(RUNS)}")
    for name in arguments.names or RUNS:
        play(name, arguments.runs.resolve(), arguments.docs / "gallery")
    write_text(arguments.docs / "gallery.md", page(arguments.runs))


def play(name: str, runs: Path, gallery: Path) -> None:
    """Runs one and keeps its report; paths in it are relative to the folder of the runs."""
    runs.mkdir(parents=True, exist_ok=True)
    words = ["run", *shlex.split(RUNS[name].flags), f"--workdir={name}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run([sys.executable, "-m", "ecavg_tf", *words], cwd=runs, env=environment)
    if ran.returncode not in (0, 9):  # 9: a file is undecided, the report is whole
        sys.exit(f"{name}: ecavg run ended with {ran.returncode}")
    gallery.mkdir(parents=True, exist_ok=True)
    write_text(gallery / f"{name}.html", (runs / name / "report.html").read_text("utf-8"))


def page(runs: Path) -> str:
    """The page that leads to the reports."""
    parts = [INTRODUCTION]
    for name, shown in RUNS.items():
        results = load_results(runs / name)
        command = f"ecavg run {shown.flags} --workdir=runs/{name}"
        lines = textwrap.wrap(command, 96, subsequent_indent="    ", break_on_hyphens=False)
        parts.append(
            f"## [{name}](gallery/{name}.html)\n\n{shown.words[0].upper()}{shown.words[1:]}.\n\n"
            f"> {verdict(results.rounds, results.alone).text}\n\n```\n{BREAK.join(lines)}\n```\n"
        )
    return "\n".join(parts)


if __name__ == "__main__":
    main()
