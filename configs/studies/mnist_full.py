"""Not run: MNIST on all its examples, 10 seeds, and 2, 5 and 10 edges.

    ecavg study --config=configs/studies/mnist_full.py --workdir=runs/study-mnist-full --dry-run

The command above says what it costs.
"""

from ecavg_tf.config import Config
from ecavg_tf.study.plan import MAIN_ARMS, Grid, Study

SEEDS = tuple(range(10))
SPLITS = ("iid", "dirichlet:0.1", "classes")


def get_config() -> Study:
    """One round of 3 + 3 epochs."""
    task = Config()
    task.data.name = "mnist"
    arms = (*MAIN_ARMS, "ours-halves", "ours-warm", "ours-root-rate", "ours-class-head")
    return Study(
        title="MNIST, 784-128-10, all examples",
        task=task,
        grids=[
            Grid(arms, SPLITS, ("shared",), (1.0, 0.2, 0.05), (2, 5, 10), SEEDS),
            Grid((*MAIN_ARMS, "ours-aligned"), SPLITS, ("independent",), (1.0,), (2, 5), SEEDS),
        ],
        rates=(1.0, 0.3),
    )
