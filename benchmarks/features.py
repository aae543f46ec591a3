"""Features of a frozen backbone, computed once: a study of its head then costs minutes.

    python benchmarks/features.py --config=cifar10_mobilenetv2 \
        --weights=mobilenet_v2_1.0_no_top.h5 --out=cifar10-features.npz

Takes the config's data set and its model with pre-trained weights (Keras' own '…_no_top.h5' file),
and writes what goes into the last layer. ``--weights=start.keras`` takes that model instead,
whatever its last layer tells apart. Training a head on these is what ``model.train=head`` does,
without computing the backbone in every epoch. Half a minute for CIFAR-10's 14,000 images.
"""

import argparse
import runpy
from pathlib import Path

from ecavg_tf.quiet import import_tensorflow

import_tensorflow("mobilenet_v2")

import keras  # noqa: E402
import numpy as np  # noqa: E402

from ecavg_tf.config import Config  # noqa: E402
from ecavg_tf.data.sources import load_data  # noqa: E402
from ecavg_tf.models.builders import build_model  # noqa: E402
from ecavg_tf.models.outputs import Outputs  # noqa: E402
from export.jobs.keras_file import load_keras  # noqa: E402

CONFIGS = Path(__file__).parent.parent / "configs"


def main() -> None:
    """Parses, computes, writes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--config", default="cifar10_mobilenetv2")
    parser.add_argument("--weights", required=True)
    parser.add_argument("--train", type=int, default=8000)
    parser.add_argument("--test", type=int, default=4000)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    config: Config = runpy.run_path(str(CONFIGS / f"{arguments.config}.py"))["get_config"]()
    config.data.train_examples, config.data.test_examples = arguments.train, arguments.test
    data = load_data(config.data, config.seed)
    if arguments.weights.endswith(".keras"):
        model = load_keras(Path(arguments.weights))
    else:
        config.model.init, config.model.weights_path = "imagenet", arguments.weights
        model = build_model(config, data.spec)
    backbone = Outputs(keras.Model(model.inputs, model.layers[-2].output))
    np.savez(
        arguments.out,
        x_train=backbone(data.train.inputs),
        y_train=data.train.labels,
        x_test=backbone(data.test.inputs),
        y_test=data.test.labels,
    )
    print(f"{arguments.out}: {len(data.train)} and {len(data.test)} examples of {data.spec.name}")


if __name__ == "__main__":
    main()
