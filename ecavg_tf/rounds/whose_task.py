"""Who says what a run's data is, and whether its settings suit the edges that there are."""

from collections.abc import Sequence

from ecavg_tf.config import Config, FleetKind, LevelFor
from ecavg_tf.core.errors import ConfigError, WorkdirError
from ecavg_tf.data.dataset import DataSpec
from ecavg_tf.data.server_data import FIRST_EDGE, keep_spec, kept_spec, read_spec, spec_of
from ecavg_tf.events import Listener, Note
from ecavg_tf.rounds.arrivals import first_description
from ecavg_tf.rundir import RunDirectory


def task_of_run(config: Config, directory: RunDirectory, listener: Listener) -> DataSpec | None:
    """What the data of a run was said to be, which stays so; None: the data itself says it.

    Args:
        config: the run's config.
        directory: opened here where somebody said it, who is the first edge or ``data.spec``.
        listener: told what was said.

    Raises:
        RoundError: the first edge is to say it, and none came.
        DataError: what was said can't be used.
        WorkdirError: something else was said before.
    """
    if not config.data.spec:
        return None
    kept = kept_spec(directory.path) if directory.exists else None
    if config.data.spec == FIRST_EDGE:
        return kept or _first_said(config, directory, listener)
    said = read_spec(config.data.spec)
    if kept is not None and said != kept:
        raise WorkdirError(
            f"{directory.path} holds a run of {words(kept)}; data.spec={config.data.spec} says "
            f"{words(said)}; use the file that the run began with, or another --workdir"
        )
    directory.open()
    keep_spec(directory.path, said, config.data.spec)
    return said


def _first_said(config: Config, directory: RunDirectory, listener: Listener) -> DataSpec:
    directory.open()
    edge, inputs = first_description(config, directory.run_id, listener)
    said = spec_of(inputs)
    keep_spec(directory.path, said, edge)
    listener(Note(f"the data of this run is as {edge} says: {words(said)}"))
    return said


def words(spec: DataSpec) -> str:
    """A description in one line."""
    low, high = spec.value_range
    named = ", ".join(spec.classes[:10]) + ", …" * (spec.num_classes > 10)
    return (
        f"{spec.dtype}{spec.input_shape} from {low:g} to {high:g}, {spec.num_classes} classes "
        f"({named})"
    )


def check_edges(config: Config, edges: Sequence[str]) -> None:
    """Checks that the settings suit the edges; none: they come by themselves.

    Raises:
        ConfigError: names the field that does not.
    """
    fleet = config.fleet
    if edges:
        if fleet.wait_for:
            raise ConfigError(
                f"fleet.wait_for={fleet.wait_for!r} is for a server without training data; here "
                "data.name says which edges there are: leave it out"
            )
        asked = config.edges_per_round or len(edges)
        if fleet.quorum > asked:
            raise ConfigError(
                f"fleet.quorum is {fleet.quorum}, but a round asks {asked} "
                f"edge{'s' if asked > 1 else ''}; lower it"
            )
    elif fleet.kind is FleetKind.LOCAL:
        raise ConfigError(
            f"data.name={config.data.name!r} has nothing to train on, so the edges must bring "
            "their data over a folder: set fleet.kind=folder and fleet.folder"
        )
    elif config.update.level_for is LevelFor.RUN:
        raise ConfigError(
            "update.level_for=run divides the level over all edges, and nobody knows how many will "
            "come; use decision or edge"
        )
