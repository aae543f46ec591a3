"""CIFAR-10, the whole of a pre-trained MobileNetV2: three splits, four edges, 3 seeds.

    ecavg study --config=configs/studies/cifar10_network.py --workdir=runs/study-network

Needs ``mobilenet_v2_1.0_no_top.h5`` (Keras' own '…_no_top.h5' file, or another with its layers)
where the command is given. docs/results-study.md shows what came of it. What was cut: 2,000 images
of 32 x 32 pixels to train on and 2,000 to test, two seeds, pools of 5 %, and pools of 100 % on
two of the splits; configs/studies/cifar10_full.py has them all.
"""

from ecavg_tf.config import Config
from ecavg_tf.study.plan import MAIN_ARMS, Grid, Study

SPLITS = ("iid", "dirichlet:0.3", "classes")
SEEDS = (0, 1, 2)


def get_config() -> Study:
    """One round of 3 + 3 epochs."""
    task = Config()
    task.data.name = "cifar10"
    task.data.train_examples = task.data.test_examples = 2_000
    task.model.name = "mobilenet_v2"
    task.model.weights_path = "mobilenet_v2_1.0_no_top.h5"
    task.edge.learning_rate = task.server.learning_rate = 5e-4
    return Study(
        title="CIFAR-10, the whole of a pre-trained MobileNetV2",
        task=task,
        grids=[
            Grid(MAIN_ARMS, SPLITS, ("imagenet",), pools=(0.2,), edges=(4,), seeds=SEEDS),
            Grid(MAIN_ARMS, ("iid",), ("imagenet",), pools=(1.0,), edges=(4,), seeds=SEEDS),
        ],
        rates=(1.0, 0.3),
        notes=[
            "The pre-trained weights are those of an ImageNet MobileNetV2 that was fine-tuned on "
            "dog breeds, because Keras' own could not be downloaded where this was run.",
        ],
    )
