"""Training examples that prove a file where test examples are few.

A file that was not tuned has learned nothing from them, so what they show is no memory: two
functions, the file and Keras, are compared on inputs, and no label is asked for. Only int8's
ranges were measured on some, the calibration examples: an int8 file is not compared on those.

Where test examples are fewer than ``FEW``, seen ones join them at once (``Drawn.first``). Where
what was compared is still too little to decide, a second look takes more (``Drawn.further``).
"""

import hashlib
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.seeds import permutation
from ecavg_tf.core.template import Array
from export.proving.gate import Reference
from export.proving.limits import FEW

_FURTHER = 8000  # examples of a second look at most
_FURTHER_VALUES = 2**27  # of all of them together: as float32 they are half a GiB
_WORTH = 4  # a second look takes at least one example more for so many of the first


@dataclass(frozen=True)
class SeenInputs:
    """Inputs that a model was trained on.

    Attributes:
        inputs: raw values, shape (n, …), no two alike.
        calibrated: whether int8's ranges were measured on it, shape (n,).
        source: the number of the source that each is from, shape (n,).
        sources: what they are, in words: ``pooled training examples``.
    """

    inputs: Array
    calibrated: NDArray[np.bool_]
    source: NDArray[np.int64]
    sources: tuple[str, ...]

    @property
    def words(self) -> str:
        """How many of what."""
        counts = np.bincount(self.source, minlength=len(self.sources))
        return " and ".join(
            f"{n} {what}" for n, what in zip(counts, self.sources, strict=True) if n
        )


class Drawn(NamedTuple):
    """Seen inputs, for a first and for a second look; None: nothing for that one."""

    first: SeenInputs | None = None
    further: SeenInputs | None = None


NOTHING = Drawn()


@dataclass(frozen=True)
class References:
    """What files of a model are held against, with Keras' answers.

    Attributes:
        test: the test examples.
        drawn: the seen inputs.
        ask: gives Keras' answers to some; each is asked for once, when it is needed.
    """

    test: Reference
    drawn: Drawn
    ask: Callable[[SeenInputs], Reference]

    @cached_property
    def _first(self) -> Reference | None:
        return None if self.drawn.first is None else self.ask(self.drawn.first)

    @cached_property
    def _further(self) -> Reference | None:
        return None if self.drawn.further is None else self.ask(self.drawn.further)

    def seen(self, *, calibrated: bool) -> Reference | None:
        """The seen examples of the first look.

        Args:
            calibrated: whether the file was made with the calibration examples: then not those.
        """
        return _left(self._first, self.drawn.first, calibrated)

    def further(self, *, calibrated: bool) -> Callable[[], Reference | None] | None:
        """Gives the examples of the second look; None: too few more to be worth one.

        How many examples there are decides it, and nothing that was answered.
        """
        drawn, seen = self.drawn.further, self.seen(calibrated=calibrated)
        if drawn is None:
            return None
        more = int(np.count_nonzero(~drawn.calibrated)) if calibrated else len(drawn.inputs)
        first = len(self.test.inputs) + (0 if seen is None else len(seen.inputs))
        if more * _WORTH < first:
            return None
        return lambda: _left(self._further, drawn, calibrated)


class _Place(NamedTuple):
    """Where an input lies; in the order in which they are taken."""

    calibrated: bool
    source: int
    order: int
    at: int


def _left(
    reference: Reference | None, seen: SeenInputs | None, calibrated: bool
) -> Reference | None:
    if reference is None or seen is None or not calibrated:
        return reference
    return uncalibrated(reference, seen)


def uncalibrated(reference: Reference, seen: SeenInputs) -> Reference:
    """Those that int8's ranges were not measured on.

    Args:
        reference: ``seen`` with Keras' answers.
        seen: the inputs.
    """
    kept = np.flatnonzero(~seen.calibrated)
    left = SeenInputs(seen.inputs[kept], seen.calibrated[kept], seen.source[kept], seen.sources)
    return Reference(left.inputs, reference.probabilities[kept], None, left.words)


def gather(
    sources: Sequence[tuple[str, Array]], calibration: Array | None, test: Array, seed: int
) -> Drawn:
    """Draws seen inputs: first those that int8 was not calibrated on.

    A test input that is among them is left out.

    Args:
        sources: in words and inputs, the nearest to the model's own first.
        calibration: int8's, shape (n, …), if there are any.
        test: the test examples' inputs, shape (n, …).
        seed: the run's seed.

    Returns:
        At most ``FEW`` for a first look, if there are fewer test examples than that; and some
        thousands of the others for a second one.
    """
    used = set() if calibration is None else set(map(_key, calibration))
    first = FEW if len(test) < FEW else 0
    most = first + min(_FURTHER, _FURTHER_VALUES // max(1, test[:1].size))
    found = sorted(_distinct(sources, used, set(map(_key, test)), most, seed))[:most]
    return Drawn(_taken(found[:first], sources), _taken(found[first:], sources))


def _distinct(
    sources: Sequence[tuple[str, Array]],
    used: Container[bytes],
    known: set[bytes],
    most: int,
    seed: int,
) -> Iterator[_Place]:
    """Places of inputs that are not known, until so many of them were not used."""
    for number, (_, inputs) in enumerate(sources):
        for order, at in enumerate(permutation(len(inputs), seed, "seen", number).tolist()):
            if most <= 0:
                return
            key = _key(inputs[at])
            if key not in known:
                known.add(key)
                most -= key not in used
                yield _Place(key in used, number, order, at)


def _taken(found: Sequence[_Place], sources: Sequence[tuple[str, Array]]) -> SeenInputs | None:
    if not found:
        return None
    return SeenInputs(
        np.stack([sources[each.source][1][each.at] for each in found]),
        np.array([each.calibrated for each in found]),
        np.array([each.source for each in found]),
        tuple(words for words, _ in sources),
    )


def _key(values: Array) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).digest()
