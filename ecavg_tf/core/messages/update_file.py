"""Update files: what an edge uploads, as safetensors with one metadata entry.

Nothing here unpickles. The same update always gives the same bytes: keys come in
template order and the metadata is one entry of sorted JSON.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import safetensors
from safetensors import SafetensorError
from safetensors.numpy import load, save_file

from ecavg_tf.core.errors import UpdateRefused, brief
from ecavg_tf.core.fields import LARGEST_COUNT, Fields
from ecavg_tf.core.files import atomic_path, canonical_json, load_json
from ecavg_tf.core.messages.tensor_places import Places
from ecavg_tf.core.template import Array, Template, WeightSpec

METADATA_KEY = "ecavg"
MAX_EXAMPLES = LARGEST_COUNT


def save_tensors(
    path: Path, tensors: Mapping[str, Array], metadata: Mapping[str, Any], *, synced: bool = True
) -> None:
    """Writes named arrays and one JSON metadata entry, whole or not at all; see ``atomic_path``."""
    if "__metadata__" in tensors:
        raise ValueError("safetensors keeps the name '__metadata__' for itself; rename the weight")
    # safetensors stores a transposed array's memory as it lies: wrong values, no error.
    # (Not ascontiguousarray: it turns a scalar into an array of shape (1,).)
    contiguous = {key: np.asarray(array, order="C") for key, array in tensors.items()}
    with atomic_path(path, synced=synced) as temporary:
        save_file(contiguous, str(temporary), metadata={METADATA_KEY: canonical_json(metadata)})


class TensorFile:
    """Arrays and metadata as ``save_tensors`` writes them, read one array at a time.

    A file is opened anew for every array. safetensors maps files into memory, and a file
    that stays open keeps all that was read of it resident: fifty updates would be fifty
    models in memory. Its header is read once: safetensors checks it, and from then on its
    places are known.

    Args:
        source: the file, or its bytes.

    Raises:
        ValueError: it is missing, cut short, or not one that ``save_tensors`` wrote; or it
            has more than 100,000 arrays, or a header of more than 16 MiB.
    """

    def __init__(self, source: Path | bytes) -> None:
        self.name = source.name if isinstance(source, Path) else "the message"
        try:
            self._source = source if isinstance(source, Path) else _in_memory(source)
            if isinstance(self._source, Path):
                self._places = Places(self._source)
            opened = self._open()
            self.keys: frozenset[str] = frozenset(opened.keys())
            metadata = load_json((opened.metadata() or {})[METADATA_KEY])
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{self.name} is not a file of ours: {brief(error)}") from error
        if not isinstance(metadata, dict):
            raise ValueError(f"the metadata of {self.name} is not a JSON object")
        self.metadata: dict[str, Any] = metadata

    def _open(self) -> Any:
        opener: Any = safetensors.safe_open  # its methods carry no types
        at = self._source
        return opener(str(at), framework="numpy") if isinstance(at, Path) else at

    def __getitem__(self, key: str) -> Array:
        with self._named(key):
            if isinstance(self._source, Path):
                return self._places.read(key)
            array: Array = self._open().get_tensor(key)
        return array

    def part(self, key: str, first: int, stop: int) -> Array:
        """Some values of one array, shape (n,): those of its flat indices [first, stop)."""
        if isinstance(self._source, Path):
            with self._named(key):
                return self._places.part(key, first, stop)
        return self[key].ravel()[first:stop]

    @contextlib.contextmanager
    def _named(self, key: str) -> Iterator[None]:
        """Says of what can't be read where it is."""
        try:
            yield
        except (OSError, ValueError, SafetensorError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{self.name}, {key}: {brief(error)}") from error


def _in_memory(content: bytes) -> Any:
    """What ``safetensors.safe_open`` gives of a file, of bytes."""
    arrays = load(content)  # a header that does not fit the bytes is refused
    header = load_json(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return SimpleNamespace(
        keys=arrays.keys,
        metadata=lambda: header.get("__metadata__"),
        get_tensor=arrays.__getitem__,
    )


def largest_update(template: Template) -> int:
    """Most bytes that an update file of a template may have.

    Beside its arrays it has names, shapes and metadata: 16 MiB are more than any model needs.
    """
    return 8 * template.size + 2**24


def largest_pooled_file(edges: int) -> int:
    """Most bytes of pooled data that one of so many edges may send, whatever it claims to have.

    All pooled data is held in memory and then put together: it may take a quarter of what this
    machine has.
    """
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return memory // (4 * max(1, edges))


@dataclass(frozen=True)
class UpdateInfo:
    """What an update says of itself beside its weights.

    Attributes:
        round: number of the round, from 1.
        edge: name of the edge.
        examples: how many examples it trained on.
        class_counts: how many of each class, shape (classes,).
        template_sha256: hash of the template it was made for.
        metrics: scores that the edge measured, as JSON.
    """

    round: int
    edge: str
    examples: int
    class_counts: tuple[int, ...]
    template_sha256: str
    metrics: Mapping[str, Any]


class Update:
    """An update file opened for reading; arrays are read one at a time.

    Args:
        path: the file.

    Attributes:
        credit: how many examples it counts for: what it claims, unless the server doubts that.

    Raises:
        ValueError: it is not an update file.
    """

    def __init__(self, path: Path) -> None:
        self._file = TensorFile(path)
        self.path = path
        try:
            fields = Fields(self._file.metadata)  # check_update says which values fit
            self.info = UpdateInfo(
                round=fields.whole("round"),
                edge=fields.text("edge"),
                examples=fields.whole("examples"),
                class_counts=fields.each("class_counts", Fields.whole),
                template_sha256=fields.text("template_sha256"),
                metrics=fields.inner("metrics").values,
            )
        except ValueError as error:
            raise ValueError(f"the metadata of {path.name} is not an update's: {error}") from error
        self.credit: float = self.info.examples

    @property
    def keys(self) -> frozenset[str]:
        """Keys of the weights it carries."""
        return self._file.keys

    def __getitem__(self, key: str) -> Array:
        return self._file[key]

    def part(self, key: str, first: int, stop: int) -> Array:
        """Some values of one weight, shape (n,): those of its flat indices [first, stop)."""
        return self._file.part(key, first, stop)

    def items(self, template: Template) -> Iterator[tuple[WeightSpec, Array]]:
        """Reads its weights in template order, leaving out what it omits."""
        for spec in template.weights:
            if spec.key in self.keys:
                yield spec, self[spec.key]


def write_update(
    path: Path,
    info: UpdateInfo,
    weights: Mapping[str, Array],
    also: Mapping[str, Any] | None = None,
) -> None:
    """Writes an update file; same update, same bytes.

    Args:
        path: where to.
        info: the metadata.
        weights: arrays by template key; omittable ones may be absent.
        also: more metadata, for who wrote it; a server passes over it.

    Raises:
        ValueError: a metric is NaN or infinite.
    """
    save_tensors(
        path,
        weights,
        {
            "round": info.round,
            "edge": info.edge,
            "examples": info.examples,
            "class_counts": list(info.class_counts),
            "template_sha256": info.template_sha256,
            "metrics": dict(info.metrics),
            **(also or {}),
        },
    )


def check_update(
    update: Update, template: Template, *, edge: str, round_number: int, num_classes: int
) -> None:
    """Refuses an update that does not fit, before anything of it is averaged.

    Args:
        update: the opened update.
        template: what the run expects.
        edge: the edge that it came from.
        round_number: the current round.
        num_classes: how many classes the run's data set has.

    Raises:
        UpdateRefused: with the edge, the variable where there is one, what came and
            what was expected.
    """
    info = update.info
    if info.edge != edge:
        raise UpdateRefused(edge, f"its update names edge {info.edge!r}; send updates of its own")
    if info.round != round_number:
        raise UpdateRefused(edge, f"update of round {info.round}, this is round {round_number}")
    if not 1 <= info.examples <= MAX_EXAMPLES or min(info.class_counts, default=0) < 0:
        raise UpdateRefused(
            edge,
            f"counts must be positive and at most 2**53; it says {info.examples} examples, "
            f"its smallest class count is {min(info.class_counts, default=0)}",
        )
    if len(info.class_counts) != num_classes:
        raise UpdateRefused(
            edge, f"it counts {len(info.class_counts)} classes, the run has {num_classes}"
        )
    if sum(info.class_counts) != info.examples:
        raise UpdateRefused(
            edge, f"class counts sum to {sum(info.class_counts)}, it says {info.examples} examples"
        )
    expected = {spec.key for spec in template.weights}
    required = {spec.key for spec in template.weights if not spec.omittable}
    for problem, keys in (("lacks", required - update.keys), ("has extra", update.keys - expected)):
        if keys:
            raise UpdateRefused(edge, f"its update {problem} weight {_some(sorted(keys))}")
    for spec in template.weights:
        if spec.key in update.keys:
            _check_array(edge, spec, _read(edge, update, spec.key))
    if info.template_sha256 != template.sha256:
        raise UpdateRefused(
            edge, "its update was made for another template; start it from this run"
        )


def _read(edge: str, update: Update, key: str) -> Array:
    try:
        return update[key]
    except ValueError as error:
        raise UpdateRefused(edge, str(error)) from error


def _check_array(edge: str, spec: WeightSpec, array: Array) -> None:
    if array.shape != spec.shape:
        raise UpdateRefused(
            edge, f"weight {spec.key} has shape {array.shape}, expected {spec.shape}"
        )
    if array.dtype.name != spec.dtype:
        raise UpdateRefused(
            edge, f"weight {spec.key} has dtype {array.dtype.name}, expected {spec.dtype}"
        )
    if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
        bad = int(array.size - np.count_nonzero(np.isfinite(array)))
        raise UpdateRefused(
            edge,
            f"weight {spec.key} has {bad} of {array.size} values that are NaN or infinite; "
            "lower the edge's learning rate",
        )


def _some(keys: list[str]) -> str:
    more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
    return f"{keys[0]!r}{more}"
