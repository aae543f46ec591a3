"""A child that crashes, for ``edge.device.child``: run as a module."""

import os
import resource
import signal
import sys

from ecavg_tf.core.children import ends_first

if __name__ == "__main__":
    print('{"half": ', flush=True)
    if "exit" in sys.argv:
        sys.exit(3)
    if "memory" in sys.argv:
        ends_first()
        resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
        bytearray(2**31)
    if "killed" in sys.argv:  # as the system does
        os.kill(os.getpid(), signal.SIGKILL)
    os.abort()
