"""``python -m edge``."""

import sys

from ecavg_tf.core.commands import ending
from edge.cli import main

if __name__ == "__main__":
    sys.exit(ending(main()))
