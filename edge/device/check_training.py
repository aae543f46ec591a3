"""Checks that a training bundle trains with the right results on this device."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from ecavg_tf.core.bundles.training_bundle import TrainingBundle, read_training_bundle
from ecavg_tf.core.errors import ExportError
from ecavg_tf.core.paths import user_path
from edge.device.child import ask_child
from edge.device.runtime import Runtime, check_supported, find_runtime


@dataclass(frozen=True)
class CheckedTraining:
    """A training bundle that this device trains as it should.

    Attributes:
        bundle: the bundle.
        runtime: what runs it.
        difference: largest absolute difference of a golden probability.
    """

    bundle: TrainingBundle
    runtime: Runtime
    difference: float


def check_training_bundle(path: str | Path) -> CheckedTraining:
    """Opens a training bundle and replays its golden steps in a process of its own.

    Raises:
        ExportError: it is damaged, needs another runtime, crashes, or trains wrong.
        InstallationError: there is no runtime.
    """
    path, runtime = user_path(path), find_runtime()
    bundle = read_training_bundle(path)
    try:
        check_supported(runtime, bundle.info.min_runtime, bundle.info.operators)
    except ExportError as error:
        raise ExportError(f"bundle {path}: {error}") from error
    answer = ask_child("edge.device.replay_training", [str(path)], what=f"bundle {path}")
    if answer["sha256"] != hashlib.sha256(bundle.model).hexdigest():
        raise ExportError(f"bundle {path} was changed while it was checked; get it again")
    difference, allowed = float(answer["difference"]), bundle.info.tolerance
    if not difference <= allowed:
        raise ExportError(
            f"bundle {path} trains wrong in {runtime}: probabilities are up to {difference:.3g} "
            f"off its golden answers (at most {allowed:g} is allowed); don't use it here"
        )
    return CheckedTraining(bundle, runtime, difference)
