"""What all arms of one place share: the edges' data, their start, and their trained models.

An arm sees no test example: a ``Ground`` has none.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ecavg_tf.config import Config
from ecavg_tf.core.errors import DivergedError
from ecavg_tf.core.messages.update_file import Update, UpdateInfo, write_update
from ecavg_tf.core.template import Array, Template, all_finite, weights_sha256
from ecavg_tf.data.consent import consented
from ecavg_tf.data.dataset import DataSpec, EdgeData, Examples, concatenated
from ecavg_tf.events import silent
from ecavg_tf.models.builders import initial_weights, template_of
from ecavg_tf.task import Task
from ecavg_tf.training.compiled import Compilation, CompiledModel
from ecavg_tf.training.evaluation import KerasScorer
from ecavg_tf.training.trainer import KerasTrainer, Spent

Weights = Sequence[Array]
_SAMPLES = "samples"


class Machine:
    """What is made once in a study: compiled models, and what predicts with them.

    Args:
        folder: the study's directory.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._compiled: dict[Compilation, CompiledModel] = {}
        self._scorer: KerasScorer | None = None

    def task(self, config: Config, spec: DataSpec) -> Task:
        """A task whose compiled models are those of the study's other tasks."""
        return Task(config, spec, self.folder, silent, self._compiled)

    def scorer(self, task: Task) -> KerasScorer:
        """Predicts; it knows no test set."""
        if self._scorer is None:
            shape = (0, *task.spec.input_shape)
            nothing = Examples(np.zeros(shape, task.spec.dtype), np.zeros(0, np.int64))
            self._scorer = task.scorer(task.server_trainer, nothing)
        return self._scorer


@dataclass(frozen=True)
class Alone:
    """Edges that trained alone.

    Attributes:
        models: by edge.
        samples: examples that each edge went through, in each round.
    """

    models: Mapping[str, list[Array]]
    samples: Sequence[Sequence[int]]


class Ground:
    """The edges of one place.

    Args:
        config: of any cell of the place; nothing of its server counts.
        spec: what the inputs are.
        edges: what each edge has, by name.
        machine: what the study's places share.
        folder: where what edges made is kept as long as the place is needed.
    """

    def __init__(
        self,
        config: Config,
        spec: DataSpec,
        edges: Mapping[str, EdgeData],
        machine: Machine,
        folder: Path,
    ) -> None:
        self.config = config
        self.spec = spec
        self.edges = edges
        self.machine = machine
        task = machine.task(config, spec)
        self.edge_trainer: KerasTrainer = task.edge_trainer.aside(config.edge)
        self.scorer = machine.scorer(task)
        self.initial: list[Array] = task.initial
        self.template: Template = template_of(task.server_trainer.model)
        self.counts = {
            name: data.train.class_counts(spec.num_classes) for name, data in edges.items()
        }
        self._folder = folder

    def with_edges(self, edges: Mapping[str, EdgeData], name: str) -> "Ground":
        """The same place with other data; its files lie in a folder of this one's."""
        return Ground(self.config, self.spec, edges, self.machine, self._folder / name)

    @property
    def first_start(self) -> Weights | None:
        """What round 1 begins with; None: each edge with weights of its own."""
        return None if self.config.model.init == "independent" else self.initial

    @cached_property
    def own_starts(self) -> dict[str, list[Array]]:
        """Weights of its own for every edge, as ``model.init=independent`` has them."""
        return {name: initial_weights(self.config, self.spec, name) for name in self.edges}

    def updates(self, start: Weights | None, number: int) -> list[Update]:
        """What every edge makes of a start; made once, whichever arm asks.

        Args:
            start: what all begin with; None: each with weights of its own.
            number: the round, from 1.
        """
        named = "own" if start is None else weights_sha256(start)[:16]
        folder = self._folder / f"{number:04d}-{named}"
        return [self._update(name, start, number, folder) for name in self.edges]

    def _update(self, name: str, start: Weights | None, number: int, folder: Path) -> Update:
        path = folder / f"{name}.safetensors"
        if not path.exists():  # it is written whole or not at all
            begun = self.own_starts[name] if start is None else start
            before = processed(self.edge_trainer.spent)
            weights = self.trained(name, begun, number)
            samples = {_SAMPLES: processed(self.edge_trainer.spent) - before}
            examples = len(self.edges[name].train)
            info = UpdateInfo(
                number, name, examples, self.counts[name], self.template.sha256, samples
            )
            write_update(path, info, self.template.named(weights))
        return Update(path)

    def trained(self, name: str, start: Weights, number: int) -> list[Array]:
        """What an edge makes of a start in one round, BatchNorm recalibrated."""
        trainer, examples = self.edge_trainer, self.edges[name].train
        weights = trainer.fit(start, examples, round_number=number, who=name)
        if self.config.edge.recalibrate:
            weights = trainer.recalibrate(weights, examples, round_number=number, who=name)
        return finite(weights, name, number)

    @property
    def alone(self) -> "Alone":
        """Every edge alone, for its epochs of all rounds, restarted as they are.

        Raises:
            DivergedError: an edge diverges; told to every arm that is compared with it.
        """
        if isinstance(self._alone, DivergedError):
            raise self._alone
        return self._alone

    @cached_property
    def _alone(self) -> "Alone | DivergedError":
        try:
            return self._trained_alone()
        except DivergedError as error:
            return DivergedError(
                "an edge that trains alone diverges, so no arm can be compared with it here: "
                f"{error}"
            )

    def _trained_alone(self) -> "Alone":
        updates = self.updates(self.first_start, 1)
        models, spent = self.models(updates), [[samples_of(update) for update in updates]]
        for number in range(2, self.config.rounds + 1):
            here = []
            for edge, weights in models.items():
                before = processed(self.edge_trainer.spent)
                models[edge] = self.trained(edge, weights, number)
                here.append(processed(self.edge_trainer.spent) - before)
            spent.append(here)
        return Alone(models, spent)

    def models(self, updates: Sequence[Update]) -> dict[str, list[Array]]:
        """The models of several updates, by edge."""
        named = {
            update.info.edge: {spec.key: array for spec, array in update.items(self.template)}
            for update in updates
        }
        return {edge: self.template.listed(each, self.initial) for edge, each in named.items()}

    def pooled(self, config: Config) -> Examples | None:
        """What the edges upload under a config; None: nothing."""
        if not config.server.pool:
            return None
        parts = [consented(data.train, name, config) for name, data in self.edges.items()]
        found = [part for part in parts if part is not None]
        return concatenated(found) if found else None

    def forget(self) -> None:
        """Drops the files of its edges."""
        shutil.rmtree(self._folder, ignore_errors=True)


def finite(weights: list[Array], who: str, number: int) -> list[Array]:
    """Trained weights as they are.

    Raises:
        DivergedError: some are NaN or infinite.
    """
    if not all_finite(weights):
        raise DivergedError(f"round {number}: the weights of {who} are NaN or infinite")
    return weights


def processed(spent: Spent) -> int:
    """Examples that a trainer went through."""
    return spent.trained + spent.recalibrated


def samples_of(update: Update) -> int:
    """Examples that an edge went through for an update of a ``Ground``."""
    return int(update.info.metrics[_SAMPLES])
