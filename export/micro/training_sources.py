"""Sources for a microcontroller that trains a head: backbone, training file, and a main."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ecavg_tf.core.bundles.micro_head import HEAD_JSON
from ecavg_tf.core.errors import ExportError
from ecavg_tf.core.template import Array
from ecavg_tf.events import Listener, silent
from export.making.micro_head import MadeHead
from export.making.stateless import INPUTS, OUTPUTS
from export.micro import training_templates as templates
from export.micro.literals import c_float
from export.micro.manifest import DATA, MAIN, first_line_alone
from export.micro.proven_head import GOLDEN_RATE, ProvenHead
from export.micro.sources import (
    arena_with_margin,
    check_labels,
    labels_data,
    labels_header,
    model_data,
    model_header,
    numbers,
    operators_header,
)
from export.micro.training import number_of
from export.micro.training_main import training_main
from export.micro.writing import write_all

TRAIN_DATA = "train_data.cc"
_FLOATS_A_LINE = 8


def write_training_sources(
    folder: Path,
    made: MadeHead,
    proven: ProvenHead,
    listener: Listener = silent,
    *,
    columns: Sequence[str] = (),
) -> tuple[Path, ...]:
    """Writes what a firmware needs to train a head, and both files as they are.

    Args:
        folder: where to; made when it is missing.
        made: the files.
        proven: what ``prove_head`` found for them.
        listener: told of a ``main.cc`` that is kept: it is there to be filled in.
        columns: names of the inputs, for a comment; empty: they have none.

    Returns:
        All files. Those of the backbone are left out where there is none.

    Raises:
        ExportError: a class' name is no printable line, or a file that no export made lies where
            one is to be written.
    """
    classes, run = made.info.classes, proven.backbone
    check_labels(classes)
    models = [proven.steps.facts, *([] if run is None else [run.facts])]
    files: dict[str, str | bytes | Iterator[str]] = {
        "train.tflite": made.training,
        HEAD_JSON: first_line_alone(json.dumps(made.info.to_json(), indent=1)),
        "train_data.h": _header(made, proven),
        TRAIN_DATA: _data(made, proven),
        "head.h": templates.HEAD,
        "ops.h": operators_header(models),
        MAIN: training_main(backbone=run is not None),
        "README.txt": _readme(made, proven),
    }
    if run is not None and made.backbone is not None:
        size, scaling = len(made.backbone), made.scaling
        files["backbone.tflite"] = made.backbone
        files["model_data.h"] = model_header(size, run, scaling, columns, labels=())
        files[DATA] = model_data(made.backbone, run, scaling, labels=())
    sha256 = hashlib.sha256(made.training).hexdigest()
    return write_all(folder, files, sha256, made.info.origin, listener)


def _header(made: MadeHead, proven: ProvenHead) -> str:
    steps, shape = proven.steps, made.shape
    scale, zero_point = 1.0, 0
    if proven.backbone is not None:
        port = proven.backbone.facts.outputs[0]
        assert port.scale is not None and port.zero_point is not None
        scale, zero_point = port.scale, port.zero_point
    of_backbone = proven.backbone is not None
    return templates.HEADER.format(
        sha256=hashlib.sha256(made.training).hexdigest(),
        size=len(made.training),
        needed=steps.arena.needed,
        arena=arena_with_margin(steps.arena.needed),
        batch=shape.batch,
        features=shape.features,
        units=shape.units,
        classes=shape.classes,
        **{name: number_of(steps.facts, name) for name in (*INPUTS, *OUTPUTS)},
        kept="int8, as the backbone gives it" if of_backbone else "the raw value",
        feature="std::int8_t" if of_backbone else "float",
        scale=c_float(scale),
        zero_point=zero_point,
        frozen=made.info.frozen,
        rows=len(proven.features),
        rate=c_float(GOLDEN_RATE),
        first=c_float(float(steps.rows[0, 0])),
        second=c_float(float(steps.rows[1, 0])),
        labels=labels_header(made.info.classes),
    )


def _data(made: MadeHead, proven: ProvenHead) -> Iterator[str]:
    golden = proven.features.reshape(-1)
    yield templates.DATA_HEAD
    yield "alignas(16) const unsigned char kTrainModel[kTrainModelSize] = {\n"
    yield from numbers(np.frombuffer(made.training, np.uint8))
    yield "};\n\nconst float kStartKernel[kHeadFeatures * kHeadUnits] = {\n"
    yield from _floats(made.kernel.reshape(-1))
    yield "};\n\nconst float kStartBias[kHeadUnits] = {\n"
    yield from _floats(made.bias)
    yield "};\n\nconst HeadFeature kGoldenFeatures[kGoldenRows * kHeadFeatures] = {\n"
    yield from (numbers(golden) if proven.backbone is not None else _floats(golden))
    yield "};\n\nconst std::uint16_t kGoldenLabels[kGoldenRows] = {\n"
    yield f"{', '.join(map(str, proven.labels.tolist()))},\n"
    yield "};\n\nconst float kGoldenBias[kHeadUnits] = {\n"
    yield from _floats(proven.steps.rows[-1, -made.shape.units :])
    yield from labels_data(made.info.classes)
    yield "};\n\n}  // namespace ecavg\n"


def _floats(values: Array) -> Iterator[str]:
    if not np.isfinite(values).all():
        raise ExportError("a weight of the head is NaN or infinite: train the model again")
    for start in range(0, len(values), _FLOATS_A_LINE):
        line = values[start : start + _FLOATS_A_LINE].tolist()
        yield "".join(f"{c_float(value)}," for value in line) + "\n"


def _readme(made: MadeHead, proven: ProvenHead) -> str:
    run, steps, shape = proven.backbone, proven.steps, made.shape
    with_backbone = ""
    if run is not None and made.backbone is not None:
        with_backbone = templates.README_BACKBONE.format(
            size=len(made.backbone),
            needed=run.arena.needed,
            arena=arena_with_margin(run.arena.needed),
            difference=run.max_difference,
        )
    return templates.README.format(
        batch=shape.batch,
        backbone=with_backbone,
        size=len(made.training),
        needed=steps.arena.needed,
        arena=arena_with_margin(steps.arena.needed),
        weights=4 * (made.kernel.size + made.bias.size),
        kept=proven.features.itemsize * shape.features,
        difference=f"{proven.difference:.2g}",
        agreement=f"{100 * proven.agreement:.1f}",
        examples=proven.examples,
    )
