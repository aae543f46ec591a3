"""What else than pictures goes through a whole run: tables, signals and token ids.

    python benchmarks/inputs.py --workdir=runs/inputs

For each of four data sets (``inputs_data.py``): a run of three edges with guard sets, exports as
float32 and int8, every bundle replayed on the device runtime and asked for the test set's labels,
and int8 run in tflite-micro where that takes it. Prints one table. What is finished in the workdir
is read and not repeated.
"""

import argparse
import logging
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from inputs_data import SETS

import ecavg_tf
from ecavg_tf import RunResults, load_results
from ecavg_tf.core.bundles.bundle import read_bundle
from ecavg_tf.core.bundles.scaling import rescaled
from ecavg_tf.core.errors import ECAvgError
from ecavg_tf.core.exports import Exported
from ecavg_tf.quiet import import_tensorflow
from edge.predict import Predictor
from export.jobs.run import FOLDER
from export.micro.interpreter import run_in_micro

EPOCHS = 12
FORMATS = ("float32", "int8")
HEAD = (
    "data",
    "model",
    "chance",
    "Keras",
    "accepted",
    "float32",
    "bytes",
    "int8",
    "bytes",
    "arena in tflite-micro",
)


def played(name: str, folder: Path, epochs: int = EPOCHS, edges: int = 3) -> RunResults:
    """One data set's run, with its exports.

    Args:
        name: one of ``SETS``.
        folder: where the data and the run go.
        epochs: of every edge and of the server.
        edges: how many.
    """
    make, model = SETS[name]
    run = folder / "run"
    if not (run / "results.json").exists() or load_results(run).status != "finished":
        folder.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, Any] = dict(make())
        np.savez(folder / "data.npz", **arrays)
        config = ecavg_tf.with_fields(
            ecavg_tf.Config(),
            {
                "data.name": str(folder / "data.npz"),
                "partition.num_edges": edges,
                "model.name": model,
                "edge.epochs": epochs,
                "server.epochs": epochs,
                "edge.learning_rate": 3e-3,
                "server.learning_rate": 3e-3,
                "export.enabled": True,
                "export.formats": ",".join(FORMATS),
                "export.accept_unproved": True,  # the test sets have 36 to 114 examples
            },
        )
        ecavg_tf.run(config, run)
    return load_results(run)


def on_device(run: Path, row: Exported) -> float:
    """Accuracy on the test set of a bundle that was replayed first, in the device's runtime."""
    predictor = Predictor(run / FOLDER / str(row.bundle))
    with np.load(run.parent / "data.npz") as data:
        found = predictor.predict(data["x_test"]).argmax(axis=1)
        return float(np.mean(found == data["y_test"]))


def in_micro(run: Path, row: Exported) -> str:
    """The arena that tflite-micro needs, or why it does not take the file."""
    bundle = read_bundle(run / FOLDER / str(row.bundle))
    inputs = rescaled(bundle.info.feature_scaling, bundle.golden_inputs)
    try:
        return f"{run_in_micro(bundle.model, inputs).arena.needed:,}"
    except ECAvgError as error:
        return f"no: {str(error).split(';')[0]}"


def line(name: str, folder: Path) -> tuple[str, ...]:
    """One data set's row of the table."""
    results, run = played(name, folder), folder / "run"
    last = results.rounds[-1]
    chosen = {row.variant: row for row in results.exports if row.model == "global"}
    accepted = [edge.accepted for edge in last.edges if edge.accepted is not None]
    accuracy = last.server.global_.all
    assert accuracy is not None
    model = SETS[name][1].partition(":")[2] or SETS[name][1]
    cells = [name, model, f"{100 / len(results.classes):.0f}", f"{100 * accuracy.accuracy:.1f}"]
    taken = Counter(each.rung for each in accepted)
    cells.append(", ".join(f"{rung} {count}" for rung, count in sorted(taken.items())))
    for variant in FORMATS:
        row = chosen[variant]
        if row.bundle is not None:
            said = "" if row.status == "passed" else f" ({row.status})"
            cells += [f"{100 * on_device(run, row):.1f}{said}", f"{row.size_bytes:,}"]
        else:
            cells += [f"{row.status}: {'; '.join(row.reasons)}", "-"]
    delivered = chosen["int8"].bundle is not None
    return (*cells, in_micro(run, chosen["int8"]) if delivered else "-")


def main() -> int:
    """Parses, runs, prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--workdir", type=Path, required=True)
    workdir = parser.parse_args().workdir
    import_tensorflow()
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # several runs in one process retrace
    rows = [HEAD, *(line(name, workdir / name.replace(" ", "-")) for name in SETS)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rule = tuple("-" * width for width in widths)
    for row in (rows[0], rule, *rows[1:]):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        print(f"| {' | '.join(cells)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
