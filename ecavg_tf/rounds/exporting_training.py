"""``ecavg export --trainable``: a file that a device trains, of a run or a ``.keras`` file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from ecavg_tf.config import Config, DataConfig
from ecavg_tf.core.errors import ConfigError, disk_errors
from ecavg_tf.core.files import read_json, write_bytes
from ecavg_tf.core.template import weights_sha256
from ecavg_tf.core.training_bundle import read_training_bundle, write_training_bundle
from ecavg_tf.data.dataset import Dataset
from ecavg_tf.data.sources import load_data
from ecavg_tf.events import silent
from ecavg_tf.rounds.assembly import Assembly
from ecavg_tf.rounds.exporting import FOLDER
from ecavg_tf.rounds.exporting_files import load_keras
from ecavg_tf.rounds.exporting_subjects import global_of, load_found
from ecavg_tf.rundir import stored_config
from export.signing import SUFFIX
from export.trainable import TRAINABLE
from export.training import TrainingExporter, optimizer_spec


def export_training(
    source: Path,
    *,
    trainable: str,
    optimizer: str = "",
    momentum: float = 0.0,
    data: str = "",
    out: str = "",
) -> Path:
    """Makes ``training-TRAINABLE.bundle.zip`` and the same file as a plain ``.tflite``.

    Args:
        source: a run directory (its last global model, or its start) or a ``.keras`` file.
        trainable: ``head`` or ``dense``.
        optimizer: ``sgd`` or ``adam``; empty: ``edge.optimizer`` of the run, or adam.
        momentum: of ``sgd``.
        data: for a ``.keras`` file: its labelled images, as ``data.name`` of a config.
        out: where to; empty: ``exports`` in the run directory, or beside the file.

    Returns:
        The bundle's path.

    Raises:
        ECAvgError: with one line that says how to mend it.
    """
    if source.suffix == ".keras":
        if not data:
            raise ConfigError(
                "--trainable compares the file with Keras on labelled images: give --data=NAME"
            )
        model, dataset = load_keras(source), load_data(DataConfig(name=data), Config().seed)
        folder = Path(out or source.with_name(source.stem + "-export"))
        run, round_number = None, None
    else:
        config = stored_config(source)
        optimizer = optimizer or config.edge.optimizer
        assembly = Assembly(config, source, silent)
        dataset, (model, round_number) = assembly.dataset, _run_model(source, assembly)
        folder = Path(out or source / FOLDER)
        run = read_json(source / "environment.json").get("run_id")
    origin = {
        "run": run,
        "round": round_number,
        "edge": None,
        "weights_sha256": weights_sha256(model.get_weights()),
    }
    return _export(model, dataset, folder, origin, trainable, optimizer or "adam", momentum)


def training_made_again(run: Path) -> tuple[Path, ...]:
    """Makes the training bundles in a run's export folder again, for who signs them.

    What lies there, anybody may have put there: it tells only which optimizer it is for.

    Returns:
        Their paths.

    Raises:
        ECAvgError: one is damaged, or can't be made of this run's model.
    """
    made = []
    for trainable in TRAINABLE:
        path = run / FOLDER / f"training-{trainable}.bundle.zip"
        if path.exists():
            spec = read_training_bundle(path).info.optimizer
            made.append(
                export_training(
                    run, trainable=trainable, optimizer=spec.name, momentum=spec.momentum
                )
            )
    return tuple(made)


def _run_model(run: Path, assembly: Assembly) -> tuple[keras.Model, int | None]:
    """The last global model and its round, or what the run starts from."""
    model = assembly.server_trainer.model
    found = global_of(run)
    if found is None:
        model.set_weights(assembly.initial)
        return model, None
    load_found(model, found)
    return model, found.round


def _export(
    model: keras.Model,
    dataset: Dataset,
    folder: Path,
    origin: Mapping[str, Any],
    trainable: str,
    optimizer: str,
    momentum: float,
) -> Path:
    spec = dataset.spec
    if model.input_shape[1:] != spec.image_shape or model.output_shape[1] != spec.num_classes:
        raise ConfigError(
            f"the model takes {model.input_shape[1:]} and gives {model.output_shape[1]} classes; "
            f"the data has {spec.image_shape} and {spec.num_classes}"
        )
    exporter = TrainingExporter(model, spec, trainable, optimizer_spec(optimizer, momentum))
    bundle = exporter.bundle(dataset.test, origin)
    path = folder / f"training-{trainable}.bundle.zip"
    with disk_errors(folder):
        path.with_name(path.name + SUFFIX).unlink(missing_ok=True)  # of an earlier file
        write_training_bundle(path, bundle)
        write_bytes(folder / f"training-{trainable}.tflite", bundle.model)
    return path
