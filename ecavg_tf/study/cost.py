"""What a study will cost, before it begins: foreseen examples, and a fit that is timed."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ecavg_tf.data.dataset import concatenated
from ecavg_tf.data.federated import federated_data
from ecavg_tf.study.arms import UNPOOLED, Sizes, arm_config, arm_of
from ecavg_tf.study.choosing import Choices
from ecavg_tf.study.ground import Machine
from ecavg_tf.study.plan import HELD_OUT, Cell, Study, cells_of, config_of
from server.pool_size import for_share

_TIMED = 2000  # examples
_RUNGS = 8  # models that an edge compares on its guard set


@dataclass(frozen=True)
class Foreseen:
    """What cells will cost.

    Attributes:
        arm: their arm, or what arms share.
        cells: how many there are.
        trained: examples that are trained on, every pass counted.
        predicted: examples that are predicted.
        seconds: of one processor core, about.
    """

    arm: str
    cells: int
    trained: int
    predicted: int
    seconds: float


def foreseen(study: Study, cells: Sequence[Cell], workdir: Path) -> list[Foreseen]:
    """What cells will cost, by arm; the edges' own training, which arms share, comes first.

    Args:
        study: the study.
        cells: those that are still to be run, at least one.
        workdir: the study's directory; nothing is written.
    """
    config = config_of(study, cells[0])
    data = federated_data(config)
    parts = [data.edge(name) for name in data.edges]
    train = concatenated([part.train for part in parts])
    guards, test = sum(len(part.guard) for part in parts), len(data.test)
    machine = Machine(workdir)
    task = machine.task(config, data.spec)
    sample = train.take(train.labels[:_TIMED].argsort())
    trainer, scorer = task.edge_trainer.aside(config.edge), machine.scorer(task)
    passes = config.edge.epochs * len(sample)
    fits = _timed(lambda: trainer.fit(task.initial, sample, round_number=1, who="timed"))
    says = _timed(lambda: scorer.predictions_on(sample, task.initial))

    def line(arm: str, count: int, trained: int, predicted: int) -> Foreseen:
        seconds = trained * fits / passes + predicted * says / len(sample)
        return Foreseen(arm, count, trained, predicted, seconds)

    places = {cell.place for cell in cells}
    choices = Choices(study, cells_of(study, UNPOOLED), workdir)
    tries = {
        cell: len(study.rates)
        for cell in cells
        if choices.wants(cell, round(HELD_OUT * (cell.pool or 0.0) * len(train)))
    }
    tried = {(cell.place, cell.pool) for cell in tries}
    shared = (len(places) + len(tried)) * config.edge.epochs * len(train)
    lines = [line("the edges' first round", len(places) + len(tried), shared, 0)]
    for arm in dict.fromkeys(cell.arm for cell in cells):
        mine = [cell for cell in cells if cell.arm == arm]
        trained = sum((1 + tries.get(cell, 0)) * _trained(study, cell, len(train)) for cell in mine)
        predicted = sum(_RUNGS * guards + (1 + 2 * cell.place.edges) * test for cell in mine)
        lines.append(line(arm, len(mine), trained, predicted))
    return lines


def _trained(study: Study, cell: Cell, examples: int) -> int:
    task = study.task
    pool = round(examples * (cell.pool or 0.0))
    server = arm_config(study, cell).server
    passes = for_share(server, pool, examples).epochs if pool else 0
    sizes = Sizes(
        *(task.rounds, task.edge.epochs, task.server.epochs, passes),
        *(cell.place.edges, examples, pool),
    )
    return arm_of(cell.arm).cost(sizes)


def _timed(work: Callable[[], object]) -> float:
    """CPU seconds of what is done for the second time: the first one traces the model."""
    work()
    began = time.process_time()
    work()
    return time.process_time() - began
