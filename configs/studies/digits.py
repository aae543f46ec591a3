"""The embedded digits, 64-128-10: three splits, 5 seeds; some minutes of one core.

    ecavg study --config=configs/studies/digits.py --workdir=runs/study-digits

docs/results-study.md shows what came of it.
"""

from ecavg_tf.config import Config
from ecavg_tf.study.plan import MAIN_ARMS, Grid, Study

SEEDS = (0, 1, 2, 3, 4)
SPLITS = ("iid", "dirichlet:0.3", "classes")


def get_config() -> Study:
    """One round of 10 + 10 epochs on all digits."""
    task = Config()
    task.edge.epochs = task.server.epochs = 10
    return Study(
        title="Digits, 64-128-10",
        task=task,
        grids=[
            Grid((*MAIN_ARMS, "ours-halves"), SPLITS, pools=(1.0, 0.1), edges=(2,), seeds=SEEDS),
            Grid(("local", "ours", "ours-aligned"), SPLITS, ("independent",), seeds=SEEDS),
        ],
        rates=(1.0, 0.3),
        notes=[
            "The server's learning rate, 1e-3 or 3e-4, was chosen for every arm, setting and size "
            "of the pool alike: on a tenth of the pool that was held out, by the first seed.",
        ],
    )
