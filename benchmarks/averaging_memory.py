"""Peak extra memory of averaging many updates, against one float64 model.

    python benchmarks/averaging_memory.py --updates=50

Writes synthetic updates of ResNet50's shapes (94 MB each, one after the other, the same
file under many names) and measures the process' peak resident memory around
``average_updates``. Pages of the memory-mapped update file that is being read count
too: they are the system's to take back.
"""

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from ecavg_tf.quiet import import_tensorflow

import_tensorflow()

from ecavg_tf.config import Config, Weighting  # noqa: E402
from ecavg_tf.core.messages.update_file import Update, UpdateInfo, write_update  # noqa: E402
from ecavg_tf.data.dataset import DataSpec  # noqa: E402
from ecavg_tf.models.builders import build_model, template_of  # noqa: E402
from server.aggregate import average_updates, weighed  # noqa: E402


def peak_mb() -> float:
    """Peak resident memory of this process, in MB."""
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes / (1e6 if sys.platform == "darwin" else 1e3) * 1.024


def main() -> None:
    """Parses, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--updates", type=int, default=50)
    arguments = parser.parse_args()
    config = Config()
    config.model.name = "resnet50"
    spec = DataSpec("x", (32, 32, 3), "uint8", (0.0, 255.0), tuple(map(str, range(100))))
    model = build_model(config, spec, "benchmark")
    template, base = template_of(model), model.get_weights()
    model_mb = sum(weight.nbytes for weight in base) / 1e6
    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder) / "edge-00.safetensors"
        info = UpdateInfo(1, "edge-00", 10, (10,) + (0,) * 99, template.sha256, {})
        write_update(first, info, template.named(base))
        updates = []
        for number in range(arguments.updates):
            path = Path(folder) / f"copy-{number}.safetensors"
            os.link(first, path)
            updates.append(Update(path))
        before, began = peak_mb(), time.monotonic()
        averaged = average_updates(updates, template, base, weighed(updates, Weighting.EXAMPLES))
        seconds, extra = time.monotonic() - began, peak_mb() - before
    same = all(np.array_equal(a, b) for a, b in zip(averaged, base, strict=True))
    print(f"updates averaged          {arguments.updates} of {model_mb:.0f} MB in {seconds:.1f} s")
    print(f"one float64 model         {2 * model_mb:.0f} MB")
    print(f"peak extra memory         {extra:.0f} MB = {extra / (2 * model_mb):.2f} float64 models")
    print(f"mean of equal models      {'the same bits' if same else 'DIFFERENT BITS'}")


if __name__ == "__main__":
    main()
