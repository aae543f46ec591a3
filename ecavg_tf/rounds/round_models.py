"""The models of a run's rounds: as arrays beside one architecture, and for how long.

What people take away, the global model of the last round, is a Keras file, too.
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from ecavg_tf.core.errors import WorkdirError
from ecavg_tf.core.files import write_json
from ecavg_tf.core.messages.request import Shipped
from ecavg_tf.core.template import Array, Template, weights_sha256
from ecavg_tf.models.saving import ENDINGS, load_weights, save_arrays
from ecavg_tf.results import RoundResult
from ecavg_tf.rundir import RunDirectory
from ecavg_tf.task import Task

GLOBAL, AVERAGED = "global", "averaged"
ARCHITECTURE = "architecture.json"
_SMALL = 2**23  # bytes of a model: a hundred rounds of smaller ones fill no disk
_OF_LARGE = 2  # rounds that keep their models: the last, and the one to compare it with


class RoundModels:
    """Writes, reads and drops the models of rounds.

    Args:
        directory: the opened run directory.
        task: what the participants share.
        template: the run's template.
    """

    def __init__(self, directory: RunDirectory, task: Task, template: Template) -> None:
        self._directory = directory
        self._config = task.config
        self._trainer = task.server_trainer
        self._template = template

    def save(self, number: int, averaged: Sequence[Array], weights: Sequence[Array]) -> None:
        """Writes the server's models of a round."""
        folder = self._directory.round(number)
        self._describe()
        for name, arrays in ((GLOBAL, weights), (AVERAGED, averaged)):
            save_arrays(folder, name, self._template, arrays)
        if number == self._config.rounds:
            self._trainer.save(weights, folder, GLOBAL)

    def _describe(self) -> None:
        """Writes the architecture that the arrays belong to, if it can be described."""
        path = self._directory.path / "rounds" / ARCHITECTURE
        if path.exists():
            return
        try:
            described = json.loads(self._trainer.model.to_json())
        except Exception:  # of a class without get_config, and whatever its own may raise
            return
        write_json(path, described)

    def load(self, result: RoundResult) -> Shipped:
        """The global model of a finished round.

        Raises:
            WorkdirError: it is damaged, or not the one that the round recorded.
        """
        folder = self._directory.round(result.round)
        model = self._trainer.model
        load_weights(model, folder, GLOBAL)
        weights: list[Array] = model.get_weights()
        if weights_sha256(weights) != result.server.global_.weights_sha256:
            raise WorkdirError(
                f"the model in {folder} is not the global model that round {result.round} recorded"
            )
        return Shipped(weights, result.server.global_.trained_on)

    def tidy(self, finished: int, decided: int) -> None:
        """Drops what nobody needs any more.

        Args:
            finished: the last round that is finished.
            decided: the last round on whose global model edges have decided.
        """
        kept = self._config.keep_rounds or (finished if self._is_small() else _OF_LARGE)
        for number in range(1, finished + 1):
            folder = self._directory.round(number)
            if number <= finished - kept:
                _drop(folder, (GLOBAL, AVERAGED))
            elif number < finished and (folder / f"{GLOBAL}.safetensors").exists():
                _drop(folder, (GLOBAL,), ENDINGS)
            if number <= decided and not self._config.keep_updates:
                shutil.rmtree(folder / "updates", ignore_errors=True)

    def _is_small(self) -> bool:
        return 4 * self._template.size <= _SMALL


def _drop(
    folder: Path, names: Sequence[str], endings: Sequence[str] = (".safetensors", *ENDINGS)
) -> None:
    for name in names:
        for ending in endings:
            (folder / (name + ending)).unlink(missing_ok=True)
