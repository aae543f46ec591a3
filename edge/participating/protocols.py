"""The protocols of what an edge trains and scores with: Keras, or a training bundle."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from ecavg_tf.core.anatomy import Anatomy
from ecavg_tf.core.by_class import Hits
from ecavg_tf.core.deciding.predictions import Predictions
from ecavg_tf.core.scores import Scores
from ecavg_tf.core.template import Array, Template
from ecavg_tf.data.dataset import Examples


class Trainer(Protocol):
    """Trains lists of weights in template order."""

    @property
    def template(self) -> Template:
        """The weights of its model."""

    @property
    def held(self) -> frozenset[int] | None:
        """Positions of the weights that it can change; None: all."""

    def fit(
        self, weights: Sequence[Array], examples: Examples, *, round_number: int, who: str
    ) -> list[Array]:
        """Trained weights, from ``weights``, which are not changed."""

    def recalibrate(
        self, weights: Sequence[Array], examples: Examples, *, round_number: int, who: str
    ) -> list[Array]:
        """``weights`` with BatchNorm statistics re-estimated on ``examples``."""

    @property
    def anatomy(self) -> Anatomy:
        """Where the model keeps its head and its BatchNorm."""

    def runs(self, weights: Sequence[Array]) -> bool:
        """Whether it can predict with these weights at all."""

    def save(self, weights: Sequence[Array], folder: Path, name: str) -> None:
        """Saves a model with these weights, in the trainer's own format."""


class Scorer(Protocol):
    """Scores lists of weights in template order."""

    def predictions_on(self, examples: Examples, weights: Sequence[Array]) -> Predictions:
        """What the model says of examples under ``weights``."""

    def scores(
        self, weights: Sequence[Array], class_counts: Sequence[int], own: Examples | None = None
    ) -> Scores:
        """Scores on the test distributions of an edge with ``class_counts``, or on its own."""

    def hits(
        self, weights: Sequence[Array], class_counts: Sequence[int], own: Examples | None = None
    ) -> Hits | None:
        """Right answers by class on the edge's own test set; without one, on the test set.

        None: there is neither.
        """
