"""``python -m ecavg_tf`` is ``ecavg``."""

import sys

from ecavg_tf.cli import main
from ecavg_tf.core.commands import ending


def program() -> int:
    """The process that was started as ``ecavg``; gives its exit code."""
    return ending(main())


if __name__ == "__main__":
    sys.exit(program())
