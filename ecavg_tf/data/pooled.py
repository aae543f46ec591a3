"""Pooled data files: training examples that an edge agreed to upload."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ecavg_tf.core.errors import WorkdirError
from ecavg_tf.core.messages.update_file import TensorFile, save_tensors
from ecavg_tf.data.dataset import DataSpec, Examples, concatenated

_HEADER = 2**16  # names, shapes and metadata


def write_pooled(path: Path, edge: str, examples: Examples) -> None:
    """Writes an edge's examples in their native dtype, whole or not at all."""
    save_tensors(path, {"images": examples.images, "labels": examples.labels}, {"edge": edge})


def pooled_path(folder: Path, edge: str) -> Path:
    """Where a run's folder of pooled data holds an edge's."""
    return folder / f"{edge}.safetensors"


def largest_pooled(examples: int, spec: DataSpec) -> int:
    """How many bytes the file of so many examples may have."""
    each = np.dtype(spec.dtype).itemsize * math.prod(spec.image_shape)
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
    parts: list[Examples] = []
    for edge in edges:
        path = pooled_path(folder, edge)
        try:
            parts += [read_pooled(path, edge, spec)] if path.exists() else []
        except ValueError as error:
            raise WorkdirError(
                f"{path} is damaged ({error}); restore it, or remove it: the next round asks for it"
            ) from error
    return concatenated(parts) if parts else None


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
    if stored.metadata.get("edge") != edge or stored.keys != {"images", "labels"}:
        raise ValueError(f"its pooled data is not that of {edge}")
    images, labels = stored["images"], stored["labels"]
    if images.shape[1:] != spec.image_shape or images.dtype.name != spec.dtype:
        raise ValueError(
            f"its pooled images are {images.dtype.name}{images.shape[1:]}, "
            f"expected {spec.dtype}{spec.image_shape}"
        )
    if labels.shape != images.shape[:1] or labels.dtype != np.int64 or len(labels) == 0:
        raise ValueError(f"its pooled labels are {labels.dtype.name}{labels.shape}")
    if labels.min() < 0 or labels.max() >= spec.num_classes:
        raise ValueError(
            f"its pooled labels run from {labels.min()} to {labels.max()}, "
            f"expected 0 to {spec.num_classes - 1}"
        )
    if np.issubdtype(images.dtype, np.floating) and not np.isfinite(images).all():
        raise ValueError("its pooled images hold NaN or infinite values")
    low, high = spec.value_range
    if images.min() < low or images.max() > high:
        raise ValueError(
            f"its pooled images hold values from {images.min()} to {images.max()}, "
            f"expected {low:g} to {high:g}"
        )
    return Examples(images, labels)
