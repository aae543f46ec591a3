r"""CIFAR-100, head of a frozen ResNet50 that was trained on CIFAR-10: four edges, 3 seeds.

    TF_ENABLE_ONEDNN_OPTS=1 python benchmarks/features.py --config=cifar100_resnet50 \
        --weights=start.keras --out=cifar100-features.npz
    ecavg study --config=configs/studies/cifar100_pretrained.py --workdir=runs/study-cifar100

docs/results.md says how ``start.keras`` was trained, docs/results-study.md what came of the study.
The backbone is frozen, so its features are computed once. What was cut: only 8,000 training images
are used, there are no random starts, and the network is not trained as a whole, as
configs/studies/cifar100_full.py does.
"""

from ecavg_tf.config import Config, Trains
from ecavg_tf.study.plan import MAIN_ARMS, Grid, Study

SPLITS = ("iid", "dirichlet:0.3", "classes")
SEEDS = (0, 1, 2)


def get_config() -> Study:
    """One round of 3 + 3 epochs on what benchmarks/features.py wrote."""
    task = Config()
    task.data.name = "cifar100-features.npz"
    task.model.name = "ecavg_tf.study.heads:linear"
    task.model.train = Trains.HEAD  # says that the start has learned something
    arms = (*MAIN_ARMS, "ours-auto", "ours-class-head")
    return Study(
        title="CIFAR-100, head of a frozen ResNet50 that was trained on CIFAR-10",
        task=task,
        grids=[Grid(arms, SPLITS, pools=(1.0, 0.2, 0.05), edges=(4,), seeds=SEEDS)],
        rates=(1.0, 0.3),
        notes=[
            "The backbone is frozen: arms differ in the head alone, whose loss is convex. It was "
            "trained here, on 8,000 images of CIFAR-10, and is right on 45 % of 1,000 test images "
            "of it, because no pre-trained weights of ResNet50 were at hand.",
        ],
    )
