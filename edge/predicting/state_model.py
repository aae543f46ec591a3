"""The model that an edge's state folder holds, ready to predict. The folder is only read."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.bundles.training_bundle import TrainingInfo, frozen_sha256, read_training_bundle
from ecavg_tf.core.errors import ConfigError, ECAvgError, ExportError, WorkdirError, brief
from ecavg_tf.core.files import LOCK, file_sha256
from ecavg_tf.core.messages.update_file import TensorFile
from ecavg_tf.core.paths import user_path
from ecavg_tf.core.template import Array, weights_sha256
from edge import DEFAULT_EDGE
from edge.device.check_training import check_training_bundle
from edge.device.runtime import find_runtime
from edge.device.training_model import TrainingModel
from edge.participating.accepted import (
    AcceptedModel,
    accepted_files,
    newest_accepted,
    read_accepted,
)
from edge.participating.kept_bundles import kept_bundles
from edge.participating.store import is_of_a_run
from edge.predicting.loaded_model import LoadedModel

ALONE = "update.safetensors"
TAKEN = "taken"  # in its metadata: whether the trained weights predict, or the bundle's own do
_AGAIN = "run the train command again, which goes on from its last epoch"


@dataclass(frozen=True)
class _Stored:
    """A model, with the bundle that runs it; without weights it is the bundle's own."""

    said: str
    bundle: Path
    held: Sequence[Array] | None


def load_state_model(
    state: str | Path, edge: str | None, *, threads: int, check: bool
) -> LoadedModel:
    """Loads what an edge accepted last in a run, else what it trained alone.

    Args:
        state: the folder that ``train`` was given.
        edge: the edge's name; None: the only one that the folder holds.
        threads: how many the runtime may use; 0: one a core.
        check: replay the bundle's golden steps first, in a process of its own.

    Raises:
        ConfigError: no edge is named, and the folder holds several.
        WorkdirError: there is no model, or it is damaged.
        ExportError: its bundle is damaged, or does not run right here.
        InstallationError: there is no runtime.
    """
    state = user_path(state)
    edge = _only_edge(state) if edge is None else edge
    folder = _folder(state, edge)
    seen = _written(folder)
    try:
        return _load(state, edge, threads, check)
    except ECAvgError:
        if _written(folder) == seen:
            raise
    return _load(state, edge, threads, check)  # a training process had replaced it


def _load(state: Path, edge: str, threads: int, check: bool) -> LoadedModel:
    folder = state / edge
    stored = _accepted(folder) or _alone(folder)
    if stored is None:
        raise WorkdirError(
            f"{folder} holds no model yet; train alone to the end, or serve a run (its first "
            "model is accepted once the server's first global model came: in round 2, or at the "
            "end of a run of one round)"
        )
    if check:
        checked = check_training_bundle(stored.bundle)
        bundle, runtime = checked.bundle, checked.runtime
    else:
        bundle, runtime = read_training_bundle(stored.bundle), find_runtime()
    info, model = bundle.info, TrainingModel(runtime, bundle, threads)
    if stored.held is not None:
        model.set(model.fresh(stored.held))

    def answer(inputs: Array) -> NDArray[np.float32]:
        return model.infer(model.features(inputs))

    answer(np.zeros((1, *info.input_shape), np.float32))  # the first call allocates and is slow
    source = {
        "state": str(state),
        "edge": edge,
        "model": stored.said,
        "bundle": str(stored.bundle),
        "format": "training",
    }
    return LoadedModel(
        source=source,
        runtime=runtime,
        classes=info.classes,
        input_shape=info.input_shape,
        inputs_dtype=info.inputs_dtype,
        value_range=info.value_range,
        declared=info.declared,
        answer=answer,
        columns=info.columns,
    )


def _only_edge(state: Path) -> str:
    """The edge of a folder that holds no other: one of several would be somebody's guess."""
    folders = state.iterdir() if state.is_dir() else ()
    edges = sorted(folder.name for folder in folders if _is_edge(folder))
    if len(edges) > 1:
        raise ConfigError(
            f"{state} holds the edges {', '.join(edges)}; say whose model predicts: "
            f"--edge={edges[0]}"
        )
    return edges[0] if edges else DEFAULT_EDGE


def _is_edge(folder: Path) -> bool:
    """Whether ``train`` used it; others, such as a disk's lost+found, may lie beside it."""
    try:
        return is_of_a_run(folder) or any((folder / name).exists() for name in (LOCK, ALONE))
    except OSError:  # it can't be looked into
        return False


def _folder(state: Path, edge: str) -> Path:
    folder = state / edge
    if folder.is_dir():
        return folder
    if not state.is_dir():
        raise WorkdirError(f"{state} is not there; give the --state folder that train was given")
    edges = sorted(path.name for path in state.iterdir() if path.is_dir())
    raise WorkdirError(
        f"{state} holds no edge {edge}; it has {', '.join(edges) or 'none'} (--edge)"
    )


def _written(folder: Path) -> list[tuple[str, int]]:
    """Which models lie there; a change means that a training process wrote one."""
    alone = folder / ALONE  # replaced in place, never removed; accepted models carry a number
    trained = [(alone.name, alone.stat().st_mtime_ns)] if alone.exists() else []
    return [*((path.name, 0) for path in accepted_files(folder)[-1:]), *trained]


def _accepted(folder: Path) -> _Stored | None:
    file = newest_accepted(folder)
    if file is None:
        return None
    model, problems = read_accepted(file), []
    for path in kept_bundles(folder):
        try:
            info = read_training_bundle(path).info
        except ExportError as error:
            problems.append(str(error))
            continue
        if _runs(info, model):
            held = [model.weights[at] for at in info.held]
            return _Stored(f"{model.rung}, accepted in round {model.round}", path, held)
    if problems:
        raise ExportError(problems[0])
    exported = sorted((folder.parent / "exports" / folder.name).glob("*.bundle.zip"))
    if exported:  # an edge with Keras has no training bundle
        raise WorkdirError(f"predict with a bundle that was exported of this model: {exported[0]}")
    raise WorkdirError(
        f"{folder} lacks the training bundle of its accepted model ({file.name}); copy the "
        "run's training-*.bundle.zip files there, from this edge's inbox in the exchange folder"
    )


def _runs(info: TrainingInfo, model: AcceptedModel) -> bool:
    shapes = [(weight.shape, weight.dtype.name) for weight in model.weights]
    expected = [(spec.shape, spec.dtype) for spec in info.template.weights]
    return shapes == expected and frozen_sha256(model.weights, info.held) == info.frozen_sha256


def _alone(folder: Path) -> _Stored | None:
    path = folder / ALONE
    if not path.exists():
        return None
    try:
        stored = TensorFile(path)
        name, sha256 = (str(stored.metadata["training_file"][key]) for key in ("name", "sha256"))
        weights = {key: stored[key] for key in stored.keys}
        bundle = next((kept for kept in kept_bundles(folder) if kept.name == name), None)
        if bundle is None:
            raise WorkdirError(
                f"{folder} lacks {name}, which {path.name} was trained with; {_AGAIN}"
            )
        if file_sha256(bundle) != sha256:
            raise WorkdirError(
                f"{bundle} is not the file that {path.name} was trained with; {_AGAIN}"
            )
        info = read_training_bundle(bundle).info
        specs = [info.template.weights[at] for at in info.held]
        held = [weights[spec.key].reshape(spec.shape) for spec in specs]
        if weights_sha256(held) != stored.metadata["weights_sha256"]:
            raise ValueError("its weights are not those that were trained")
    except (KeyError, TypeError, ValueError) as error:
        raise WorkdirError(f"{path} is damaged ({brief(error)}); {_AGAIN}") from error
    if not stored.metadata.get(TAKEN, True):
        return _Stored("the bundle's own: what was trained is not certified", bundle, None)
    return _Stored("trained alone", bundle, held)
