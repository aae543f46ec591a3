"""By which way int8 and dynamic files of a good model pass their gate, and what it costs.

    python benchmarks/int8_ladder.py --weights=mobilenet_v2_1.0_no_top.h5 --runs=runs/ladder

trains CIFAR-10 with MobileNetV2 from that start (Keras' own '…_no_top.h5' file), the head and
the whole network, for every seed; exports every edge and the global model; and prints a table.
Runs and files that are there already are not made again: an interrupted table goes on, and
``--only-table`` prints what there is. It takes about 10 minutes a run on two idle cores.
"""

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ecavg_tf.config import Config, Format, PartitionKind, Trains
from ecavg_tf.core.files import canonical_json, read_json, write_bytes
from ecavg_tf.rounds.loop import run
from export.jobs.run import export_run

FORMATS = (Format.DYNAMIC, Format.INT8)
COLUMNS = (
    "| trained | seed | model | file | way | verdict | agree % | mean diff | Keras % | file % "
    "| change, 95 % | kB | ms | s |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"
)


def config_of(train: Trains, seed: int, weights: str, examples: int, model: str) -> Config:
    """Two edges of five classes each, two epochs on the edges and two on the server."""
    config = Config(seed=seed)
    config.data.name = "cifar10"
    config.data.train_examples = examples
    config.partition.kind = PartitionKind.CLASSES
    config.model.name = model
    config.model.train = train
    if weights:
        config.model.init, config.model.weights_path = "imagenet", weights
    config.edge.epochs = config.server.epochs = 2
    return config


def exported(path: Path, config: Config) -> None:
    """Runs and exports one model after the other; each one's rows are kept at once."""
    run(config, path)
    for name in (*sorted(each.name for each in (path / "edges").iterdir()), "global"):
        kept = path / f"ladder-{name}.json"
        if not kept.exists():
            rows = export_run(path, formats=",".join(FORMATS), edges=[name], out=path / "files")
            write_bytes(kept, canonical_json({"rows": [asdict(row) for row in rows]}).encode())


def lines(path: Path, trained: str, seed: int) -> Iterator[str]:
    """The table's lines of one run."""
    for kept in sorted(path.glob("ladder-*.json")):
        for row in read_json(kept)["rows"]:
            yield line(row, trained, seed)


def line(row: dict[str, Any], trained: str, seed: int) -> str:
    """One file; the seconds are those of all ways that were tried."""
    parity = row["parity"]
    change = [100 * parity[f"accuracy_change{end}"] for end in ("_low", "_high")]
    ways = " → ".join(
        f"{each['way']} {100 * (each['agreement'] or 0):.1f}" for each in row["attempts"]
    )
    cells = (
        trained, seed, row["model"], row["variant"], ways, row["status"],
        f"{100 * parity['agreement']:.2f}", f"{parity['mean_difference']:.3f}",
        f"{100 * parity['keras_accuracy']['value']:.2f}",
        f"{100 * parity['file_accuracy']['value']:.2f}", f"{change[0]:+.1f}…{change[1]:+.1f}",
        f"{row['size_bytes'] / 1000:,.0f}", f"{row['cost']['latencies'][0]['median_ms']:.2f}",
        f"{sum(each['seconds'] for each in row['attempts']):.0f}",
    )  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    """Parses, runs what is missing, prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--weights", default="", help="a '…_no_top.h5' file; empty: random start")
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--model", default="mobilenet_v2", choices=("mobilenet_v2", "resnet50"))
    parser.add_argument("--trained", default="head,all")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--examples", type=int, default=8000)
    parser.add_argument("--only-table", action="store_true")
    told = parser.parse_args()
    print(COLUMNS, flush=True)
    for seed in map(int, told.seeds.split(",")):
        for trained in told.trained.split(","):
            path = told.runs / f"{trained}-{seed}"
            if not told.only_table:
                config = config_of(Trains(trained), seed, told.weights, told.examples, told.model)
                exported(path, config)
            for each in lines(path, trained, seed):
                print(each, flush=True)


if __name__ == "__main__":
    main()
