"""How each kind of fleet is made. Another way to reach edges is an entry in ``FLEETS``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ecavg_tf.config import Config, FleetKind
from ecavg_tf.config.fields import shared_fields
from ecavg_tf.core.template import Template
from ecavg_tf.events import Listener
from ecavg_tf.fleet import Fleet
from ecavg_tf.rounds.folder_fleet import FolderFleet, check_exchange_folder
from ecavg_tf.rounds.local_fleet import LocalFleet
from ecavg_tf.rounds.workers import make_workers
from ecavg_tf.rundir import RunDirectory
from ecavg_tf.task import Assembly
from export.jobs.training_files import TrainingFiles, wants_training_files

Make = Callable[[Config, RunDirectory, Assembly, Template, Listener], Fleet]


@dataclass(frozen=True)
class FleetMaker:
    """One kind of fleet.

    Attributes:
        make: makes the fleet of a run, of its config, its opened directory, its data and
            models, and its template; the listener is told of stages and answers.
        check: finds what is wrong before a new run writes anything, and raises an
            ``ECAvgError``; None: there is nothing to check.
    """

    make: Make
    check: Callable[[Config], None] | None = None


def _local(
    config: Config,
    directory: RunDirectory,
    assembly: Assembly,
    template: Template,
    listener: Listener,
) -> Fleet:
    workers = make_workers(config, assembly, directory.edges, listener)
    return LocalFleet(workers, directory.run_id, template)


def _folder(
    config: Config,
    directory: RunDirectory,
    assembly: Assembly,
    template: Template,
    listener: Listener,
) -> Fleet:
    files = None
    if wants_training_files(config):
        folder = directory.path / "training"
        files = TrainingFiles(config, assembly, folder, run_id=directory.run_id)
    spec = assembly.dataset.spec
    return FolderFleet(
        Path(config.fleet.folder),
        tuple(data.edge for data in assembly.edges),
        run_id=directory.run_id,
        template=template,
        config=shared_fields(config),
        timeout_s=config.fleet.timeout_s,
        listener=listener,
        bundle_for=None if files is None else files.bundle_for,
        probe_of=None if files else lambda weights: assembly.server_evaluator.probe(weights, spec),
    )


FLEETS: Mapping[FleetKind, FleetMaker] = {
    FleetKind.LOCAL: FleetMaker(_local),
    FleetKind.FOLDER: FleetMaker(
        _folder, lambda config: check_exchange_folder(Path(config.fleet.folder), None)
    ),
}
