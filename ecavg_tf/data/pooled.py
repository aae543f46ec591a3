"""Pooled data files: training examples that an edge agreed to upload."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecavg_tf.core.errors import WorkdirError
from ecavg_tf.core.fields import FieldError, Fields
from ecavg_tf.core.files import file_sha256, read_json, write_json
from ecavg_tf.core.messages.update_file import TensorFile, save_tensors
from ecavg_tf.data.dataset import DataSpec, Examples, concatenated

_RECORD = "taken.json"
_HEADER = 2**16  # names, shapes and metadata

_NAMES, _EARLIER_NAMES = {"inputs", "labels"}, {"images", "labels"}


def write_pooled(path: Path, edge: str, examples: Examples) -> None:
    """Writes an edge's examples in their native dtype, whole or not at all."""
    save_tensors(path, {"inputs": examples.inputs, "labels": examples.labels}, {"edge": edge})


def pooled_path(folder: Path, edge: str) -> Path:
    """Where a run's folder of pooled data holds an edge's."""
    return folder / f"{edge}.safetensors"


def record_pooled(folder: Path, edges: Sequence[str], round_number: int) -> None:
    """Makes edges' files in a run's folder count: their hashes, and the round that took them.

    Until then the edges are asked again. The file of one that does not answer counts without a
    record, as those of older runs do.
    """
    known = read_json(folder / _RECORD) if (folder / _RECORD).exists() else {}
    for edge in edges:
        path = pooled_path(folder, edge)
        size = path.stat().st_size
        known[edge] = {"round": round_number, "bytes": size, "sha256": file_sha256(path)}
    if edges:
        write_json(folder / _RECORD, dict(sorted(known.items())))


def bytes_taken(folder: Path, round_number: int) -> int:
    """Size of all files that a round took, also before its process was killed."""
    return sum(
        each.bytes
        for edge, each in _records(folder).items()
        if each.round == round_number and pooled_path(folder, edge).exists()
    )


def still_pooled(folder: Path, edges: Sequence[str]) -> frozenset[str]:
    """Those whose file was taken and is what it was then; the others are asked for it again."""
    records = _records(folder)
    return frozenset(
        edge
        for edge in edges
        if edge in records
        and (path := pooled_path(folder, edge)).is_file()
        and file_sha256(path) == records[edge].sha256
    )


@dataclass(frozen=True)
class _Taken:
    round: int
    bytes: int
    sha256: str


def _records(folder: Path) -> dict[str, _Taken]:
    """What was taken of each edge; runs of older versions have no such record."""
    path = folder / _RECORD
    if not path.exists():
        return {}
    try:
        fields = Fields(read_json(path))
        inner = {edge: fields.inner(edge) for edge in fields.values}
        return {
            edge: _Taken(each.count("round"), each.count("bytes"), each.sha256("sha256"))
            for edge, each in inner.items()
        }
    except FieldError as error:
        raise WorkdirError(
            f"{path} is damaged ({error}); restore it, or remove it: the next round asks for all "
            "pooled data again"
        ) from error


def _check_unchanged(path: Path, taken: _Taken | None) -> None:
    """A flipped bit would train another model, and nobody would know."""
    if taken is not None and not path.exists():
        raise ValueError("it is missing")
    if taken is not None and file_sha256(path) != taken.sha256:
        raise ValueError("its bytes are not those that were taken")


def largest_pooled(examples: int, spec: DataSpec) -> int:
    """How many bytes the file of so many examples may have."""
    each = np.dtype(spec.dtype).itemsize * math.prod(spec.input_shape)
    return examples * (each + np.dtype(np.int64).itemsize) + _HEADER


def count_pooled(folder: Path, edge: str) -> int:
    """How many examples a run's folder of pooled data holds of an edge.

    Raises:
        WorkdirError: the file is damaged.
    """
    path = pooled_path(folder, edge)
    try:
        return len(TensorFile(path)["labels"]) if path.exists() else 0
    except ValueError as error:
        raise WorkdirError(f"{path} is damaged: {error}; restore it from a copy") from error


def read_all_pooled(folder: Path, edges: Sequence[str], spec: DataSpec) -> Examples | None:
    """What these edges have pooled so far, in their order; None: nothing.

    Raises:
        WorkdirError: a file is damaged.
    """
    parts = pooled_by_edge(folder, edges, spec)
    return concatenated(list(parts.values())) if parts else None


def pooled_by_edge(folder: Path, edges: Sequence[str], spec: DataSpec) -> dict[str, Examples]:
    """What each of these edges has pooled so far, in their order; who pooled nothing is left out.

    Raises:
        WorkdirError: a file is damaged.
    """
    parts: dict[str, Examples] = {}
    records = _records(folder)
    for edge in edges:
        path = pooled_path(folder, edge)
        try:
            _check_unchanged(path, records.get(edge))
            if path.exists():
                parts[edge] = read_pooled(path, edge, spec)
        except ValueError as error:
            raise WorkdirError(
                f"{path} is damaged ({error}); restore it, or begin again with an empty directory"
            ) from error
    return parts


def read_pooled(path: Path, edge: str, spec: DataSpec) -> Examples:
    """Reads and checks an edge's pooled data.

    Args:
        path: the file.
        edge: whose it must be.
        spec: what the run's data looks like.

    Raises:
        ValueError: it is not such a file, or does not fit ``spec``.
    """
    stored = TensorFile(path)
    name = next(iter(stored.keys - {"labels"}), "")
    if stored.metadata.get("edge") != edge or stored.keys not in (_NAMES, _EARLIER_NAMES):
        raise ValueError(f"its pooled data is not that of {edge}")
    inputs, labels = stored[name], stored["labels"]
    if inputs.shape[1:] != spec.input_shape or inputs.dtype.name != spec.dtype:
        raise ValueError(
            f"its pooled examples are {inputs.dtype.name}{inputs.shape[1:]}, "
            f"expected {spec.dtype}{spec.input_shape}"
        )
    if labels.shape != inputs.shape[:1] or labels.dtype != np.int64 or len(labels) == 0:
        raise ValueError(f"its pooled labels are {labels.dtype.name}{labels.shape}")
    if labels.min() < 0 or labels.max() >= spec.num_classes:
        raise ValueError(
            f"its pooled labels run from {labels.min()} to {labels.max()}, "
            f"expected 0 to {spec.num_classes - 1}"
        )
    if np.issubdtype(inputs.dtype, np.floating) and not np.isfinite(inputs).all():
        raise ValueError("its pooled examples hold NaN or infinite values")
    low, high = spec.value_range
    if spec.declared and (inputs.min() < low or inputs.max() > high):
        raise ValueError(
            f"its pooled examples hold values from {inputs.min()} to {inputs.max()}, "
            f"expected {low:g} to {high:g}"
        )
    return Examples(inputs, labels)
