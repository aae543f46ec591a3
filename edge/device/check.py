"""Checks that a bundle is undamaged, and that this device runs it with the right results."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from ecavg_tf.core.bundles.bundle import Bundle, read_bundle
from ecavg_tf.core.errors import ExportError
from ecavg_tf.core.paths import user_path
from edge.device.child import ask_child
from edge.device.runtime import Runtime, check_supported, find_runtime


@dataclass(frozen=True)
class Checked:
    """A bundle that this device runs as it should.

    Attributes:
        bundle: the bundle.
        runtime: what runs it.
        inputs: how many golden examples were replayed.
        difference: largest absolute difference from the golden probabilities.
        agreement: share of golden examples with the same best class.
    """

    bundle: Bundle
    runtime: Runtime
    inputs: int
    difference: float
    agreement: float


def check_bundle(path: str | Path) -> Checked:
    """Opens a bundle and proves that it runs right here.

    Hashes first, then what it says it needs, and last its golden pairs, in a process of
    its own: a hostile or too new model may crash a runtime, or make it answer nonsense.

    Raises:
        ExportError: it is damaged, needs another runtime, crashes, or answers wrong.
        InstallationError: there is no runtime.
    """
    path, runtime = user_path(path), find_runtime()
    bundle = read_bundle(path)
    info = bundle.info
    try:
        check_supported(runtime, info.min_runtime, info.operators)
    except ExportError as error:
        raise ExportError(f"bundle {path}: {error}") from error
    answer = ask_child("edge.device.replay", [str(path)], what=f"bundle {path}")
    if answer["sha256"] != hashlib.sha256(bundle.model).hexdigest():
        raise ExportError(f"bundle {path} was changed while it was checked; get it again")
    difference, agreement = float(answer["difference"]), float(answer["agreement"])
    allowed = info.tolerance
    if not (difference <= allowed["max_difference"] and agreement >= allowed["label_agreement"]):
        raise ExportError(
            f"bundle {path} runs wrong in {runtime}: probabilities are up to {difference:.3g} off "
            f"its golden answers (at most {allowed['max_difference']:g} are allowed), labels agree "
            f"on {agreement:.0%} (at least {allowed['label_agreement']:.0%}); don't use it here"
        )
    return Checked(bundle, runtime, int(answer["inputs"]), difference, agreement)
