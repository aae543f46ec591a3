"""What a study runs: its grids, and the cells that are their products."""

import copy
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

from ecavg_tf.config import Config, PartitionKind
from ecavg_tf.config.checks import validated
from ecavg_tf.config.fields import to_dict
from ecavg_tf.core.errors import ConfigError

MAIN_ARMS = (
    *("local", "alone", "alone-longer", "best-edge", "ensemble", "fedavg"),
    *("best-edge-tuned", "untrained-mean", "start-server", "start-path", "start-total"),
    *("published", "ours"),
)
_LOOSE = re.compile(r"[^A-Za-z0-9.]+")


@dataclass(frozen=True)
class Grid:
    """A part of a study: every combination of these is a cell.

    Attributes:
        arms: names of arms; 'ecavg study --help' lists them.
        splits: how examples are dealt out: ``iid``, ``classes``, ``shards``, ``dirichlet``, or
            ``dirichlet:ALPHA``.
        starts: what edges start from, as ``model.init``.
        pools: shares of their training examples that edges upload, in [0, 1].
        edges: numbers of edges.
        seeds: seeds of everything that is random.
    """

    arms: Sequence[str]
    splits: Sequence[str] = ("iid",)
    starts: Sequence[str] = ("shared",)
    pools: Sequence[float] = (1.0,)
    edges: Sequence[int] = (2,)
    seeds: Sequence[int] = (0, 1, 2)


RATES_ON = "examples that nobody trained on, of several seeds"
HELD_OUT = 0.1  # of the pool, where rates are chosen
# Two rates' mean log-likelihoods differ by about 0.1 nats on 160 examples of CIFAR-10 by chance
# alone, as much as a rate is worth, so seeds judge together until this many have, or none is left.
ENOUGH = 500


@dataclass(frozen=True)
class Study:
    """A study.

    Attributes:
        title: one line.
        task: what all cells have in common; "ours" is this config as it is. Split, start, pool,
            number of edges and seed are the cell's.
        grids: their cells are run, those of several grids once.
        rates: factors of the server's learning rate to choose from, for every arm that
            fine-tunes, by a tenth of the pool; see ``rates.Trials``. Seeds choose together, one
            rate for all of an arm in a setting. Empty: the rate is as the task has it.
        notes: sentences that a reader of the results must know.
    """

    title: str
    task: Config
    grids: Sequence[Grid]
    rates: Sequence[float] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True, order=True)
class Place:
    """Where edges train: cells of one place share the edges' work."""

    seed: int
    split: str
    start: str
    edges: int


@dataclass(frozen=True, order=True)
class Cell:
    """One arm in one setting.

    Attributes:
        place: what it shares with other arms.
        pool: the share that is pooled; None: the arm uses no pool, so it is the same for all.
        arm: its name.
    """

    place: Place
    pool: float | None
    arm: str

    @property
    def name(self) -> str:
        """The name of its file, without ending."""
        place, pool = self.place, self.pool
        shared = "any" if pool is None else f"{100 * pool:g}"
        parts = (self.arm, place.split, place.start, f"{place.edges}e", f"{shared}p",
                 f"s{place.seed}")  # fmt: skip
        return "--".join(_LOOSE.sub("-", part) for part in parts)

    def __str__(self) -> str:
        place = self.place
        pool = "" if self.pool is None else f", {100 * self.pool:g} % pooled"
        where = f"{place.split}, {place.start}, {place.edges} edges{pool}"
        return f"{where}, seed {place.seed}, {self.arm}"

    def to_json(self) -> dict[str, Any]:
        """A flat, JSON-ready dictionary."""
        return {**asdict(self.place), "pool": self.pool, "arm": self.arm}


def cell_from_json(value: dict[str, Any]) -> Cell:
    """Reads what ``Cell.to_json`` made."""
    place = Place(value["seed"], value["split"], value["start"], value["edges"])
    return Cell(place, value["pool"], value["arm"])


def config_of(study: Study, cell: Cell) -> Config:
    """The config of a cell, as ``ecavg run`` would take it.

    Raises:
        ConfigError: a field has a value that it can't have.
    """
    config = copy.deepcopy(study.task)
    place = cell.place
    config.seed = place.seed
    kind, _, alpha = place.split.partition(":")
    try:
        config.partition.kind = PartitionKind(kind)
        if alpha:
            config.partition.alpha = float(alpha)
    except ValueError as error:
        raise ConfigError(
            f"a study's split is {place.split!r}; expected iid, classes, shards, dirichlet or "
            "dirichlet:ALPHA, for example dirichlet:0.3"
        ) from error
    config.partition.num_edges = place.edges
    config.model.init = place.start
    config.server.pool = bool(cell.pool)
    config.server.pool_fraction = cell.pool or 1.0
    if not config.server.pool:
        config.server.warmup_epochs = 0  # there is nothing to warm up on
    return validated(config)


def cells_of(study: Study, unpooled: Sequence[str]) -> tuple[Cell, ...]:
    """All cells of a study, each once, those of one place side by side.

    Args:
        study: the study.
        unpooled: names of arms that use no pool.

    Raises:
        ConfigError: a grid is wrong.
    """
    found = dict.fromkeys(cell for grid in study.grids for cell in _cells(grid, unpooled))
    if not found:
        raise ConfigError("the study has no cell: give each of its grids arms, splits and seeds")
    names: dict[str, Cell] = {}
    for cell in found:
        other = names.setdefault(cell.name, cell)
        if other != cell:
            raise ConfigError(f"two cells have the file name {cell.name}; rename a start")
    return tuple(sorted(found, key=lambda cell: cell.place))


def _cells(grid: Grid, unpooled: Sequence[str]) -> Iterator[Cell]:
    for pool in grid.pools:
        if not 0 <= pool <= 1:
            raise ConfigError(f"a study's pool is {pool}; expected a share in [0, 1]")
    for seed, split, start, edges in product(grid.seeds, grid.splits, grid.starts, grid.edges):
        place = Place(seed, split, start, edges)
        for arm, pool in product(grid.arms, grid.pools):
            yield Cell(place, None if arm in unpooled else pool, arm)


def described(study: Study) -> dict[str, Any]:
    """What a study is, JSON-ready."""
    return {
        "title": study.title,
        "task": to_dict(study.task),
        "rates": list(study.rates),
        **({"rates_on": RATES_ON} if len(study.rates) > 1 else {}),
        "notes": [*study.notes, *_of_rates(study)],
    }


def _of_rates(study: Study) -> list[str]:
    """What a reader must know of the choice of rates."""
    if len(study.rates) < 2:
        return []
    given = study.task.server.learning_rate
    rates = [f"{given * factor:g}" for factor in study.rates]
    return [
        f"The server's learning rate, {', '.join(rates[:-1])} or {rates[-1]}, was chosen for every "
        "arm with a pool, in every setting, one for all seeds: by a tenth of the pool that was "
        "held out from server and edges meanwhile, of one seed after another until "
        f"{ENOUGH} such examples had judged, or no seed was left."
    ]
