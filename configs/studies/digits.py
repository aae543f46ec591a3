"""A study of seconds, on the embedded digits: to see what a study is.

    ecavg study --config=configs/studies/digits.py --workdir=runs/study-digits

Two class-disjoint edges, the main arms, two seeds. Differences of this size are chance.
"""

from ecavg_tf.config import Config
from ecavg_tf.study.plan import MAIN_ARMS, Grid, Study


def get_config() -> Study:
    """Digits, 400 training examples."""
    task = Config()
    task.data.train_examples = 400
    task.data.test_examples = 200
    task.model.hidden_units = 16
    task.edge.epochs = task.server.epochs = 8
    return Study(
        title="Digits, a study of seconds",
        task=task,
        grids=[
            Grid(arms=MAIN_ARMS, splits=("classes",), pools=(1.0, 0.2), seeds=(0, 1)),
            Grid(arms=("ours-auto", "ours-halves"), splits=("classes",), seeds=(0, 1)),
        ],
    )
