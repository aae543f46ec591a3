"""CIFAR-10, the whole of a pre-trained MobileNetV2, 8,000 images of which a fifth is pooled.

    ecavg study --config=configs/studies/cifar10_network_small_pool.py --workdir=runs/study-small

As cifar10_network_large, but the server trains on the pool for as many examples as if everything
were pooled, and its learning rate falls from epoch to epoch. Controls that train on the server have
both, too. What was cut: all other shares of a pool.
"""

from ecavg_tf.config import Config, PoolEpochs, Schedule
from ecavg_tf.study.plan import Grid, Study

UNPOOLED = ("local", "alone", "alone-longer", "best-edge", "ensemble", "fedavg")
CONTROLS = ("start-server", "start-total", "best-edge-tuned")


def get_config() -> Study:
    """One round of 3 + 3 epochs; 3 epochs of everything are 15 of a fifth."""
    task = Config()
    task.data.name = "cifar10"
    task.data.train_examples, task.data.test_examples = 8_000, 2_000
    task.model.name = "mobilenet_v2"
    task.model.weights_path = "mobilenet_v2_1.0_no_top.h5"
    task.edge.learning_rate = task.server.learning_rate = 5e-4
    task.server.epochs_for_pool = PoolEpochs.FULL
    task.server.schedule = Schedule.COSINE
    task.server.rate_warmup = 0.1
    arms = (*UNPOOLED, *CONTROLS, "ours", "ours-distilled", "ours-few-epochs", "ours-constant")
    return Study(
        title="CIFAR-10, the whole of a pre-trained MobileNetV2, a fifth of 8,000 images pooled",
        task=task,
        grids=[
            Grid(arms, (split,), ("imagenet",), pools=(0.2,), edges=(4,), seeds=(0, 1, 2))
            for split in ("iid", "dirichlet:0.3", "classes")
        ],
        rates=(2.0, 1.0, 0.3),
        notes=[
            "The pre-trained weights are those of an ImageNet MobileNetV2 that was fine-tuned on "
            "dog breeds, because Keras' own could not be downloaded where this was run.",
            "The server makes 15 passes over the pool, which are as many examples as 3 epochs of "
            "everything. Over the first tenth of them its rate rises from 0; then it falls along a "
            "cosine, from pass to pass. Edges train at a constant rate in a round; an edge that "
            "goes on alone for longer makes 3 epochs of its own examples with the server's "
            "schedule, at 5e-4. Only *ours-distilled* learns from the edges' answers, too; the "
            "edges' predictions for it are counted as the server's work.",
        ],
    )
