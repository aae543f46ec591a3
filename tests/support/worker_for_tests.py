"""An edge without Keras, whose training always comes to the same weights."""

from pathlib import Path
from typing import Any

import numpy as np
from screen_for_tests import TEMPLATE

from ecavg_tf.config import Config, with_fields
from ecavg_tf.core.scores import Scores
from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import EdgeData, Examples
from edge.participating.store import EdgeStore
from edge.participating.worker import EdgeWorker

TRAINED = [np.array([6.0, 8.0], np.float32), np.full(1, 9, np.float32), np.ones(1, np.uint32)]


class Trainer:
    """Always comes to the same weights."""

    template, held = TEMPLATE, None

    def fit(self, *_: Any, **__: Any) -> list[Array]:
        return TRAINED

    def recalibrate(self, weights: list[Array], *_: Any, **__: Any) -> list[Array]:
        return weights


class Scorer:
    def scores(self, *_: Any) -> Scores:
        return Scores(None, None)


def new_worker(folder: Path, *, simulated: bool = False, **fields: float) -> EdgeWorker:
    """An edge without Keras."""
    examples = Examples(np.zeros((4, 1)), np.array([0, 0, 1, 1]))
    config = with_fields(Config(), {f"edge.{name}": value for name, value in fields.items()})
    return EdgeWorker(
        config,
        EdgeData("a", examples, examples),
        num_classes=2,
        trainer=Trainer(),  # type: ignore[arg-type]  # the part of it that an exchange uses
        scorer=Scorer(),
        own_start=list,
        open_store=lambda run: EdgeStore(folder, "a", run),
        simulated=simulated,
    )
