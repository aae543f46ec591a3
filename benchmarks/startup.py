"""Start-up: what the quickstart takes before its first batch beside importing TensorFlow.

    python benchmarks/startup.py --workdir=runs/startup

Whole processes, in turn, and medians: one that imports TensorFlow and Keras and nothing else, one
that runs configs/digits.py and ends at its first batch, and commands that need no TensorFlow.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tables import keep

ROOT = Path(__file__).resolve().parent.parent
IMPORTS = "from ecavg_tf.quiet import import_tensorflow; import_tensorflow(); import keras"
FIRST_BATCH = """\
import os, sys
from ecavg_tf.quiet import import_tensorflow
import_tensorflow()
from ecavg_tf.training.callbacks import Tell
Tell.on_train_batch_end = lambda *_, **__: os._exit(0)
from ecavg_tf.cli import main
sys.exit(main(sys.argv[1:]))
"""
ECAVG = ["-m", "ecavg_tf"]


def seconds(words: list[str]) -> float:
    """Seconds of a whole process."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *words], capture_output=True, cwd=ROOT)
    return time.perf_counter() - began


def main() -> None:
    """Parses, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--workdir", type=Path, required=True)
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()
    arguments.workdir.mkdir(parents=True, exist_ok=True)
    config = f"--config={ROOT / 'configs' / 'digits.py'}"
    commands = {
        "import TensorFlow and Keras": ["-c", IMPORTS],
        "ecavg run, to the first batch": ["-c", FIRST_BATCH, "run", config, "--workdir=@"],
        "ecavg --help": [*ECAVG, "--help"],
        "ecavg edge --help": [*ECAVG, "edge", "--help"],
        "ecavg run, a wrong path": [*ECAVG, "run", "--config=nothing.py", "--workdir=@"],
    }
    spent: dict[str, list[float]] = {name: [] for name in commands}
    with tempfile.TemporaryDirectory(dir=arguments.workdir) as scratch:
        for turn in range(1 + arguments.turns):
            for name, words in commands.items():
                taken = seconds([word.replace("@", f"{scratch}/{turn}") for word in words])
                if turn > 0:  # the first one reads the disk
                    spent[name].append(taken)
    first = spent["import TensorFlow and Keras"]
    rows = [
        [
            name,
            f"{statistics.median(taken):.2f}",
            f"{statistics.median(a / b for a, b in zip(taken, first, strict=True)):.2f}",
        ]
        for name, taken in spent.items()
    ]
    keep(
        "startup",
        "Start-up, seconds of a whole process",
        ["process", "seconds", "/ the imports"],
        rows,
    )


if __name__ == "__main__":
    main()
