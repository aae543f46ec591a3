"""Time and peak extra memory of averaging many updates, against reading them.

    python benchmarks/averaging_memory.py --updates=200 --folder=BIG

Writes synthetic updates of ResNet50's shapes (94 MB each, a file each) and measures the time of
``average_updates`` and the process' peak resident memory around it. Before and after, all the
bytes are read once: averaging can't be faster than that. The files are removed at the end.
"""

import argparse
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from tables import keep

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


def read_all(paths: list[Path]) -> float:
    """Seconds that reading all bytes takes."""
    began = time.monotonic()
    block = bytearray(2**20)
    for path in paths:
        with path.open("rb", buffering=0) as stream:
            while stream.readinto(block):
                pass
    return time.monotonic() - began


def main() -> None:
    """Parses, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--updates", type=int, default=50)
    parser.add_argument("--folder", help="where there is room for the files; default: as tempfile")
    arguments = parser.parse_args()
    config = Config()
    config.model.name = "resnet50"
    spec = DataSpec("x", (32, 32, 3), "uint8", (0.0, 255.0), tuple(map(str, range(100))))
    model = build_model(config, spec, "benchmark")
    template, base = template_of(model), model.get_weights()
    model_mb = sum(weight.nbytes for weight in base) / 1e6
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        paths = []
        for number in range(arguments.updates):
            edge = f"edge-{number:03d}"
            info = UpdateInfo(1, edge, 10, (10,) + (0,) * 99, template.sha256, {})
            paths.append(Path(folder) / f"{edge}.safetensors")
            write_update(paths[-1], info, template.named(base))
        updates = [Update(path) for path in paths]
        reading = [read_all(paths)]
        before, began = peak_mb(), time.monotonic()
        averaged = average_updates(updates, template, base, weighed(updates, Weighting.EXAMPLES))
        seconds, extra = time.monotonic() - began, peak_mb() - before
        reading.append(read_all(paths))
    same = all(np.array_equal(a, b) for a, b in zip(averaged, base, strict=True))
    read = statistics.mean(reading)
    total = arguments.updates * model_mb
    keep(
        "averaging",
        f"Averaging {arguments.updates} updates of ResNet50 ({total / 1000:.1f} GB)",
        ["", "seconds", "MB a second", "extra memory, MB"],
        [
            ["reading the bytes", f"{read:.1f}", f"{total / read:.0f}", ""],
            ["averaging", f"{seconds:.1f}", f"{total / seconds:.0f}", f"{extra:.0f}"],
            ["ratio", f"{seconds / read:.2f}", "", f"{extra / (2 * model_mb):.2f} float64 models"],
        ],
        [f"The mean of equal models has {'the same bits' if same else 'OTHER BITS'}."],
    )


if __name__ == "__main__":
    main()
