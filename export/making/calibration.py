"""Chooses the images that calibrate int8: seeded, stratified, never from the test set."""

from dataclasses import dataclass

import numpy as np

from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import Examples, stratified


@dataclass(frozen=True)
class Calibration:
    """Calibration images.

    Attributes:
        inputs: shape (n, …), raw values.
        source: what they are, in words, for the results.
    """

    inputs: Array
    source: str


def draw(examples: Examples, count: int, seed: int, whose: str, *place: str | int) -> Calibration:
    """Draws calibration examples with the label mix of ``examples``.

    Args:
        examples: training examples.
        count: how many to draw; fewer where there are fewer.
        seed: the run's seed.
        whose: what ``examples`` are, in words.
        *place: whom the draw is for; see ``derive_seed``.
    """
    taken = min(count, len(examples))
    chosen = examples.take(stratified(examples.labels, taken, seed, "calibration", *place))
    return Calibration(chosen.inputs, f"{taken} of {len(examples)} {whose}")


def as_calibration(inputs: Array, count: int, seed: int) -> Calibration:
    """Calibration images from an array without labels: every k-th of a seeded order.

    Args:
        inputs: shape (n, …), raw values.
        count: how many to take at most.
        seed: seeds the draw.
    """
    inputs = np.asarray(inputs)
    labels = np.zeros(len(inputs), np.int64)
    return draw(Examples(inputs, labels), count, seed, "images given")
