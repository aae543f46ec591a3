"""What int8 files need on a microcontroller, and whether they answer there as in LiteRT.

    python benchmarks/micro_arena.py runs/mnist cifar10.int8.tflite=cifar10 --images=300

A path is a ``.tflite`` file, or a folder whose ``*int8*.tflite`` files are taken. Behind
``=`` stands the data set whose test examples are run (as in ``data.name``); a run directory
knows its own. Files with neither get random pixels, and the table says so.

"agree ref" and "agree LiteRT" are label agreement of tflite-micro with LiteRT's reference
and default kernels; "tied" are images with several highest scores. Accuracy is
tflite-micro's beside that of LiteRT's default kernels, on the same images.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ecavg_tf.config import DataConfig
from ecavg_tf.core.errors import ECAvgError
from ecavg_tf.core.files import read_json
from ecavg_tf.core.template import Array
from ecavg_tf.data.sources import load_data
from export.micro.interpreter import run_in_micro
from export.micro.operators import require_micro
from export.reading.flatmodel import Port, read_flatmodel

COLUMNS = (
    f"{'file':<28} {'size':>10} {'arena':>8} {'head':>7} {'peak':>7} {'MACs':>11} "
    f"{'agree ref':>9} {'agree LiteRT':>12} {'tied':>5} {'accuracy':>13} {'inputs':>6} {'s':>5}"
)


def files(argument: str) -> Iterator[tuple[Path, str]]:
    """Files of one argument, each with the name of its data set or an empty text."""
    name, _, data = argument.partition("=")
    path = Path(name)
    if not path.is_dir():
        yield path, data
        return
    for above in (path, *path.parents):
        if not data and (above / "config.json").exists():
            data = read_json(above / "config.json")["data"]["name"]
    found = sorted(path.rglob("*int8*.tflite"))
    if not found:
        print(f"{path}: no *int8*.tflite in it", file=sys.stderr)
    yield from ((file, data) for file in found)


def test_inputs(data: str, count: int, port: Port) -> tuple[Array, Array | None]:
    """Up to ``count`` test examples with labels, or random pixels without."""
    if not data:
        return np.random.default_rng(0).integers(0, 256, (count, *port.shape[1:])), None
    test = load_data(DataConfig(name=data), seed=0).test
    return test.inputs[:count], test.labels[:count]


def row(file: Path, data: str, count: int) -> str:
    """One line of the table."""
    tflite = file.read_bytes()
    require_micro(tflite)
    inputs, labels = test_inputs(data, count, read_flatmodel(tflite).inputs[0])
    began = time.monotonic()
    run = run_in_micro(tflite, inputs)
    seconds = time.monotonic() - began
    accuracy = "random pixels"
    if labels is not None:
        ours = np.mean(run.labels == labels)
        accuracy = f"{ours:.3f} / {np.mean(run.default.argmax(axis=1) == labels):.3f}"
    return (
        f"{file.name:<28} {len(tflite):>10,} {run.arena.needed:>8,} {run.arena.head:>7,} "
        f"{run.facts.peak_activation_bytes:>7,} {run.facts.macs:>11,} "
        f"{run.reference_agreement:>9.3f} {run.agreement:>12.3f} {run.ties:>5.2f} "
        f"{accuracy:>13} {len(inputs):>6} {seconds:>5.1f}"
    )


def main() -> None:
    """Parses, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("paths", nargs="+", metavar="PATH[=DATA]")
    parser.add_argument("--images", type=int, default=300)
    arguments = parser.parse_args()
    print(COLUMNS)
    for argument in arguments.paths:
        for file, data in files(argument):
            try:
                print(row(file, data, arguments.inputs), flush=True)
            except ECAvgError as error:
                print(f"{file.name:<28} refused: {error}")


if __name__ == "__main__":
    main()
