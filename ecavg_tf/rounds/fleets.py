"""How each kind of fleet is made. Another way to reach edges is an entry in ``FLEETS``."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ecavg_tf.config import Config, FleetKind, TrainingFile
from ecavg_tf.config.fields import shared_fields
from ecavg_tf.core.errors import ConfigError, WorkdirError
from ecavg_tf.core.files import read_json
from ecavg_tf.core.messages.signature import EdgeKeys
from ecavg_tf.core.paths import user_path
from ecavg_tf.core.template import Template
from ecavg_tf.data.federated import FederatedData
from ecavg_tf.data.server_data import inputs_of, noise
from ecavg_tf.fleet import Fleet
from ecavg_tf.rounds.arrivals import Arrivals
from ecavg_tf.rounds.edge_process import Shared
from ecavg_tf.rounds.exchange_folder import check_exchange_folder
from ecavg_tf.rounds.folder_fleet import FolderFleet
from ecavg_tf.rounds.local_fleet import LocalFleet
from ecavg_tf.rounds.open_fleet import OpenFleet
from ecavg_tf.rounds.process_fleet import ProcessFleet
from ecavg_tf.rounds.workers import MANY, make_workers
from ecavg_tf.rundir import RunDirectory
from ecavg_tf.task import Task
from edge.participating.store import has_answered

if TYPE_CHECKING:
    from export.jobs.training_files import TrainingFiles

Make = Callable[[Task, FederatedData, RunDirectory, Template], Fleet]


@dataclass(frozen=True)
class FleetMaker:
    """One kind of fleet.

    Attributes:
        make: makes the fleet of a run from its task, its data, its opened directory and its
            template.
        check: finds what is wrong before a new run writes anything, and raises an
            ``ECAvgError``; None: there is nothing to check.
    """

    make: Make
    check: Callable[[Config], None] | None = None


def _local(task: Task, data: FederatedData, directory: RunDirectory, template: Template) -> Fleet:
    _check_kept(directory)
    if task.config.fleet.workers:
        shared = Shared(
            config=task.config,
            spec=task.spec,
            test=data.test,
            workdir=directory.path,
            edges=directory.edges,
            many=len(data.edges) > MANY,
        )
        known = {edge: data.edge(edge) for edge in data.edges}
        return ProcessFleet(shared, known, directory.run_id, template, task.listener)
    workers = make_workers(task, data, data.edges, directory.edges, simulated=True)
    return LocalFleet(workers, directory.run_id, template)


def _check_kept(directory: RunDirectory) -> None:
    """Without what it kept, an edge would decide and train from something else.

    Raises:
        WorkdirError: the folder of an edge that took part is gone.
    """
    for result in directory.rounds():
        for edge in sorted({each.edge for each in result.edges} & set(result.participants)):
            folder = directory.edges / edge
            if not has_answered(folder, directory.run_id):
                raise WorkdirError(
                    f"{folder} does not hold what {edge} kept of round {result.round}; restore "
                    "it from a copy, or begin again in another --workdir"
                )


def _training_files(
    task: Task, data: FederatedData, directory: RunDirectory
) -> "TrainingFiles | None":
    """What edges without TensorFlow train, if the config wants such edges."""
    if task.config.fleet.training_file is TrainingFile.NONE:
        return None
    from export.jobs.training_files import TrainingFiles  # the converter, which few runs need

    golden = data.test if len(data.test) else noise(task.spec)
    return TrainingFiles(task, golden, directory.path / "training", directory.run_id)


def _folder(task: Task, data: FederatedData, directory: RunDirectory, template: Template) -> Fleet:
    fleet = task.config.fleet
    files = _training_files(task, data, directory)
    scorer = task.scorer(task.server_trainer, data.test)
    owners = directory.path / "owners.json"
    keys = EdgeKeys.of(fleet.edge_keys)
    if keys is not None:
        keys.check_there(data.edges)
    comes_by_itself = not data.edges
    known = tuple(read_json(owners)) if comes_by_itself and owners.exists() else data.edges
    made = FolderFleet(
        fleet.folder,
        known,
        run_id=directory.run_id,
        template=template,
        config=shared_fields(task.config),
        timeout_s=fleet.timeout_s,
        quorum=fleet.quorum,
        inputs=inputs_of(task.spec),
        owners=owners,
        keys=keys,
        takes_more=comes_by_itself,
        network=fleet.kind is FleetKind.FLOWER,
        listener=task.listener,
        bundle_for=None if files is None else files.bundle_for,
        probe_of=None if files else lambda weights: scorer.probe(weights, task.spec),
    )
    if not comes_by_itself:
        return made
    arrivals = Arrivals(
        user_path(fleet.folder),
        directory.run_id,
        shared_fields(task.config),
        inputs_of(task.spec),
        task.listener,
        keys,
    )
    return OpenFleet(made, arrivals, task.config, task.listener)


_CARRIED: ContextVar[bool] = ContextVar("carried", default=False)


@contextlib.contextmanager
def carried() -> Iterator[None]:
    """Says that a courier brings the exchange folder to other machines, while the block runs."""
    token = _CARRIED.set(True)
    try:
        yield
    finally:
        _CARRIED.reset(token)


def _flower(task: Task, data: FederatedData, directory: RunDirectory, template: Template) -> Fleet:
    _check_carried()
    return _folder(task, data, directory, template)


def _check_folder(config: Config) -> None:
    EdgeKeys.of(config.fleet.edge_keys)
    check_exchange_folder(config.fleet.folder, None)


def _check_flower(config: Config) -> None:
    _check_carried()
    _check_folder(config)


def _check_carried() -> None:
    """Without a courier, the letters would lie where nobody fetches them.

    Raises:
        ConfigError: there is none in this process.
    """
    if not _CARRIED.get():
        raise ConfigError(
            "fleet.kind is flower, and a run over Flower is started with 'ecavg run' (or 'flwr "
            "run'), not from Python; use that, or fleet.kind=folder"
        )


FLEETS: Mapping[FleetKind, FleetMaker] = {
    FleetKind.LOCAL: FleetMaker(_local),
    FleetKind.FOLDER: FleetMaker(_folder, _check_folder),
    FleetKind.FLOWER: FleetMaker(_flower, _check_flower),
}
