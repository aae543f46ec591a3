"""As cifar10_network_large, and the server's learning rate falls from epoch to epoch.

    ecavg study --config=configs/studies/cifar10_network_cosine.py --workdir=runs/study-cosine

Whatever trains on the server has the schedule, controls too, and so has an edge that goes on alone
for longer (alone-longer) while it does. In a round, edges train at a constant rate. What was cut,
beside what cifar10_network_large cuts: the split dirichlet:0.3, pools of 20 %, and best-edge,
ensemble and fedavg. The rates that are tried lie higher, since the schedule's mean rate is lower.
"""

from ecavg_tf.config import Config, Schedule
from ecavg_tf.study.plan import Grid, Study


def get_config() -> Study:
    """One round of 3 + 3 epochs."""
    task = Config()
    task.data.name = "cifar10"
    task.data.train_examples, task.data.test_examples = 8_000, 2_000
    task.model.name = "mobilenet_v2"
    task.model.weights_path = "mobilenet_v2_1.0_no_top.h5"
    task.edge.learning_rate = task.server.learning_rate = 5e-4
    task.server.schedule = Schedule.COSINE
    task.server.rate_warmup = 0.1
    alone = ("local", "alone", "alone-longer")
    arms = (*alone, "start-server", "start-total", "ours", "ours-constant")
    return Study(
        title="CIFAR-10, a pre-trained MobileNetV2, 8,000 images, cosine on the server",
        task=task,
        grids=[
            Grid(arms, (split,), ("imagenet",), pools=(1.0,), edges=(4,), seeds=(0, 1, 2))
            for split in ("iid", "classes")
        ],
        rates=(2.0, 1.0),
        notes=[
            "The pre-trained weights are those of an ImageNet MobileNetV2 that was fine-tuned on "
            "dog breeds, because Keras' own could not be downloaded where this was run.",
            "Over the first tenth of a fit the server's rate rises from 0; by epoch it is 100, 75 "
            "and 25 % of the chosen rate. Edges train at a constant rate in a round.",
        ],
    )
