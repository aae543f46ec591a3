"""A child that crashes, for ``edge.device.child``: run as a module."""

import os
import sys

if __name__ == "__main__":
    print('{"half": ', flush=True)
    if "exit" in sys.argv:
        sys.exit(3)
    os.abort()
