"""What a data set is: inputs and labels, and the range of their values."""

import operator
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from numbers import Number
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.bundles.scaling import bounds_of
from ecavg_tf.core.errors import DataError
from ecavg_tf.core.seeds import permutation
from ecavg_tf.core.template import Array
from ecavg_tf.data.groups import whole_groups


@dataclass(frozen=True)
class Examples:
    """Inputs with their labels.

    Attributes:
        inputs: shape (n, …), in the data set's native dtype.
        labels: shape (n,), int64, in [0, classes).
    """

    inputs: Array
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def answers(self) -> Array:
        """What a fit learns to answer: the labels."""
        return self.labels

    def take(self, indices: NDArray[np.int64]) -> "Examples":
        """A copy of the examples at ``indices``, in that order."""
        return Examples(self.inputs[indices], self.labels[indices])

    def class_counts(self, num_classes: int) -> tuple[int, ...]:
        """How many examples of each class."""
        return tuple(np.bincount(self.labels, minlength=num_classes).tolist())


@dataclass(frozen=True)
class SoftExamples(Examples):
    """Examples of which a fit learns probabilities.

    Attributes:
        targets: of each class, shape (n, classes), float32; rows sum to 1.
    """

    targets: NDArray[np.float32]

    @property
    def answers(self) -> Array:
        """What a fit learns to answer: the probabilities."""
        return self.targets

    def take(self, indices: NDArray[np.int64]) -> "SoftExamples":
        """A copy of the examples at ``indices``, in that order."""
        return SoftExamples(self.inputs[indices], self.labels[indices], self.targets[indices])


def one_hot(labels: NDArray[np.int64], num_classes: int) -> NDArray[np.float32]:
    """Labels as probabilities, shape (n, classes)."""
    return np.eye(num_classes, dtype=np.float32)[labels]


@dataclass(frozen=True)
class DataSpec:
    """What a model needs to know of a data set.

    Lists, numpy's numbers and dtypes, and names given as numbers or bytes are taken and kept
    as below.

    Attributes:
        name: the data set's name.
        input_shape: of one input: (height, width, channels) of a picture, (time, channels) of
            a signal, (features,) of a table's row, (length,) of token ids.
        dtype: numpy's name of the inputs' native dtype.
        value_range: lowest and highest value of an input. A model of one's own begins
            with a ``Rescaling`` made of it, or gets inputs as they are.
        classes: the classes' names, in label order.
        declared: whether the range was declared: values outside are refused then. One that was
            measured only rescales.
        feature_ranges: measured lowest and highest value of each of a table's features or a
            signal's channels, the last axis; empty: one range for all.
        columns: the names of the inputs, where they are the columns of a table; None: they have
            none.
    """

    name: str
    input_shape: tuple[int, ...]
    dtype: str
    value_range: tuple[float, float]
    classes: tuple[str, ...]
    declared: bool = True
    feature_ranges: tuple[tuple[float, float], ...] = ()
    columns: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        made: dict[str, tuple[Callable[[Any], Any], str]] = {
            "name": (str, "a text"),
            "input_shape": (_shape, "whole numbers such as (height, width, channels)"),
            "dtype": (lambda dtype: np.dtype(dtype).name, "a numpy dtype"),
            "value_range": (_range, "two numbers (lowest, highest)"),
            "classes": (class_names, "the classes' names"),
            "feature_ranges": (_ranges, "two numbers for each feature"),
            "columns": (_columns, "the inputs' names, or None"),
        }
        for field, (make, expected) in made.items():
            given = getattr(self, field)
            try:
                object.__setattr__(self, field, make(given))
            except (TypeError, ValueError) as error:
                raise DataError(f"DataSpec.{field} is {given!r}; expected {expected}") from error

    @property
    def bounds(self) -> tuple[Any, Any]:
        """Lowest and highest value: two numbers, or an array each with one number a feature."""
        return bounds_of(self.value_range, self.feature_ranges)

    @property
    def may_be_tokens(self) -> bool:
        """Whether inputs are rows of whole numbers: a model may take them for token ids."""
        return len(self.input_shape) == 1 and np.issubdtype(np.dtype(self.dtype), np.integer)

    @property
    def num_classes(self) -> int:
        """How many classes there are."""
        return len(self.classes)


def class_names(given: Any) -> tuple[str, ...]:
    """Names of classes as texts: bytes are UTF-8, numbers are written out.

    Raises:
        TypeError: it is no list of them, but one text, for example.
        ValueError: bytes that are no UTF-8.
    """
    if isinstance(given, str | bytes | Mapping | Set):
        raise TypeError("they have no order")
    names = tuple(given)
    if not all(isinstance(name, str | bytes | Number) for name in names):
        raise TypeError("some are no names")
    return tuple(name.decode() if isinstance(name, bytes) else str(name) for name in names)


def _shape(given: Any) -> tuple[int, ...]:
    sizes = tuple(operator.index(size) for size in given)
    if not sizes or min(sizes) < 1:
        raise ValueError("an input has one axis or more, none of them empty")
    return sizes


def _columns(given: Any) -> tuple[str, ...] | None:
    return None if given is None else class_names(given)


def _range(given: Any) -> tuple[float, float]:
    low, high = given
    return float(low), float(high)


def _ranges(given: Any) -> tuple[tuple[float, float], ...]:
    return tuple(_range(each) for each in given)


@dataclass(frozen=True)
class Dataset:
    """A data set: its description, training examples, and the global test set.

    Attributes:
        spec: the description.
        train: training examples.
        test: the global test set.
        notes: what the user should read before training, such as files that were left out.
    """

    spec: DataSpec
    train: Examples
    test: Examples
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class EdgeData:
    """What one edge has.

    Attributes:
        edge: its name.
        train: what it trains on, and may upload.
        guard: what it holds out and never uploads.
        test: its own test set; None: it has none, and its label mix weighs the global one.
    """

    edge: str
    train: Examples
    guard: Examples
    test: Examples | None = None


def concatenated(parts: Sequence[Examples]) -> Examples:
    """All examples of ``parts``, in their order.

    Raises:
        ValueError: there is no part.
    """
    return Examples(
        np.concatenate([part.inputs for part in parts]),
        np.concatenate([part.labels for part in parts]),
    )


def stratified(
    labels: NDArray[np.int64], count: int, seed: int, *place: str | int
) -> NDArray[np.int64]:
    """Draws ``count`` indices whose label mix is that of ``labels``, in rising order.

    Each class gets its share rounded down; what is left goes to the largest
    remainders (Hamilton's method), lower labels first.

    Args:
        labels: shape (n,).
        count: how many to draw, in [0, n].
        seed: the run's seed.
        *place: what the draw is for; see ``derive_seed``.

    Raises:
        DataError: ``count`` is not in [0, n].
    """
    if not 0 <= count <= len(labels):
        raise DataError(f"{count} examples were asked for, the data has {len(labels)}")
    available = np.bincount(labels)
    quota, remainder = np.divmod(available * count, max(len(labels), 1))
    by_remainder = np.argsort(-remainder, kind="stable")
    quota[by_remainder[: count - int(quota.sum())]] += 1
    order = permutation(len(labels), seed, "stratified", *place)
    chosen = [order[labels[order] == label][:share] for label, share in enumerate(quota)]
    return np.sort(np.concatenate(chosen)) if chosen else np.zeros(0, np.int64)


def split_off_test(everything: Examples, name: str) -> tuple[Examples, Examples]:
    """A fixed stratified fifth as test set, for data that comes without one."""
    test = stratified(everything.labels, len(everything) // 5, 0, f"{name}-test")
    train = np.setdiff1d(np.arange(len(everything)), test)
    return everything.take(train), everything.take(test)


def split_off_guard(
    edge: str, examples: Examples, fraction: float, seed: int, groups: Array | None = None
) -> EdgeData:
    """Holds a stratified part of an edge's examples out as its guard set.

    Args:
        edge: name of the edge.
        examples: all that it has, one or more.
        fraction: share that is held out, rounded down, in [0, 1); one example always stays.
        seed: the run's seed.
        groups: the group of each example, shape (n,); whole groups are held out then, and the
            part is not stratified. None: each example is on its own.
    """
    count = min(int(len(examples) * fraction + 1e-9), len(examples) - 1)
    if groups is None:
        guard = stratified(examples.labels, count, seed, "guard", edge)
    else:
        guard = whole_groups(groups, count, seed, "guard", edge)
    train = np.setdiff1d(np.arange(len(examples)), guard)
    return EdgeData(edge, examples.take(train), examples.take(guard))
