"""Not run: CIFAR-10 with MobileNetV2, the whole network, random and pre-trained starts.

    ecavg study --config=configs/studies/cifar10_full.py --workdir=runs/study-cifar10 --dry-run

Needs Keras' '…_no_top.h5' file, or a network to fetch it. Days on a CPU; a GPU is meant.
"""

from ecavg_tf.config import Config
from ecavg_tf.study.plan import MAIN_ARMS, Grid, Study

SPLITS = ("iid", "dirichlet:0.3", "classes")
SEEDS = (0, 1, 2, 3, 4)


def get_config() -> Study:
    """One round of 3 + 3 epochs on all of CIFAR-10."""
    task = Config()
    task.data.name = "cifar10"
    task.model.name = "mobilenet_v2"
    task.edge.learning_rate = task.server.learning_rate = 5e-4
    pools = (1.0, 0.2, 0.05)
    return Study(
        title="CIFAR-10, MobileNetV2",
        task=task,
        grids=[
            Grid((*MAIN_ARMS, "ours-auto"), SPLITS, ("imagenet",), pools, (2, 4), SEEDS),
            Grid((*MAIN_ARMS, "ours-warm"), SPLITS, ("shared",), pools, (2, 4), SEEDS),
        ],
        rates=(1.0, 0.3),
    )
