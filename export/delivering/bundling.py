"""A file's bundle, with golden pairs from its own parity examples."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.bundles.bundle import TOLERANCE, Bundle, BundleInfo, write_bundle
from ecavg_tf.core.exports import Cost
from export.making.formats import Variant
from export.proving.file_proof import FileProof
from export.proving.gate import Reference
from export.reading.metadata import Description

_GOLDEN, _GOLDEN_BYTES = 32, 2**24


def bundle_file(
    path: Path,
    content: bytes,
    variant: Variant,
    description: Description,
    found: FileProof,
    cost: Cost,
    reference: Reference,
) -> None:
    """Writes the bundle of a file that is delivered, and what was proved of it."""
    assert found.input is not None and found.output is not None and found.answers is not None
    count = max(1, min(_GOLDEN, _GOLDEN_BYTES // reference.inputs[:1].nbytes))
    chosen = spread(len(reference.inputs), count)
    info = BundleInfo(
        format=variant.kind.value,
        classes=description.classes,
        inputs_dtype=description.inputs_dtype,
        value_range=description.value_range,
        input=found.input,
        output=found.output,
        output_kind=description.output_kind,
        origin=description.origin,
        min_runtime=cost.min_runtime,
        operators=tuple((op.name, op.version, op.count) for op in cost.operators),
        tolerance=TOLERANCE[variant.kind],
        proved_as=found.proved_as,
        verdict=found.verdict,
    )
    write_bundle(path, Bundle(info, content, reference.inputs[chosen], found.answers[chosen]))


def spread(length: int, count: int) -> NDArray[np.int64]:
    """At most ``count`` positions, spread over ``length``."""
    return np.unique(np.linspace(0, length - 1, count).astype(np.int64))
