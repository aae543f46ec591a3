"""What the device half costs beside TensorFlow: installed size and time to the first answer.

    python benchmarks/device_footprint.py BUNDLE DEVICE_PYTHON...

Every DEVICE_PYTHON is the interpreter of a virtual environment with a runtime alone; the
Python that runs this script has TensorFlow. Times are the median of five new processes.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

_RUNS = 5
_OURS = "import sys, numpy; from edge.predict import Predictor; Predictor(sys.argv[1], check=False)"
_THEIRS = "import tensorflow"
_NOT_NEEDED = ("pip", "setuptools", "wheel", "_distutils_hack", "pkg_resources")


def installed_mb(python: str) -> float:
    """Megabytes of all packages that an interpreter has, installers left out."""
    asked = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    done = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True)
    folders = [f for f in Path(done.stdout.strip()).iterdir() if not f.name.startswith(_NOT_NEEDED)]
    files = [p for f in folders for p in ([f] if f.is_file() else f.rglob("*"))]
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


def seconds(python: str, code: str, *arguments: str) -> float:
    """Median seconds of a new process that runs ``code``, after one that does not count."""
    spent = []
    for _ in range(_RUNS + 1):
        began = time.perf_counter()
        command = [python, "-c", code, *arguments]
        subprocess.run(command, capture_output=True, check=True)
        spent.append(time.perf_counter() - began)
    return statistics.median(spent[1:])


def main() -> int:
    """Measures and prints a table."""
    bundle, *pythons = sys.argv[1:]
    print(f"{'packages':44s} {'installed':>12s} {'start-up':>10s}")
    for python in pythons:
        asked = "import numpy as n; from edge.device.runtime import find_runtime as f"
        asked += "; print(f(), n.__version__)"
        done = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True)
        name, version, numpy = done.stdout.split()
        row(
            f"{name} {version}, numpy {numpy}", installed_mb(python), seconds(python, _OURS, bundle)
        )
    row(
        "TensorFlow and all of ecavg-tf",
        installed_mb(sys.executable),
        seconds(sys.executable, _THEIRS),
    )
    return 0


def row(what: str, size: float, start: float) -> None:
    """Prints one line."""
    print(f"{what:44s} {size:9.0f} MB {start:8.2f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
