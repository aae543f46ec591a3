"""The child of ``edge.device.check_training``: replays a training bundle's golden steps.

    python -m edge.device.replay_training BUNDLE

Prints one line of JSON: the model's SHA-256 and the largest difference of a probability
before and after the steps, or an ``error``.
"""

import hashlib
import json
import sys

import numpy as np

from ecavg_tf.core.bundles.training_bundle import read_training_bundle
from ecavg_tf.core.children import ends_first
from ecavg_tf.core.errors import ECAvgError
from edge.device.runtime import find_runtime
from edge.device.training_model import TrainingModel


def main() -> int:
    """Reads, trains, prints."""
    ends_first()
    try:
        bundle = read_training_bundle(sys.argv[1])
        model = TrainingModel(find_runtime(), bundle)
        features = model.features(bundle.golden_inputs)
        answers = [model.infer(features)]
        for _ in range(bundle.info.golden_steps):
            model.train(features, bundle.golden_labels, bundle.info.golden_learning_rate)
        answers.append(model.infer(features))
        differences = np.abs(np.stack(answers) - bundle.golden_outputs)
        sound = bool(np.isfinite(differences).all())
        answer = {
            "sha256": hashlib.sha256(bundle.model).hexdigest(),
            "inputs": len(features),
            "difference": float(differences.max()) if sound else 2.0,
        }
    except ECAvgError as error:
        answer = {"error": str(error)}
    print(f"\n{json.dumps(answer)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
