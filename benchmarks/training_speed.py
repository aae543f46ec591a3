"""How fast our training is against ``model.fit`` on arrays, with the same batch size.

    python benchmarks/training_speed.py --workdir=runs/training-speed

One process a net. Timed are whole fits of a few epochs that were traced before, in turn: Keras on
arrays in memory, our trainer, and our trainer with ``jit_compile=on``. The ratio is the median
over the turns, so the machine's other work hits all sides alike. The data are noise of the shapes
of digits and MNIST, which does not matter to the clock.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from cells import measured
from tables import keep

NETS = {"digits": ((8, 8, 1), 1437, 8), "mnist": ((28, 28, 1), 12_000, 1),
        "mobilenet_v2": ((32, 32, 3), 480, 1)}  # fmt: skip
WAYS = ("Keras on arrays", "ours", "ours, jit_compile=on")


def play(name: str, turns: int) -> None:
    """Measures one net; tells each way's examples a second, and the ratios to Keras."""
    from ecavg_tf.quiet import import_tensorflow

    import_tensorflow()
    import keras

    from ecavg_tf.config import EdgeConfig
    from ecavg_tf.config.choices import JitCompile
    from ecavg_tf.data.dataset import Examples
    from ecavg_tf.training.compiled import Compilation, CompiledModel
    from ecavg_tf.training.trainer import KerasTrainer

    shape, count, epochs = NETS[name]
    rng = np.random.default_rng(0)
    examples = Examples(
        rng.integers(0, 256, (count, *shape), np.uint8), rng.integers(0, 10, count).astype(np.int64)
    )

    def net() -> Any:
        keras.utils.set_random_seed(1)
        layers = keras.layers
        if name == "mobilenet_v2":
            inputs = keras.Input(shape)
            inner = keras.applications.MobileNetV2(shape, weights=None, classes=10)
            return keras.Model(inputs, inner(layers.Rescaling(1 / 255)(inputs)))
        hidden = [layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(128, "relu")]
        return keras.Sequential([keras.Input(shape), *hidden, layers.Dense(10, "softmax")])

    plain = net()
    plain.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])

    def arrays() -> None:
        plain.fit(examples.inputs, examples.labels, batch_size=32, epochs=epochs, verbose=0)

    def ours(jit: JitCompile) -> Callable[[], object]:
        settings = EdgeConfig(epochs=epochs, jit_compile=jit)
        compiled = CompiledModel(net(), Compilation.of(settings), input_shape=shape, logits=False)
        trainer = KerasTrainer(compiled, settings, seed=0)
        start = trainer.model.get_weights()
        return lambda: trainer.fit(start, examples, round_number=1, who="edge-00")

    fits: list[Callable[[], object]] = [arrays, ours(JitCompile.OFF)]
    if name != "mobilenet_v2":  # XLA makes convolutions on a processor several times slower
        fits.append(ours(JitCompile.ON))
    for fit in fits:
        fit()  # traces
    rates: list[list[float]] = [[] for _ in fits]
    for turn in range(turns):
        for fit, rate in (list(zip(fits, rates, strict=True)))[:: 1 if turn % 2 else -1]:
            began = time.perf_counter()
            fit()
            rate.append(epochs * count / (time.perf_counter() - began))
    for rate in rates:
        ratio = statistics.median(a / b for a, b in zip(rate, rates[0], strict=True))
        print(f"\ncell:{statistics.median(rate):.0f} {ratio:.2f}")


def main() -> None:
    """Parses, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--workdir", type=Path, required=True)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--net", help="used by the script itself")
    arguments = parser.parse_args()
    if arguments.net:
        play(arguments.net, arguments.turns)
        return
    rows = []
    for name in NETS:
        command = [sys.executable, __file__, f"--workdir={arguments.workdir}", f"--net={name}"]
        command.append(f"--turns={arguments.turns}")
        found = [line.split() for line in measured(name, command, arguments.workdir).lines]
        found += [["-", "-"]] * (len(WAYS) - len(found))
        rows.append([name, *(rate for rate, _ in found), *(ratio for _, ratio in found[1:])])
    keep(
        "training_speed",
        "Training, batch 32: examples a second of wall time",
        ["net", *WAYS, "ours / Keras", "jit / Keras"],
        rows,
        ["'ours' gives the bits of Keras' own fit on the same batches; jit_compile changes bits."],
    )


if __name__ == "__main__":
    main()
