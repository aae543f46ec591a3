"""``python -m ecavg_tf`` is ``ecavg``."""

import sys

from ecavg_tf.cli import main

if __name__ == "__main__":
    sys.exit(main())
