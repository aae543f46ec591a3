"""By which way int8 and dynamic files of a good model pass their gate, and what it costs.

    python benchmarks/int8_ladder.py --weights=mobilenet_v2_1.0_no_top.h5 --runs=runs/ladder
    python benchmarks/int8_ladder.py --runs=runs/ladder --only-table

trains CIFAR-10 with MobileNetV2 from that start (Keras' own '…_no_top.h5' file), the head and
the whole network, for every seed; exports every edge and the global model; and prints a table.
``--model=resnet50 --weights=start.keras`` begins with a model of an earlier run.
A cell is the two files of one model. Runs and cells that are there already are not made again: an
interrupted table goes on, and ``--minutes`` ends the command before a cell that would begin
later. A run takes about 3 minutes on two idle cores, and a cell one to four.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ecavg_tf.config import Config, Format, PartitionKind, Trains
from ecavg_tf.core.files import canonical_json, read_json, write_bytes
from ecavg_tf.rounds.loop import run
from export.jobs.run import export_run

FORMATS = (Format.INT8, Format.DYNAMIC)
MODELS = ("global", "edge-00", "edge-01")
COLUMNS = (
    "| trained | seed | model | file | ways | verdict | examples | mean difference | Keras % "
    "| file % | change, 95 % | kB | ms | s |\n" + 14 * "|---" + "|"
)


@dataclass(frozen=True)
class Setting:
    """One run.

    Attributes:
        trained: the head, or the whole network.
        seed: of everything.
        model: ``mobilenet_v2`` or ``resnet50``.
        weights: its start, a '…_no_top.h5' or a .keras file; empty: random.
        examples: to train on.
        epochs: of each edge, and of the server.
    """

    trained: Trains
    seed: int
    model: str
    weights: str
    examples: int
    epochs: int

    @property
    def name(self) -> str:
        """Of the run's directory."""
        return f"{self.model}-{self.trained.value}-{self.seed}"

    @property
    def config(self) -> Config:
        """Two edges of five classes each."""
        config = Config(seed=self.seed)
        config.data.name = "cifar10"
        config.data.train_examples = self.examples
        config.partition.kind = PartitionKind.CLASSES
        config.model.name = self.model
        config.model.train = self.trained
        if self.weights.endswith(".keras"):
            config.model.init = self.weights
        elif self.weights:
            config.model.init, config.model.weights_path = "imagenet", self.weights
        config.edge.epochs = config.server.epochs = self.epochs
        config.export.enabled = False
        return config


def measure(setting: Setting, runs: Path, until: float) -> bool:
    """Runs and exports one file after the other; each one's row is kept at once.

    Returns:
        Whether all of them are there; False: time was up.
    """
    path = runs / setting.name
    for name in MODELS:
        kept = cell(path, name)
        if kept.exists():
            continue
        if time.monotonic() > until:
            return False
        run(setting.config, path)
        began = time.monotonic()
        rows = export_run(path, formats=",".join(FORMATS), edges=[name], out=path / "files")
        found = {"seconds": time.monotonic() - began, "rows": [asdict(each) for each in rows]}
        write_bytes(kept, canonical_json(found).encode())
        print(
            kept, f"{found['seconds']:.0f} s", [(row.status, row.way) for row in rows], flush=True
        )
    return True


def cell(path: Path, name: str) -> Path:
    """Where the rows of a model's files are kept."""
    return path / f"ladder-{name}.json"


def lines(setting: Setting, runs: Path) -> Iterator[str]:
    """The table's lines of one run."""
    for name in MODELS:
        kept = cell(runs / setting.name, name)
        if kept.exists():
            for row in read_json(kept)["rows"]:
                if row["variant"] in FORMATS:
                    yield line(row, setting)


def line(row: dict[str, Any], setting: Setting) -> str:
    """One file; the seconds are those of all ways that were tried."""
    parity = row["parity"]
    change = [100 * parity[f"accuracy_change{end}"] for end in ("_low", "_high")]
    ways = " → ".join(f"{each['way']} {_percent(each['agreement'])}" for each in row["attempts"])
    cells = (
        setting.trained.value, setting.seed, row["model"], row["variant"], ways, row["status"],
        f"{max(claim['n'] for claim in parity['claims']):,}",
        f"{parity['mean_difference']:.3f}",
        _interval(parity["keras_accuracy"]), _interval(parity["file_accuracy"]),
        f"{change[0]:+.1f}…{change[1]:+.1f}",
        f"{row['size_bytes'] / 1000:,.0f}", f"{row['cost']['latencies'][0]['median_ms']:.1f}",
        f"{sum(each['seconds'] for each in row['attempts']):.0f}",
    )  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"


def _percent(share: float | None) -> str:
    return "not made" if share is None else f"{100 * share:.1f}"


def _interval(share: dict[str, float]) -> str:
    value, low, high = (100 * share[each] for each in ("value", "low", "high"))
    return f"{value:.1f} ({low:.1f}…{high:.1f})"


def settings_of(told: argparse.Namespace) -> list[Setting]:
    """The runs that a command asks for."""
    return [
        Setting(Trains(trained), seed, told.model, told.weights, told.examples, told.epochs)
        for seed in map(int, told.seeds.split(","))
        for trained in told.trained.split(",")
    ]


def main() -> None:
    """Parses, runs what is missing, prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--weights", default="", help="a '…_no_top.h5' or .keras file; empty: random"
    )
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--model", default="mobilenet_v2", choices=("mobilenet_v2", "resnet50"))
    parser.add_argument("--trained", default="head,all")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--examples", type=int, default=8000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=1e6)
    parser.add_argument("--only-table", action="store_true")
    told = parser.parse_args()
    until = time.monotonic() + 60 * told.minutes
    settings = settings_of(told)
    if not told.only_table and not all(measure(each, told.runs, until) for each in settings):
        print("time is up: give the command again to go on")
    print(COLUMNS)
    for setting in settings:
        print("\n".join(lines(setting, told.runs)))


if __name__ == "__main__":
    main()
