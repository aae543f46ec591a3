"""TensorFlow's kernels: how fast a net trains with and without oneDNN, one process a cell.

    python benchmarks/kernels.py --workdir=runs/kernels

Three ways: without oneDNN (TF_ENABLE_ONEDNN_OPTS=0), with it, and with it as on a processor
without AVX-512 (ONEDNN_MAX_CPU_ISA=AVX2). Images a second of the processor's time, while Keras
trains on arrays of 32 x 32 pixels; the data are noise, which does not matter to the clock.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from cells import measured
from tables import keep

WAYS = {
    "off": {"TF_ENABLE_ONEDNN_OPTS": "0"},
    "on": {"TF_ENABLE_ONEDNN_OPTS": "1"},
    "on, AVX2": {"TF_ENABLE_ONEDNN_OPTS": "1", "ONEDNN_MAX_CPU_ISA": "AVX2"},
}
NETS = {"mlp": 8192, "conv1d": 4096, "mobilenet_v2-0.35": 384, "mobilenet_v2-1.0": 256,
        "resnet50": 128}  # fmt: skip
TWICE = 2


def play(net: str, batch_size: int) -> None:
    """Trains one net; tells the examples a second of CPU time, the best of a few epochs."""
    from ecavg_tf.quiet import import_tensorflow

    import_tensorflow()
    import keras

    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    count, classes = NETS[net], 10
    shape = (128, 9) if net == "conv1d" else (32, 32, 3)
    inputs = rng.uniform(0, 1, (count, *shape)).astype(np.float32)
    labels = rng.integers(0, classes, count)
    model: Any = _built(net, shape, classes)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    best = 0.0
    for epoch in range(1 + TWICE):
        began = time.process_time()
        model.fit(inputs, labels, batch_size=batch_size, verbose=0)
        if epoch > 0:  # the first one traces
            best = max(best, count / (time.process_time() - began))
    print(f"\ncell:{best}")


def _built(net: str, shape: tuple[int, ...], classes: int) -> object:
    import keras

    if net.startswith("mobilenet_v2"):
        alpha = float(net.rpartition("-")[2])
        return keras.applications.MobileNetV2(shape, alpha, weights=None, classes=classes)
    if net == "resnet50":
        return keras.applications.ResNet50(input_shape=shape, weights=None, classes=classes)
    hidden = (
        [keras.layers.Conv1D(32, 5, activation="relu"), keras.layers.Conv1D(64, 5, strides=2,
         activation="relu"), keras.layers.GlobalAveragePooling1D()]
        if net == "conv1d"
        else [keras.layers.Flatten(), keras.layers.Dense(128, activation="relu")]
    )  # fmt: skip
    last = keras.layers.Dense(classes, activation="softmax")
    return keras.Sequential([keras.Input(shape), *hidden, last])


def main() -> None:
    """Parses, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--workdir", type=Path, required=True)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--net", help="used by the script itself")
    arguments = parser.parse_args()
    if arguments.net:
        play(arguments.net, arguments.batch)
        return
    rows = []
    for net in NETS:
        rates = []
        for way, environment in WAYS.items():
            command = [sys.executable, __file__, f"--workdir={arguments.workdir}"]
            command += [f"--batch={arguments.batch}", f"--net={net}"]
            name = f"{net}-{arguments.batch}-{way.replace(', ', '-')}"
            rates.append(float(measured(name, command, arguments.workdir, **environment).lines[0]))
        ratios = [f"{rate / rates[0]:.2f}" for rate in rates[1:]]
        rows.append([net, *(f"{rate:.0f}" for rate in rates), *ratios])
    keep(
        "kernels",
        f"oneDNN, batch {arguments.batch}, 32 x 32 pixels: examples a CPU second",
        ["net", *WAYS, "on / off", "on, AVX2 / off"],
        rows,
        ["'on, AVX2' holds oneDNN to AVX2, as on a processor without AVX-512."],
    )


if __name__ == "__main__":
    main()
