"""Sources for a microcontroller: the model as a C array, its operators, a minimal main."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from ecavg_tf.core.errors import ExportError
from ecavg_tf.core.files import atomic_path, write_text
from export.flatmodel import FlatModel
from export.micro import templates
from export.micro.operators import require_micro, resolver_call

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
    folder: Path, tflite: bytes, labels: Sequence[str], arena_needed: int
) -> tuple[Path, ...]:
    """Writes what a firmware needs to run a model.

    Args:
        folder: where to; made when it is missing.
        tflite: a full-int8 file.
        labels: name of every class, in the order of the model's scores.
        arena_needed: bytes that ``run_in_micro`` found to be enough.

    Returns:
        The files: ``model_data.h``, ``model_data.cc``, ``ops.h``, ``main.cc`` and
        ``README.txt``.

    Raises:
        ExportError: the file can't run on a microcontroller, or there are not as many
            labels as scores.
    """
    facts = require_micro(tflite)
    scores = templates.elements(facts.outputs[0])
    if len(labels) != scores:
        raise ExportError(f"{len(labels)} labels came, and the model gives {scores} scores")
    texts = {
        "model_data.h": _header(tflite, facts, labels, arena_needed),
        "ops.h": _operators(facts),
        "main.cc": templates.MAIN,
        "README.txt": _readme(tflite, facts, arena_needed),
    }
    for name, text in texts.items():
        write_text(folder / name, text)
    with atomic_path(folder / "model_data.cc") as path, path.open("w", encoding="ascii") as stream:
        stream.writelines(_data(tflite, labels))
    return tuple(sorted(folder / name for name in (*texts, "model_data.cc")))


def _header(tflite: bytes, facts: FlatModel, labels: Sequence[str], arena: int) -> str:
    (entry,), (exit_,) = facts.inputs, facts.outputs
    return templates.HEADER.format(
        sha256=hashlib.sha256(tflite).hexdigest(),
        size=len(tflite),
        needed=arena,
        arena=arena_with_margin(arena),
        input_shape=", ".join(map(str, entry.shape)),
        input_size=templates.elements(entry),
        input_scale=templates.c_float(entry.scale),
        input_zero_point=entry.zero_point,
        output_size=templates.elements(exit_),
        output_scale=templates.c_float(exit_.scale),
        output_zero_point=exit_.zero_point,
        labels=len(labels),
    )


def _data(tflite: bytes, labels: Sequence[str]) -> Iterator[str]:
    yield templates.DATA_HEAD
    yield "alignas(16) const unsigned char kModel[kModelSize] = {\n"
    numbers = [f"{value}," for value in range(256)]
    for start in range(0, len(tflite), _BYTES_A_LINE):
        yield "".join(map(numbers.__getitem__, tflite[start : start + _BYTES_A_LINE])) + "\n"
    yield "};\n\nconst char* const kLabels[kLabelCount] = {\n"
    yield from (f"    {templates.c_string(label)},\n" for label in labels)
    yield "};\n\n}  // namespace ecavg\n"


def _operators(facts: FlatModel) -> str:
    calls = [resolver_call(name) for name in sorted({each.name for each in facts.operators})]
    added = "".join(f"  TF_LITE_ENSURE_STATUS(resolver.{call}());\n" for call in calls)
    return templates.OPERATORS.format(count=len(calls), added=added)


def _readme(tflite: bytes, facts: FlatModel, arena: int) -> str:
    return templates.README.format(
        size=len(tflite),
        needed=arena,
        arena=arena_with_margin(arena),
        peak=facts.peak_activation_bytes,
        operators="\n".join(
            f"    {each.name} (version {each.version}), {each.count} times"
            for each in facts.operators
        ),
    )
