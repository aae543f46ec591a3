"""MNIST, 784-128-10, edges that begin apart: what aligning their hidden units is worth.

    ecavg study --config=configs/studies/mnist_apart.py --workdir=runs/study-mnist_apart

docs/results-study.md shows what came of it. 5,000 training examples, 10 seeds.
"""

from ecavg_tf.config import Config
from ecavg_tf.study.plan import Grid, Study

SEEDS = tuple(range(10))
ARMS = ("local", "averaged", "averaged-aligned", "ours", "ours-aligned")


def get_config() -> Study:
    """One round of 3 + 3 epochs."""
    task = Config()
    task.data.name = "mnist"
    task.data.train_examples = 5000
    task.data.test_examples = 5000
    apart = ("independent",)
    return Study(
        title="MNIST, 784-128-10, edges that begin apart",
        task=task,
        grids=[Grid(ARMS, ("iid", "dirichlet:0.1", "classes"), apart, edges=(5,), seeds=SEEDS)],
        notes=["The server's learning rate is the task's, 1e-3, for all arms."],
    )
