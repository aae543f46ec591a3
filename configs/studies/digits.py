"""The setting of README's first run, with its controls: small digits, four edges, two rounds.

    ecavg study --config=configs/studies/digits.py --workdir=runs/study-digits

Some minutes of one core. docs/results-study.md shows what came of it.
"""

from ecavg_tf.config import Config
from ecavg_tf.study.plan import MAIN_ARMS, Grid, Study

SEEDS = (0, 1, 2)
SPLITS = ("dirichlet:0.2", "iid", "classes")


def get_config() -> Study:
    """Two rounds of 10 + 10 epochs on all digits."""
    task = Config()
    task.rounds = 2
    task.edge.epochs = task.server.epochs = 10
    return Study(
        title="Digits, 64-128-10",
        task=task,
        grids=[
            Grid((*MAIN_ARMS, "ours-halves"), SPLITS, pools=(0.2,), edges=(4,), seeds=SEEDS),
            Grid(MAIN_ARMS, SPLITS[:1], pools=(1.0,), edges=(4,), seeds=SEEDS),
        ],
        rates=(1.0, 0.3),
    )
