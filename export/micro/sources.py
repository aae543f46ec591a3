"""Sources for a microcontroller: the model as a C array, its operators, a minimal main."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ecavg_tf.core.bundles.scaling import FeatureScaling
from ecavg_tf.core.class_names import fault_of
from ecavg_tf.core.errors import ExportError
from ecavg_tf.core.template import Array
from ecavg_tf.events import Listener, silent
from export.micro import templates
from export.micro.interpreter import MicroRun, even_score
from export.micro.literals import c_float, c_string, elements
from export.micro.manifest import DATA, MAIN
from export.micro.operators import require_micro, resolver_call
from export.micro.writing import write_all
from export.reading.flatmodel import FlatModel

_BYTES_A_LINE = 16
_MARGIN_FRACTION = 8
_MARGIN_LEAST = 1024


def arena_with_margin(needed: int) -> int:
    """The arena to reserve: an eighth more than was needed, at least 1 KiB more.

    The margin is for scratch memory of a processor's own kernels (CMSIS-NN, ESP-NN),
    which the reference kernels that were measured don't ask for. It is a choice, not a
    bound: the device's ``arena_used_bytes()`` tells what was really used.
    """
    generous = needed + max(needed // _MARGIN_FRACTION, _MARGIN_LEAST)
    return -(-generous // 16) * 16


def write_sources(
    folder: Path,
    tflite: bytes,
    labels: Sequence[str],
    run: MicroRun,
    listener: Listener = silent,
    origin: Mapping[str, Any] | None = None,
    *,
    scaling: FeatureScaling | None = None,
    columns: Sequence[str] = (),
) -> tuple[Path, ...]:
    """Writes what a firmware needs to run a model.

    Args:
        folder: where to; made when it is missing.
        tflite: a full-int8 file.
        labels: name of every class, in the order of the model's scores.
        run: what ``run_in_micro`` found for this very file. Its arena is what the sources
            reserve, its clearest example what they test themselves with.
        listener: told of a ``main.cc`` that is kept: it is there to be filled in.
        origin: where the model comes from, for ``sources.json``.
        scaling: what is done to raw inputs before they are quantized; None: nothing.
        columns: names of the inputs, for a comment; empty: they have none.

    Returns:
        The files: ``model_data.h``, ``model_data.cc``, ``ops.h``, ``main.cc``,
        ``README.txt``, and ``sources.json``, which lists them with their hashes.

    Raises:
        ExportError: the file can't run on a microcontroller, the run is another file's,
            there are not as many labels as scores, one is no printable line, or a file that no
            export made lies where one is to be written.
    """
    facts = require_micro(tflite)
    if hashlib.sha256(tflite).hexdigest() != run.sha256:
        raise ExportError("the run in tflite-micro was of another file; run this one first")
    scores = elements(facts.outputs[0])
    if len(labels) != max(2, scores):
        raise ExportError(f"{len(labels)} labels came, and the model gives {scores} scores")
    check_labels(labels)
    texts = {
        "model_data.h": model_header(len(tflite), run, scaling, columns, labels=labels),
        "ops.h": operators_header([facts]),
        MAIN: _main(scores, scaling),
        "README.txt": _readme(len(tflite), run),
    }
    lines = model_data(tflite, run, scaling, labels=labels)
    return write_all(folder, {**texts, DATA: lines}, run.sha256, origin or {}, listener)


def check_labels(labels: Sequence[str]) -> None:
    """Raises an ``ExportError`` if one is no printable line, or there twice."""
    if fault := fault_of(labels):
        raise ExportError(fault)


def _main(scores: int, scaling: FeatureScaling | None) -> str:
    """``main.cc``; with features on scales of their own, each is rescaled by its place."""
    text = templates.MAIN if scores > 1 else templates.MAIN_OF_ONE_SCORE
    if scaling is None:
        return text
    for plain, scaled in templates.MAIN_SCALED:
        text = text.replace(plain, scaled)
    return text


def model_header(
    size: int,
    run: MicroRun,
    scaling: FeatureScaling | None,
    columns: Sequence[str],
    *,
    labels: Sequence[str],
) -> str:
    """``model_data.h``.

    Args:
        size: of the file, in bytes.
        run: in tflite-micro.
        scaling: of raw inputs; None: nothing is done to them.
        columns: names of the inputs; empty: they have none.
        labels: of the classes; empty: the model gives features, not scores.
    """
    (entry,), (exit_,) = run.facts.inputs, run.facts.outputs
    return templates.HEADER.format(
        sha256=run.sha256,
        size=size,
        needed=run.arena.needed,
        arena=arena_with_margin(run.arena.needed),
        input_shape=", ".join(map(str, entry.shape)),
        input_size=elements(entry),
        input_scale=c_float(entry.scale),
        input_zero_point=entry.zero_point,
        output_size=elements(exit_),
        output_scale=c_float(exit_.scale),
        output_zero_point=exit_.zero_point,
        gives="score" if labels else "feature",
        even=templates.EVEN.format(even=even_score(exit_))
        if labels and elements(exit_) == 1
        else "",
        labels=labels_header(labels),
        features="" if scaling is None else templates.FEATURES.format(features=len(scaling.scale)),
        columns=_in_a_comment(columns),
    )


def labels_header(labels: Sequence[str]) -> str:
    """What declares labels; empty where there are none."""
    return templates.LABELS.format(count=len(labels)) if labels else ""


def _in_a_comment(columns: Sequence[str]) -> str:
    """The names of the inputs; escaped, none of them can end the comment."""
    if not columns:
        return ""
    lines = (f"//   [{at}] {c_string(name)}\n" for at, name in enumerate(columns))
    return "// The values that the model takes, in this order:\n" + "".join(lines)


def model_data(
    tflite: bytes, run: MicroRun, scaling: FeatureScaling | None, *, labels: Sequence[str]
) -> Iterator[str]:
    """``model_data.cc`` in pieces; see ``model_header``."""
    yield templates.DATA_HEAD
    yield "alignas(16) const unsigned char kModel[kModelSize] = {\n"
    yield from numbers(np.frombuffer(tflite, np.uint8))
    yield "};\n\nconst std::int8_t kGoldenImage[kInputSize] = {\n"
    yield from numbers(run.inputs[run.clearest].reshape(-1))
    yield "};\n\nconst std::int8_t kGoldenScores[kOutputSize] = {\n"
    yield from numbers(run.outputs[run.clearest])
    yield from labels_data(labels)
    for name, values in () if scaling is None else vars(scaling).items():
        yield f"}};\n\nconst float kFeature{name.capitalize()}[kFeatureCount] = {{\n"
        yield from (f"    {c_float(value)},\n" for value in values)
    yield "};\n\n}  // namespace ecavg\n"


def labels_data(labels: Sequence[str]) -> Iterator[str]:
    """The labels, behind another array that they end; nothing where there are none."""
    if labels:
        yield "};\n\nconst char* const kLabels[kLabelCount] = {\n"
        yield from (f"    {c_string(label)},\n" for label in labels)


def numbers(values: Array) -> Iterator[str]:
    """Whole numbers from -128 to 255 as the inner lines of an array."""
    written = {value: f"{value}," for value in range(-128, 256)}
    for start in range(0, len(values), _BYTES_A_LINE):
        line = values[start : start + _BYTES_A_LINE].tolist()
        yield "".join(map(written.__getitem__, line)) + "\n"


def operators_header(models: Iterable[FlatModel]) -> str:
    """``ops.h``: one resolver of all operators that some models use."""
    names = {each.name for facts in models for each in facts.operators}
    calls = [resolver_call(name) for name in sorted(names)]
    added = "".join(f"  TF_LITE_ENSURE_STATUS(resolver.{call}());\n" for call in calls)
    return templates.OPERATORS.format(count=len(calls), added=added)


def _readme(size: int, run: MicroRun) -> str:
    return templates.README.format(
        size=size,
        inputs=len(run.inputs),
        reference=f"{run.reference_agreement:.3f}",
        default=f"{run.agreement:.3f}",
        needed=run.arena.needed,
        arena=arena_with_margin(run.arena.needed),
        peak=run.facts.peak_activation_bytes,
        operators="\n".join(
            f"    {each.name} (version {each.version}), {each.count} times"
            for each in run.facts.operators
        ),
    )
