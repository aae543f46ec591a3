"""Sources for a microcontroller: the model as a C array, its operators, a minimal main."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ecavg_tf.core.errors import ExportError
from ecavg_tf.core.files import atomic_path, write_text
from ecavg_tf.core.template import Array
from ecavg_tf.events import Listener, Note, silent
from export.micro import templates
from export.micro.interpreter import MicroRun
from export.micro.literals import c_float, c_string, elements
from export.micro.operators import require_micro, resolver_call
from export.reading.flatmodel import FlatModel

_BYTES_A_LINE = 16
_MARGIN_FRACTION = 8
_MARGIN_LEAST = 1024
_DATA = "model_data.cc"
_MAIN = "main.cc"
_MARK = b"ritten by ecavg-tf"  # in the first line of all that is written here
_FIRST_LINE = 200  # bytes


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
) -> tuple[Path, ...]:
    """Writes what a firmware needs to run a model.

    Args:
        folder: where to; made when it is missing.
        tflite: a full-int8 file.
        labels: name of every class, in the order of the model's scores.
        run: what ``run_in_micro`` found for this very file. Its arena is what the sources
            reserve, its clearest image what they test themselves with.
        listener: told of a ``main.cc`` that is kept: it is there to be filled in.

    Returns:
        The files: ``model_data.h``, ``model_data.cc``, ``ops.h``, ``main.cc`` and
        ``README.txt``.

    Raises:
        ExportError: the file can't run on a microcontroller, the run is another file's,
            there are not as many labels as scores, or a file that no export made
            lies where one is to be written.
    """
    facts = require_micro(tflite)
    if hashlib.sha256(tflite).hexdigest() != run.sha256:
        raise ExportError("the run in tflite-micro was of another file; run this one first")
    scores = elements(facts.outputs[0])
    if len(labels) != scores:
        raise ExportError(f"{len(labels)} labels came, and the model gives {scores} scores")
    texts = {
        "model_data.h": _header(len(tflite), labels, run),
        "ops.h": _operators(facts),
        _MAIN: templates.MAIN,
        "README.txt": _readme(len(tflite), run),
    }
    names = sorted((*texts, _DATA))
    _check_ours(folder, [name for name in names if name != _MAIN])
    if _is_edited(folder / _MAIN):
        listener(Note(f"{folder / _MAIN} is kept as it is there; remove it for a fresh one"))
        del texts[_MAIN]
    for name, text in texts.items():
        write_text(folder / name, text)
    with atomic_path(folder / _DATA) as path, path.open("w", encoding="ascii") as stream:
        stream.writelines(_data(tflite, labels, run))
    return tuple(folder / name for name in names)


def _check_ours(folder: Path, names: Sequence[str]) -> None:
    for path in (folder / name for name in names):
        if os.path.lexists(path) and not (path.is_file() and _is_marked(path)):
            raise ExportError(
                f"{path} is there, and its first line does not say that ecavg-tf wrote it: move "
                "it away, or give another folder with --out"
            )


def _is_marked(path: Path) -> bool:
    with path.open("rb") as stream:
        return _MARK in stream.readline(_FIRST_LINE)


def _is_edited(main: Path) -> bool:
    """Whether something else lies there than what would be written."""
    if not main.is_file():
        return os.path.lexists(main)
    return main.read_bytes() != templates.MAIN.encode()


def _header(size: int, labels: Sequence[str], run: MicroRun) -> str:
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
        labels=len(labels),
    )


def _data(tflite: bytes, labels: Sequence[str], run: MicroRun) -> Iterator[str]:
    yield templates.DATA_HEAD
    yield "alignas(16) const unsigned char kModel[kModelSize] = {\n"
    yield from _numbers(np.frombuffer(tflite, np.uint8))
    yield "};\n\nconst std::int8_t kGoldenImage[kInputSize] = {\n"
    yield from _numbers(run.inputs[run.clearest].reshape(-1))
    yield "};\n\nconst std::int8_t kGoldenScores[kOutputSize] = {\n"
    yield from _numbers(run.outputs[run.clearest])
    yield "};\n\nconst char* const kLabels[kLabelCount] = {\n"
    yield from (f"    {c_string(label)},\n" for label in labels)
    yield "};\n\n}  // namespace ecavg\n"


def _numbers(values: Array) -> Iterator[str]:
    written = {value: f"{value}," for value in range(-128, 256)}
    for start in range(0, len(values), _BYTES_A_LINE):
        line = values[start : start + _BYTES_A_LINE].tolist()
        yield "".join(map(written.__getitem__, line)) + "\n"


def _operators(facts: FlatModel) -> str:
    calls = [resolver_call(name) for name in sorted({each.name for each in facts.operators})]
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
