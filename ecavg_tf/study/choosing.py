"""Which learning rate of the server each cell of a study has, and what it is chosen by."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ecavg_tf.core.files import read_json, write_json
from ecavg_tf.study.arms import arm_config
from ecavg_tf.study.plan import ENOUGH, Cell, Study
from ecavg_tf.study.rates import Tried, chosen
from ecavg_tf.study.results import DIVERGED, cell_path


class Choices:
    """One rate for all seeds of an arm in a setting, so that a mean is of one thing.

    Seeds try the rates, the lowest first, until enough held-out examples have judged or no seed is
    left. What they found lies in ``WORKDIR/trials``.

    Args:
        study: the study.
        cells: all its cells.
        folder: its directory.
    """

    def __init__(self, study: Study, cells: Sequence[Cell], folder: Path) -> None:
        self._study, self._folder = study, folder
        self._alike: dict[Cell, list[Cell]] = {}
        for cell in cells:
            self._alike.setdefault(_setting(cell), []).append(cell)

    def wants(self, cell: Cell, foreseen: int = 0) -> bool:
        """Whether the rates are still to be tried with a cell's seed.

        Args:
            cell: the cell.
            foreseen: how many examples will judge with each lower seed that has not tried them.
        """
        if not tunes(self._study, cell) or self._path(cell).exists():
            return False
        judged = sum(tried.held_out for tried in self._tries(cell))
        lower = [other for other in self._alike[_setting(cell)] if other.place < cell.place]
        judged += foreseen * sum(not self._path(other).exists() for other in lower)
        return judged < ENOUGH and self._before(cell) is None

    def keep(self, cell: Cell, tried: Tried) -> None:
        """Keeps what a seed found."""
        write_json(self._path(cell), tried.to_json())

    def rate(self, cell: Cell) -> float:
        """The factor of a cell's rate; 1 where nothing is pooled or the study names no rate."""
        if not cell.pool or not self._study.rates:
            return 1.0
        before = self._before(cell)
        return before if before is not None else chosen(self._tries(cell), self._study.rates)

    def tuning(self, cell: Cell) -> int:
        """How many examples the server went through to try the rates with a cell's seed."""
        path = self._path(cell)
        return Tried.from_json(read_json(path)).samples if path.exists() else 0

    def _before(self, cell: Cell) -> float | None:
        """The rate of the cells that are there already; None: none is.

        Seeds that join a study later have it, too. A cell that diverged chose none.
        """
        paths = (cell_path(self._folder, other) for other in self._alike[_setting(cell)])
        made = (read_json(path) for path in paths if path.exists())
        return next((float(found["rate"]) for found in made if DIVERGED not in found), None)

    def _tries(self, cell: Cell) -> list[Tried]:
        paths = map(self._path, self._alike[_setting(cell)])
        return [Tried.from_json(read_json(path)) for path in paths if path.exists()]

    def _path(self, cell: Cell) -> Path:
        return self._folder / "trials" / f"{cell.name}.json"


def tunes(study: Study, cell: Cell) -> bool:
    """Whether a cell's arm fine-tunes at a rate that the study chooses."""
    return len(study.rates) > 1 and bool(cell.pool) and arm_config(study, cell).server.epochs > 0


def _setting(cell: Cell) -> Cell:
    """What all seeds of an arm have in common."""
    return replace(cell, place=replace(cell.place, seed=0))
