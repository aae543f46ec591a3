"""Fields of a config that do not go together, each clash as a line that says what to do."""

from collections.abc import Iterator
from pathlib import Path

from ecavg_tf.config.choices import ClassWeights, FleetKind, PartitionKind, TrainingFile
from ecavg_tf.config.sections import Config


def clashes(config: Config) -> Iterator[str]:
    """What is wrong with fields that are each right by themselves."""
    yield from _of_task(config)
    yield from _of_fleet(config)
    yield from _of_warmup(config)
    yield from _of_training(config)


def _of_task(config: Config) -> Iterator[str]:
    if config.edges_per_round > config.partition.num_edges and _deals_out(config):
        yield (
            f"edges_per_round is {config.edges_per_round}, "
            f"but partition.num_edges is {config.partition.num_edges}"
        )
    if config.model.weights_path and config.model.init != "imagenet":
        yield "model.weights_path is read with model.init=imagenet only"


def _of_fleet(config: Config) -> Iterator[str]:
    fleet = config.fleet
    if fleet.kind is FleetKind.FOLDER and not fleet.folder:
        yield "fleet.kind is folder; say where: --config.fleet.folder=DIR"
    if fleet.kind is FleetKind.FLOWER and not fleet.server:
        yield (
            "fleet.kind is flower; say where its server keeps its state: "
            "--config.fleet.server=DIR, as in ecavg serve --state=DIR"
        )
    elsewhere = f"fleet.kind={fleet.kind.value} reaches edges that run elsewhere; leave it out"
    if fleet.workers and fleet.kind is not FleetKind.LOCAL:
        yield f"fleet.workers is {fleet.workers}, but {elsewhere}"
    if fleet.edge_keys and fleet.kind is FleetKind.LOCAL:
        yield (
            "fleet.edge_keys is for replies that come from elsewhere, and fleet.kind=local trains "
            "the edges here; leave it out"
        )
    if config.baseline.alone and fleet.kind is not FleetKind.LOCAL:
        yield f"baseline.alone=true trains the edges' models here, but {elsewhere}"
    if config.data.spec and fleet.kind is FleetKind.LOCAL:
        yield (
            "data.spec is for a server whose edges have the data, and these come over a folder: "
            "set fleet.kind=folder and fleet.folder (or flower and fleet.server)"
        )


def _of_warmup(config: Config) -> Iterator[str]:
    """A warm-up needs one start for all, and examples before round 1."""
    server = config.server
    if server.warmup_data and not server.warmup_epochs:
        yield "server.warmup_data is read with server.warmup_epochs of 1 or more only"
    if not server.warmup_epochs:
        return
    if config.model.init == "independent":
        yield (
            "server.warmup_epochs trains the one start that all edges share, and with "
            "model.init=independent there is none; leave one of the two out"
        )
    if not server.warmup_data and (config.fleet.kind is FleetKind.FOLDER or not server.pool):
        yield (
            "server.warmup_epochs needs examples before round 1: name some with "
            "server.warmup_data, or let edges in this process pool theirs (fleet.kind=local, "
            "server.pool=true)"
        )


def _of_training(config: Config) -> Iterator[str]:
    if config.edge.dp_noise_multiplier and not config.edge.dp_clip:
        yield (
            "edge.dp_noise_multiplier is in units of edge.dp_clip, which is 0; set edge.dp_clip "
            "to the largest norm that an update's change may have"
        )
    if config.server.tail_epochs and config.server.patience:
        yield (
            "server.tail_epochs takes the mean of the last epochs, server.patience the best one; "
            "set one of them"
        )
    weighs = config.edge.class_weights is not ClassWeights.NONE
    if weighs and config.fleet.training_file is not TrainingFile.NONE:
        yield (
            "edge.class_weights=balanced is for edges with Keras; edges that train a file "
            "(fleet.training_file) can't weigh classes: leave one of the two out"
        )


def _deals_out(config: Config) -> bool:
    """Whether ``partition.num_edges`` surely says how many edges there are."""
    name = config.data.name
    knows_edges = config.partition.kind is PartitionKind.KEY or ":" in name or name[:1] == "~"
    knows_edges = knows_edges or bool(config.data.spec) or name.endswith(".npz")
    return not knows_edges and not Path(name).is_dir()
