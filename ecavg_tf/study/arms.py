"""The arms of a study, by name. Another arm is an entry in ``ARMS``."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

from ecavg_tf.config import Align, Config, GuardRule, PoolEpochs, PoolRate, Schedule
from ecavg_tf.config.checks import guess, validated
from ecavg_tf.core.errors import ConfigError
from ecavg_tf.study import collaborating, controls
from ecavg_tf.study.desk import Desk, Made
from ecavg_tf.study.plan import Cell, Study, config_of

Change = Callable[[Config], None]


@dataclass(frozen=True)
class Sizes:
    """What the cost of an arm depends on.

    Attributes:
        rounds: how many.
        edge: epochs of an edge in a round.
        server: epochs of the server in a round, as the config names them.
        passes: of the server over the pool in a round.
        edges: how many.
        examples: training examples of all edges.
        pool: of these, the pooled ones.
    """

    rounds: int
    edge: int
    server: int
    passes: int
    edges: int
    examples: int
    pool: int

    @property
    def tuning(self) -> int:
        """Examples of the server's fine-tunings."""
        return self.rounds * self.passes * self.pool

    @property
    def later(self) -> int:
        """Examples of the edges after round 1, which arms don't share."""
        return (self.rounds - 1) * self.edge * self.examples


Cost = Callable[[Sizes], int]


@dataclass(frozen=True)
class Arm:
    """One way to come to a model.

    Attributes:
        make: does it.
        says: one line.
        cost: training examples that it will go through, beside what the edges of a place do once
            for all arms; probes and predictions not counted.
        pools: whether it uses pooled data; if not, it is run once for all shares of a pool.
        needs_pool: whether it can't be played where nothing is pooled.
        change: what it changes of the task's config.
    """

    make: Callable[[Desk], Made]
    says: str
    cost: Cost
    pools: bool = True
    needs_pool: bool = False
    change: Change | None = None


def _control(make: Callable[[Desk], Made], cost: Cost, *, pools: bool = True) -> Arm:
    return Arm(make, (make.__doc__ or "").partition("\n")[0], cost, pools, needs_pool=pools)


def _tunes(sizes: Sizes) -> int:
    return sizes.tuning + sizes.later


def _warms(sizes: Sizes) -> int:
    return _tunes(sizes) + sizes.pool + sizes.edge * sizes.examples


def _phases(share: Callable[[Sizes], float]) -> Cost:
    return lambda sizes: (
        sizes.tuning
        + sizes.rounds * sizes.pool * math.ceil(sizes.edge * share(sizes) / max(1, sizes.pool))
    )


def _federated(sizes: Sizes) -> int:
    rounds = math.ceil(sizes.rounds * (sizes.edge + sizes.server) / sizes.edge)
    return (rounds - 1) * sizes.edge * sizes.examples


def _ours(
    says: str, change: Change | None = None, cost: Cost = _tunes, *, needs_pool: bool = False
) -> Arm:
    return Arm(collaborating.collaborate, says, cost, needs_pool=needs_pool, change=change)


def _server(**fields: object) -> Change:
    def change(config: Config) -> None:
        for name, value in fields.items():
            setattr(config.server, name, value)

    return change


def _update(**fields: object) -> Change:
    def change(config: Config) -> None:
        for name, value in fields.items():
            setattr(config.update, name, value)

    return change


ARMS: dict[str, Arm] = {
    "local": _control(controls.local, lambda _: 0, pools=False),
    "alone": _control(controls.alone, lambda s: s.later, pools=False),
    "alone-longer": _control(
        controls.alone_longer, lambda s: s.later + s.rounds * s.server * s.examples, pools=False
    ),
    "best-edge": _control(controls.best_edge, lambda _: 0, pools=False),
    "ensemble": _control(controls.ensemble, lambda _: 0, pools=False),
    "fedavg": _control(collaborating.fedavg, _federated, pools=False),
    "averaged": _control(collaborating.averaged, lambda _: 0, pools=False),
    "averaged-aligned": Arm(
        collaborating.averaged,
        "The same average, updates aligned where edges began apart.",
        lambda _: 0,
        pools=False,
        change=_server(align=Align.APART),
    ),
    "best-edge-tuned": _control(controls.best_edge_tuned, _tunes),
    "untrained-mean": _control(controls.untrained_mean, lambda s: s.tuning),
    "start-server": _control(controls.start_server, lambda s: s.tuning),
    "start-path": _control(controls.start_path, _phases(lambda s: s.examples / s.edges)),
    "start-total": _control(controls.start_total, _phases(lambda s: s.examples)),
    "published": _ours(
        "ECAvg as published: uniform weights, edges take the global model.",
        collaborating.as_published,
    ),
    "ours": _ours("The study's task, as 'ecavg run' plays it."),
    "ours-average": _ours("Ours, always fine-tuning the average.", _server(combine="average")),
    "ours-auto": _ours("Ours, probes choose what is fine-tuned.", _server(combine="auto")),
    "ours-unaligned": _ours("Ours without alignment.", _server(align=Align.OFF)),
    "ours-aligned": _ours(
        "Ours, updates aligned where edges began apart.", _server(align=Align.APART)
    ),
    "ours-cold": _ours("Ours without a warm-up on the server.", _server(warmup_epochs=0)),
    "ours-warm": _ours(
        "Ours, one epoch on the server before round 1.",
        _server(warmup_epochs=1),
        _warms,
        needs_pool=True,
    ),
    "ours-root-rate": _ours(
        "Ours, a smaller rate for a small pool.", _server(rate_for_pool=PoolRate.ROOT)
    ),
    "ours-constant": _ours(
        "Ours with server.schedule=constant and no server.rate_warmup.",
        _server(schedule=Schedule.CONSTANT, rate_warmup=0.0),
    ),
    "ours-few-epochs": _ours(
        "Ours, server.epochs passes over the pool, however small it is.",
        _server(epochs_for_pool=PoolEpochs.AS_GIVEN),
    ),
    "ours-class-head": _ours(
        "Ours, the last layer averaged class by class.", _server(head_by_class=True)
    ),
    "ours-soup": _ours(
        "Ours, a greedy soup of the edges instead of the average.", _server(combine="soup")
    ),
    "ours-tail": _ours(
        "Ours, the mean of the fine-tune's last two epochs.", _server(tail_epochs=2)
    ),
    "ours-distilled": _ours(
        "Ours, half of what the fine-tune learns is the edges' answer.", _server(distill=0.5)
    ),
    "ours-halves": _ours("Ours with the guard's older rule.", _update(rule=GuardRule.HALVES)),
    "ours-replace": _ours(
        "Ours without the guard: edges take the global model.", _update(policy="replace")
    ),
}

UNPOOLED = tuple(name for name, arm in ARMS.items() if not arm.pools)


def arm_of(name: str) -> Arm:
    """An arm by its name.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in ARMS:
        raise ConfigError(
            f"a study has no arm {name!r}{guess(name, ARMS)}; valid: {', '.join(ARMS)}"
        )
    return ARMS[name]


def arm_config(study: Study, cell: Cell) -> Config:
    """The config of a cell with what its arm changes."""
    config, arm = config_of(study, cell), arm_of(cell.arm)
    if arm.change is not None:
        config = copy.deepcopy(config)
        arm.change(config)
    return validated(config)
