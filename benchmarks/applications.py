"""Which models of keras.applications the exporter makes files of, and how long it takes.

    python benchmarks/applications.py --data-dir=TFDS
    python benchmarks/applications.py --table

Each cell is a model at 32, 64 or 96 pixels, with random weights or fine-tuned for an epoch on
CIFAR-10 images that are scaled up; BatchNorm is recalibrated on them in both cases. The model is
exported in all formats; int8 is calibrated on 100 training images, and files are compared on 200
test images. A cell is a JSON line in --out; cells that are there already are skipped, so the
command can be stopped and given again. ``--only=MobileNetV2,32,random`` measures one cell. With
``--plain`` quantized files are made in the converter's own way alone, which is much faster for deep
nets; the table says so.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from tables import RESULTS

from ecavg_tf.quiet import import_tensorflow

import_tensorflow()

import keras  # noqa: E402
import numpy as np  # noqa: E402

from ecavg_tf.config import DataConfig, Format  # noqa: E402
from ecavg_tf.core.errors import ECAvgError, brief  # noqa: E402
from ecavg_tf.core.template import Array, weights_sha256  # noqa: E402
from ecavg_tf.data.dataset import Dataset, DataSpec, Examples  # noqa: E402
from ecavg_tf.data.sources import load_data  # noqa: E402
from ecavg_tf.models.batchnorm import recalibrate_batchnorm  # noqa: E402
from export.exporter import Exporter  # noqa: E402
from export.making.calibration import draw  # noqa: E402
from export.making.formats import variants  # noqa: E402
from export.subject import Subject  # noqa: E402

# Fastest first; whether a model rescales pixels itself.
MODELS = {
    "MobileNetV3Small": True,
    "MobileNetV2": False,
    "ResNet50V2": False,
    "EfficientNetV2B0": True,
    "ConvNeXtTiny": True,
    "NASNetMobile": False,
    "DenseNet121": False,
    "Xception": False,
}
SIZES, STARTS = (32, 64, 96), ("random", "tuned")
TRAIN, TEST, CALIBRATION = 400, 200, 100
_LEAST = {"Xception": 96}  # pixels


def main() -> None:
    """Parses, measures what is missing, prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data-dir", default="", help="of TFDS; default: TFDS_DATA_DIR")
    parser.add_argument("--out", type=Path, default=RESULTS / "applications.jsonl")
    parser.add_argument("--only", default="", help="one cell: model, pixels, weights")
    parser.add_argument("--plain", action="store_true", help="no other way than the converter's")
    parser.add_argument("--table", action="store_true", help="only print what is there")
    given = parser.parse_args()
    done = _read(given.out)
    wanted = [cell for cell in cells() if given.only in ("", ",".join(map(str, cell)))]
    if not given.table:
        config = DataConfig(name="cifar10", data_dir=given.data_dir)
        config.train_examples, config.test_examples = TRAIN, TEST
        data = load_data(config, seed=0)
        for cell in wanted:
            if cell not in done:
                done[cell] = _measured(*cell, data, plain=given.plain)
                with given.out.open("a") as stream:
                    stream.write(json.dumps(done[cell]) + "\n")
                print(json.dumps(done[cell]), flush=True)
    print("\n".join(table(done)))


def cells() -> list[tuple[str, int, str]]:
    """Model, size and start; every model at 32 pixels first, and the rest by size."""
    return [
        (name, size, start)
        for size in SIZES
        for start in STARTS
        for name in MODELS
        if size >= _LEAST.get(name, 0)
    ]


def _read(path: Path) -> dict[tuple[str, int, str], dict[str, Any]]:
    lines = path.read_text().splitlines() if path.exists() else []
    found = [json.loads(line) for line in lines if line.endswith("}")]
    return {(each["model"], each["size"], each["start"]): each for each in found}


def _measured(name: str, size: int, start: str, data: Dataset, *, plain: bool) -> dict[str, Any]:
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    train, test = _scaled(data.train, size), _scaled(data.test, size)
    model = build(name, size, data.spec.num_classes)
    began = time.monotonic()
    if start == "tuned":
        model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
        model.fit(train.inputs.astype("float32"), train.labels, batch_size=32, verbose=0)
    recalibrate_batchnorm(model, train.inputs)  # without, a random net answers one thing
    trained = time.monotonic()
    cell = {"model": name, "size": size, "start": start, "train_seconds": trained - began}
    cell["plain"] = plain
    try:
        files = _exported(model, name, train, test, data.spec, plain)
    except ECAvgError as error:
        return {**cell, "seconds": time.monotonic() - trained, "refused": brief(error)}
    return {**cell, "seconds": time.monotonic() - trained, "files": files}


def build(name: str, size: int, classes: int) -> keras.Model:
    """A model of keras.applications for raw pixels 0..255, its weights random."""
    made = getattr(keras.applications, name)
    base = made(weights=None, input_shape=(size, size, 3), classes=classes)
    inputs = keras.Input((size, size, 3))
    scaled = inputs if MODELS[name] else keras.layers.Rescaling(1 / 127.5, offset=-1.0)(inputs)
    return keras.Model(inputs, base(scaled))


def _scaled(examples: Examples, size: int) -> Examples:
    larger: Array = np.repeat(np.repeat(examples.inputs, size // 32, axis=1), size // 32, axis=2)
    return Examples(larger, examples.labels)


def _exported(
    model: keras.Model, name: str, train: Examples, test: Examples, spec: DataSpec, plain: bool
) -> dict[str, Any]:
    sha256 = weights_sha256(model.get_weights())
    subject = Subject(
        name=name,
        weights_sha256=sha256,
        origin={"run": None, "round": None, "edge": None, "weights_sha256": sha256},
        calibration=draw(train, CALIBRATION, 0, "training images", name),
        inputs=test.inputs,
        labels=test.labels,
        words=f"{len(test)} test images",
    )
    shape = tuple(test.inputs.shape[1:])
    there = DataSpec(spec.name, shape, spec.dtype, spec.value_range, spec.classes)
    with tempfile.TemporaryDirectory() as folder:
        exporter = Exporter(model, there, logits=False, plain_alone=plain)
        rows = exporter.export(subject, variants(tuple(Format)), Path(folder) / name)
    return {
        row.variant: {
            "status": row.status,
            "why": "; ".join(row.reasons),
            "made": row.file is not None,
            "bytes": row.size_bytes,
            "agreement": None if row.parity is None else row.parity.agreement,
        }
        for row in rows
    }


def table(done: dict[tuple[str, int, str], dict[str, Any]]) -> list[str]:
    """Markdown: a row a cell; what did not pass is told below."""
    names = [variant.value for variant in variants(tuple(Format))]
    lines = [
        "| model | pixels | weights | " + " | ".join(names) + " | seconds |",
        "|---|---|---|" + "---|" * (len(names) + 1),
    ]
    told: list[str] = []
    for cell in cells():
        found = done.get(cell)
        shown = ["not run"] * len(names)
        if found is not None:
            files = found.get("files", {})
            shown = [_word(files.get(name)) for name in names]
            if "refused" in found:
                told.append(f"- {cell[0]}, {cell[1]} pixels, {cell[2]}: {found['refused']}")
            told += [
                f"- {cell[0]}, {cell[1]} pixels, {cell[2]}, {name}: {files[name]['why']}"
                for name in names
                if files.get(name, {}).get("why")
            ]
        seconds = "–" if found is None else f"{found['seconds']:.0f}"
        if found is not None and found.get("plain"):
            seconds += ", plain alone"
        lines.append(f"| {cell[0]} | {cell[1]} | {cell[2]} | {' | '.join(shown)} | {seconds} |")
    return [*lines, "", *told]


def _word(file: dict[str, Any] | None) -> str:
    if file is None:
        return "refused"
    if not file["made"]:
        return "not made"
    said = {"passed": [], "undecided": ["undecided"]}.get(file["status"], ["differs"])
    agreement = [] if file["agreement"] is None else [f"{100 * file['agreement']:.1f} %"]
    return ", ".join(said + agreement)


if __name__ == "__main__":
    main()
