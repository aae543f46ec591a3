"""CIFAR-10, the whole of a pre-trained MobileNetV2: 8,000 images, three splits, 3 seeds.

    ecavg study --config=configs/studies/cifar10_network_large.py --workdir=runs/study-large

Needs ``mobilenet_v2_1.0_no_top.h5`` (Keras' own '…_no_top.h5' file, or another with its layers)
where the command is given. docs/results-study.md shows what came of it. What was cut: two seeds,
pools of 5 %, two edges, random starts, and four of the arms; configs/studies/cifar10_full.py has
them all.
"""

from ecavg_tf.config import Config
from ecavg_tf.study.plan import Grid, Study

SPLITS = ("iid", "dirichlet:0.3", "classes")
SEEDS = (0, 1, 2)
UNPOOLED = ("local", "alone", "alone-longer", "best-edge", "ensemble", "fedavg")


def get_config() -> Study:
    """One round of 3 + 3 epochs."""
    task = Config()
    task.data.name = "cifar10"
    task.data.train_examples, task.data.test_examples = 8_000, 2_000
    task.model.name = "mobilenet_v2"
    task.model.weights_path = "mobilenet_v2_1.0_no_top.h5"
    task.edge.learning_rate = task.server.learning_rate = 5e-4
    arms = (*UNPOOLED, "start-server", "start-total", "ours")
    few = ("start-server", "start-total", "best-edge-tuned", "ours")
    return Study(
        title="CIFAR-10, the whole of a pre-trained MobileNetV2, 8,000 images",
        task=task,
        grids=[
            Grid(arms, SPLITS, ("imagenet",), pools=(1.0,), edges=(4,), seeds=SEEDS),
            Grid(few, SPLITS, ("imagenet",), pools=(0.2,), edges=(4,), seeds=SEEDS),
        ],
        rates=(1.0, 0.3),
        notes=[
            "The pre-trained weights are those of an ImageNet MobileNetV2 that was fine-tuned on "
            "dog breeds, because Keras' own could not be downloaded where this was run.",
        ],
    )
