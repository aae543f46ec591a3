"""The device bundle: a model with all that a device needs to run and to test it, as one zip.

A device with nothing but numpy reads it. Hashes inside it are integrity: they show that
bytes were damaged. They are no authenticity: whoever can write a bundle can write its
hashes (``export.delivering.signing`` is for that). Everything that is read is bounded before it is
unpacked, and nothing is ever unpickled or written to disk.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ecavg_tf.core.bundles.archive import (
    check_parts,
    deterministic_zip,
    identity,
    npy_bytes,
    read_array,
    read_members,
)
from ecavg_tf.core.bundles.scaling import FeatureScaling, told
from ecavg_tf.core.class_names import fault_of
from ecavg_tf.core.errors import ExportError, brief
from ecavg_tf.core.exports import ProvedAs, Verdict
from ecavg_tf.core.fields import DTYPES, Fields, short
from ecavg_tf.core.files import load_json, write_bytes
from ecavg_tf.core.older_names import with_names_of_today
from ecavg_tf.core.paths import user_path
from ecavg_tf.core.template import Array

T = TypeVar("T", ProvedAs, Verdict)

SCHEMA_VERSION = 1
MANIFEST = "bundle.json"
MODEL, LABELS = "model.tflite", "labels.txt"
GOLDEN_INPUTS, GOLDEN_OUTPUTS = "golden_inputs.npy", "golden_outputs.npy"
PARTS = (MODEL, LABELS, GOLDEN_INPUTS, GOLDEN_OUTPUTS)
OUTPUT_KINDS = ("probabilities", "logits", "probability_of_second", "logit_of_second")
# What interpreters may differ by, of each format (measured: a few steps of int8, summed over
# the layers): what is written, and the most that is believed of what is read.
TOLERANCE: Mapping[str, Mapping[str, float]] = {
    "float32": {"max_difference": 1e-3, "label_agreement": 0.9},
    "float16": {"max_difference": 2e-2, "label_agreement": 0.9},
    "dynamic": {"max_difference": 0.15, "label_agreement": 0.75},
    "int8": {"max_difference": 0.15, "label_agreement": 0.75},
    "int16x8": {"max_difference": 0.15, "label_agreement": 0.75},
}

_MIB = 2**20
# The model is the largest part by far: a flatbuffer can't be larger than 2 GiB.
LARGEST = {MANIFEST: _MIB, MODEL: 2**31, LABELS: 4 * _MIB}
LARGEST_GOLDEN = 64 * _MIB


@dataclass(frozen=True)
class TensorSpec:
    """The model's input or output tensor.

    Attributes:
        shape: with -1 where it is dynamic.
        dtype: numpy's name.
        scale: real value of one step; None where it is not quantized.
        zero_point: the integer that stands for 0.0; None where it is not quantized.
    """

    shape: tuple[int, ...]
    dtype: str
    scale: float | None = None
    zero_point: int | None = None


@dataclass(frozen=True)
class BundleInfo:
    """What ``bundle.json`` says, beside the parts' hashes.

    Attributes:
        format: ``float32``, ``float16``, ``dynamic``, ``int8`` or ``int16x8``.
        classes: labels, in the order of the outputs.
        inputs_dtype: numpy's name of the raw inputs' dtype.
        value_range: lowest and highest value of a raw input.
        input: the input tensor; quantize raw inputs with its scale and zero point.
        output: the output tensor.
        output_kind: ``probabilities``, or ``logits``: apply a softmax. Of one output for two
            classes: ``probability_of_second``, of the second class, or ``logit_of_second``:
            apply a sigmoid.
        origin: where the model comes from: run, round, edge, weights_sha256.
        min_runtime: oldest TFLite runtime that can run it; None when not known.
        operators: name, version and count of each operator.
        tolerance: largest absolute difference from the golden outputs (probabilities),
            and least share of equal labels, that a sound runtime may show.
        proved_as: what the file was held against; None in bundles of earlier versions.
        verdict: whether that was shown; ``undecided``: too few examples show it, and the
            exporter was told to deliver it nevertheless. None likewise.
        declared: whether values outside the range are refused.
        feature_scaling: what is done to raw inputs before they are quantized; None: nothing.
        columns: names of the inputs, where they are the columns of a table; None: they have
            none, and bundle.json does not tell of them.
    """

    format: str
    classes: tuple[str, ...]
    inputs_dtype: str
    value_range: tuple[float, float]
    input: TensorSpec
    output: TensorSpec
    output_kind: str
    origin: Mapping[str, Any]
    min_runtime: str | None
    operators: tuple[tuple[str, int, int], ...]
    tolerance: Mapping[str, float]
    proved_as: ProvedAs | None = None
    verdict: Verdict | None = None
    declared: bool = True
    feature_scaling: FeatureScaling | None = None
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Bundle:
    """A bundle that was read and verified.

    Attributes:
        info: the description.
        model: bytes of the ``.tflite``.
        golden_inputs: raw inputs, shape (k, …), in the inputs' dtype.
        golden_outputs: what the file answered where it was made, probabilities, shape
            (k, classes), float32.
    """

    info: BundleInfo
    model: bytes
    golden_inputs: Array
    golden_outputs: Array


def write_bundle(path: Path, bundle: Bundle) -> None:
    """Writes a bundle, whole or not at all; the same bundle always gives the same bytes."""
    parts = {
        MODEL: bundle.model,
        LABELS: label_bytes(bundle.info.classes),
        GOLDEN_INPUTS: npy_bytes(bundle.golden_inputs),
        GOLDEN_OUTPUTS: npy_bytes(bundle.golden_outputs),
    }
    manifest = {
        "schema_version": SCHEMA_VERSION,
        **told(bundle.info, asdict(bundle.info)),
        "parts": {name: identity(content) for name, content in parts.items()},
    }
    text = json.dumps(manifest, indent=2, sort_keys=True, allow_nan=False) + "\n"
    write_bytes(path, deterministic_zip({MANIFEST: text.encode(), **parts}))


def read_bundle(path: str | Path) -> Bundle:
    """Reads a bundle and verifies every part.

    Args:
        path: the file.

    Raises:
        ExportError: it is missing, damaged, not a bundle, or holds what a bundle must
            not; the line names the part.
    """
    path = user_path(path)
    largest = {name: LARGEST.get(name, LARGEST_GOLDEN) for name in (MANIFEST, *PARTS)}
    contents = read_members(path, largest)
    info, parts = _manifest(path, contents.pop(MANIFEST))
    check_parts(path, contents, parts)
    check_labels(path, contents[LABELS], info.classes)
    inputs, outputs = (read_array(path, name, contents[name]) for name in PARTS[2:])
    _check_golden(path, info, inputs, outputs)
    return Bundle(info, contents[MODEL], inputs, outputs)


def columns_of(fields: Fields, shape: Sequence[int]) -> tuple[str, ...] | None:
    """The names of the inputs that a manifest tells; None: of none.

    Args:
        fields: the manifest.
        shape: of one input.
    """
    if "columns" not in fields.values:
        return None
    columns = fields.texts("columns")
    if tuple(shape) != (len(columns),):
        raise fields.refuse("columns", f"one name for each input, of shape {tuple(shape)}")
    return columns


def check_labels(path: Path, content: bytes, classes: Sequence[str]) -> None:
    """Compares the labels' member with the classes of the manifest.

    Raises:
        ExportError: they differ.
    """
    if content != label_bytes(classes):
        raise ExportError(f"bundle {path}: {LABELS} and the classes of bundle.json differ")


def label_bytes(classes: Sequence[str]) -> bytes:
    """Labels as a bundle holds them, a line each.

    Raises:
        ExportError: one is more than a printable line, or two are the same.
    """
    if fault := fault_of(classes):
        raise ExportError(fault)
    return "".join(f"{label}\n" for label in classes).encode()


def _manifest(path: Path, content: bytes) -> tuple[BundleInfo, Mapping[str, Any]]:
    try:
        fields = Fields(with_names_of_today(Fields.of(load_json(content)).values))
        version = fields.get("schema_version")
        if version != SCHEMA_VERSION:
            raise ExportError(
                f"bundle {path} has schema version {short(version)}, this program reads "
                f"{SCHEMA_VERSION}"
            )
        fields.only(("schema_version", "parts", *BundleInfo.__dataclass_fields__))
        return _info(fields), fields.inner("parts").values
    except ValueError as error:
        raise ExportError(f"bundle {path}: bundle.json is not sound: {brief(error)}") from error


def _info(fields: Fields) -> BundleInfo:
    format_ = fields.choice("format", TOLERANCE)
    input_ = _tensor(fields.inner("input"))
    return BundleInfo(
        format=format_,
        classes=fields.texts("classes"),
        inputs_dtype=fields.choice("inputs_dtype", DTYPES),
        value_range=fields.value_range("value_range"),
        input=input_,
        output=_tensor(fields.inner("output")),
        output_kind=fields.choice("output_kind", OUTPUT_KINDS),
        origin=fields.inner("origin").values,
        min_runtime=fields.release("min_runtime"),
        operators=fields.operators("operators"),
        tolerance=_tolerance(fields.inner("tolerance"), TOLERANCE[format_]),
        proved_as=_later(fields, "proved_as", ProvedAs),
        verdict=_later(fields, "verdict", Verdict),
        declared="declared" not in fields.values or fields.flag("declared"),
        feature_scaling=FeatureScaling.field(fields, "feature_scaling")
        if "feature_scaling" in fields.values
        else None,
        columns=columns_of(fields, input_.shape[1:]),
    )


def _later(fields: Fields, name: str, kind: type[T]) -> T | None:
    """A choice that bundles of earlier versions don't hold."""
    if name not in fields.values or fields.get(name) is None:
        return None
    return kind(fields.choice(name, tuple(kind)))


def _tensor(fields: Fields) -> TensorSpec:
    fields.only(TensorSpec.__dataclass_fields__)
    quantized = fields.get("scale") is not None
    return TensorSpec(
        shape=fields.sizes("shape", dynamic=True),
        dtype=fields.choice("dtype", DTYPES),
        scale=fields.number("scale", 0, zero=False) if quantized else None,
        zero_point=fields.whole("zero_point", -(2**31), 2**31 - 1) if quantized else None,
    )


def _tolerance(fields: Fields, most: Mapping[str, float]) -> Mapping[str, float]:
    """No more than the exporter grants: with more, a bundle's own test would say nothing."""
    fields.only(most)
    return {
        "max_difference": fields.number("max_difference", 0, most["max_difference"]),
        "label_agreement": fields.number("label_agreement", most["label_agreement"], 1),
    }


def _check_golden(path: Path, info: BundleInfo, inputs: Array, outputs: Array) -> None:
    scaling = info.feature_scaling
    if scaling is not None and info.input.shape[-1:] != (len(scaling.scale),):
        raise ExportError(
            f"bundle {path}: it rescales {len(scaling.scale)} features, its input is "
            f"{info.input.shape}"
        )
    expected = (len(inputs), len(info.classes))
    if outputs.shape != expected or inputs.shape[1:] != info.input.shape[1:] or not len(inputs):
        raise ExportError(
            f"bundle {path}: golden outputs of shape {outputs.shape} for inputs of shape "
            f"{inputs.shape} don't fit {len(info.classes)} classes and input {info.input.shape}"
        )
    if outputs.dtype.kind != "f" or not np.isfinite(outputs).all():
        raise ExportError(f"bundle {path}: golden outputs are no finite numbers; get it again")
