"""Training bundles, as devices open them."""

from pathlib import Path

from fuzz_bundle import NAME, RUNTIME, as_bundle, lay, mutated

from ecavg_tf.core.bundles.training_bundle import read_training_bundle, write_training_bundle
from edge.device.runtime import check_supported

__all__ = ["READERS", "lay", "mutated"]


def as_training_bundle(place: Path) -> None:
    """A device reads it, and what was read can be written again."""
    bundle = read_training_bundle(place / NAME)
    write_training_bundle(place / "again.zip", bundle)
    check_supported(RUNTIME, bundle.info.min_runtime, bundle.info.operators)


READERS = (as_training_bundle, as_bundle)
