"""The training bundles that an edge's folder keeps, because accepted models need them to run.

There is one for every set of frozen weights, under the name that a run gives it.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

from ecavg_tf.core.bundles.training_bundle import (
    TRAINING_FILES,
    TrainingInfo,
    frozen_sha256,
    training_file_name,
)
from ecavg_tf.core.errors import ExportError, WorkdirError
from ecavg_tf.core.files import TEMPORARY_PREFIX, atomic_path, file_sha256
from ecavg_tf.events import Listener, Note
from edge.device.check_training import CheckedTraining, check_training_bundle
from edge.participating.accepted import accepted_files, read_accepted


def kept_bundles(folder: Path) -> list[Path]:
    """The bundles that a folder keeps, by name."""
    return sorted(folder.glob(TRAINING_FILES))


def keep_bundle(folder: Path, source: Path, sha256: str, frozen: str) -> Path:
    """Copies a bundle into an edge's folder, whole or not at all, unless it lies there.

    Args:
        folder: the edge's folder.
        source: the bundle.
        sha256: hash of the file that was checked.
        frozen: hash of its frozen weights.

    Raises:
        ExportError: it is another file by now.
    """
    target = folder / training_file_name(frozen)
    if target.is_file() and file_sha256(target) == sha256:
        return target
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)
        if file_sha256(temporary) != sha256:
            raise ExportError(
                f"bundle {source} was changed while it was used; run the same command again"
            )
    return target


def drop_bundles(folder: Path, current: TrainingInfo) -> None:
    """Removes what no model of the folder needs, and what a killed process left of a copy.

    Args:
        folder: the edge's folder, which no other process writes.
        current: of the bundle that the edge trains with.
    """
    for left in folder.glob(f"{TEMPORARY_PREFIX}*-{TRAINING_FILES}"):
        left.unlink()
    others = set(kept_bundles(folder)) - {folder / training_file_name(current.frozen_sha256)}
    if not others:  # and accepted models need not be read
        return
    try:
        accepted = [read_accepted(path).weights for path in accepted_files(folder)]
    except WorkdirError:  # nobody knows what it needs; the next round's may be sound
        return
    needed = {training_file_name(frozen_sha256(weights, current.held)) for weights in accepted}
    for path in others:
        if path.name not in needed:
            path.unlink()


def find_bundle(folders: Iterable[Path], frozen: str, listener: Listener) -> CheckedTraining | None:
    """The bundle of frozen weights, from the first folder that has it whole.

    Args:
        folders: where to look.
        frozen: hash of the frozen weights.
        listener: told of one that is passed over.
    """
    for folder in folders:
        path = folder / training_file_name(frozen)
        if not path.is_file():
            continue
        try:
            checked = check_training_bundle(path)
        except ExportError as error:  # the edge goes on without what it had accepted
            listener(Note(f"an older training file is passed over: {error}"))
            continue
        if checked.bundle.info.frozen_sha256 == frozen:
            return checked
    return None
