"""CIFAR-10, head of a frozen pre-trained MobileNetV2: three splits, four edges, 5 seeds.

    python benchmarks/features.py --weights=mobilenet_v2_1.0_no_top.h5 --out=cifar10-features.npz
    ecavg study --config=configs/studies/cifar10_pretrained.py --workdir=runs/study-pretrained

docs/results-study.md shows what came of it. The backbone is frozen, so its features are computed
once. What was cut: 8,000 images at 32 x 32 pixels, and training the whole network, which
configs/studies/cifar10_full.py does.
"""

from ecavg_tf.config import Config, Trains
from ecavg_tf.study.plan import MAIN_ARMS, Grid, Study

SPLITS = ("iid", "dirichlet:0.3", "classes")
PARTS = ("ours-root-rate", "ours-class-head", "ours-soup", "ours-tail", "ours-distilled")


def get_config() -> Study:
    """One round of 3 + 3 epochs on what benchmarks/features.py wrote."""
    task = Config()
    task.data.name = "cifar10-features.npz"
    task.model.name = "ecavg_tf.study.heads:linear"
    task.model.train = Trains.HEAD  # says that the start has learned something
    arms = (*MAIN_ARMS, "ours-auto")
    return Study(
        title="CIFAR-10, head of a frozen pre-trained MobileNetV2",
        task=task,
        grids=[
            Grid(arms, SPLITS, pools=(1.0, 0.2, 0.05), edges=(4,), seeds=(0, 1, 2, 3, 4)),
            Grid(PARTS, SPLITS, pools=(0.2,), edges=(4,), seeds=(0, 1, 2, 3, 4)),
        ],
        rates=(1.0, 0.3),
        notes=[
            "The backbone is frozen: arms differ in the head alone, whose loss is convex. The "
            "pre-trained weights are those of an ImageNet MobileNetV2 that was fine-tuned on dog "
            "breeds, because Keras' own could not be downloaded where this was run.",
        ],
    )
