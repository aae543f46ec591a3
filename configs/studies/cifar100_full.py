"""Not run: CIFAR-100 with ResNet50, from random and from a start that is pre-trained here.

    ecavg run --config=configs/cifar10_mobilenetv2.py --config.model.name=resnet50 \
        --workdir=runs/start
    ecavg study --config=configs/studies/cifar100_full.py --workdir=runs/study-cifar100 --dry-run

Its second start is ``start.keras``: a ResNet50 with 100 classes, for example the one of the run
above with a new head. Days on a CPU; a GPU is meant.
"""

from ecavg_tf.config import Config
from ecavg_tf.study.plan import MAIN_ARMS, Grid, Study

SPLITS = ("iid", "dirichlet:0.3", "classes")


def get_config() -> Study:
    """One round of 5 + 5 epochs on all of CIFAR-100."""
    task = Config()
    task.data.name = "cifar100"
    task.model.name = "resnet50"
    task.edge.epochs = task.server.epochs = 5
    arms = (*MAIN_ARMS, "ours-auto")
    return Study(
        title="CIFAR-100, ResNet50",
        task=task,
        grids=[Grid(arms, SPLITS, ("shared", "start.keras"), (1.0, 0.2), (2,), (0, 1, 2))],
        rates=(1.0, 0.3),
    )
