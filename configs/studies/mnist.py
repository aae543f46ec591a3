"""MNIST, 784-128-10: three splits, two starts, 2, 5 and 10 edges, 10 seeds; an hour of one core.

    ecavg study --config=configs/studies/mnist.py --workdir=runs/study-mnist

docs/results-study.md shows what came of it. What was cut to fit: 5,000 training examples; 3 seeds
for 2 and 10 edges and for single choices of ours; few arms for edges that begin apart.
mnist_full.py has the rest.
"""

from ecavg_tf.config import Config
from ecavg_tf.study.plan import MAIN_ARMS, Grid, Study

SEEDS = tuple(range(10))
SPLITS = ("iid", "dirichlet:0.1", "classes")
PARTS = (
    *("ours-halves", "ours-auto", "ours-warm", "ours-root-rate", "ours-class-head"),
    *("ours-soup", "ours-tail", "ours-distilled"),
)


def get_config() -> Study:
    """One round of 3 + 3 epochs."""
    task = Config()
    task.data.name = "mnist"
    task.data.train_examples = 5000
    task.data.test_examples = 5000
    apart = ("local", "start-server", "start-total", "published", "ours", "ours-aligned")
    return Study(
        title="MNIST, 784-128-10",
        task=task,
        grids=[
            Grid(MAIN_ARMS, SPLITS, pools=(1.0, 0.1), edges=(5,), seeds=SEEDS),
            Grid(MAIN_ARMS, SPLITS, edges=(2, 10), seeds=SEEDS[:3]),
            Grid(PARTS, SPLITS, pools=(1.0, 0.1), edges=(5,), seeds=SEEDS[:3]),
            Grid(apart, ("iid", "classes"), ("independent",), edges=(5,), seeds=SEEDS),
        ],
        rates=(1.0, 0.3),
    )
