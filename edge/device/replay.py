"""The child of ``edge.device.check``: replays a bundle's golden pairs and prints what came out.

    python -m edge.device.replay BUNDLE

Prints one line of JSON: the model's SHA-256, the largest difference of a probability and
the share of equal labels, or an ``error``.
"""

import hashlib
import json
import sys

import numpy as np

from ecavg_tf.core.bundles.bundle import read_bundle
from ecavg_tf.core.children import ends_first
from ecavg_tf.core.errors import ECAvgError
from edge.device.runtime import Model, find_runtime
from edge.predicting.probabilities import predict_probabilities


def main() -> int:
    """Reads, runs, prints."""
    ends_first()
    try:
        bundle = read_bundle(sys.argv[1])
        model = Model(find_runtime(), bundle.model, 1)
        kind, scaling = bundle.info.output_kind, bundle.info.feature_scaling
        found = predict_probabilities(model, bundle.golden_inputs, kind, scaling)
        expected = bundle.golden_outputs
        answer = {
            "sha256": hashlib.sha256(bundle.model).hexdigest(),
            "inputs": len(found),
            "difference": _difference(found, expected),
            "agreement": float((found.argmax(axis=1) == expected.argmax(axis=1)).mean()),
        }
    except ECAvgError as error:
        answer = {"error": str(error)}
    print(f"\n{json.dumps(answer)}", flush=True)
    return 0


def _difference(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest absolute one; JSON has no NaN, so an unsound answer counts as 2."""
    if found.shape != expected.shape or not np.isfinite(found).all():
        return 2.0
    return float(np.abs(found - expected).max())


if __name__ == "__main__":
    sys.exit(main())
