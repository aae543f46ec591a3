"""What the first fit of a model costs before it trains: tracing, and TensorFlow's own optimizing.

    python benchmarks/first_fit.py --workdir=runs/first-fit

For each net one process with ``model.fit`` on arrays and one with our trainer, in turn. Both build
and compile the same net, and fit 64 images twice. The first fit minus the second one is what comes
before any training, once in a process. CPU seconds: other work on the machine does not count.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

import numpy as np
from cells import measured
from tables import keep

NETS = ("mlp", "mobilenet_v2", "resnet50")
SIDES = ("Keras", "ours")
COUNT = 64


def play(net: str, side: str) -> None:
    """Measures one process; tells the CPU seconds of both fits."""
    from ecavg_tf.config import Config, with_fields
    from ecavg_tf.data.dataset import DataSpec, Examples
    from ecavg_tf.kernels import choose_kernels
    from ecavg_tf.quiet import import_tensorflow

    choose_kernels(net)  # both sides alike
    import_tensorflow()
    from ecavg_tf.models.builders import build_model
    from ecavg_tf.training.compiled import Compilation, CompiledModel
    from ecavg_tf.training.trainer import KerasTrainer

    config = with_fields(Config(), {"model.name": net, "edge.epochs": 1})
    rng = np.random.default_rng(0)
    inputs = rng.integers(0, 256, (COUNT, 32, 32, 3), np.uint8)
    examples = Examples(inputs, rng.integers(0, 10, COUNT).astype(np.int64))
    classes = tuple(map(str, range(10)))
    model = build_model(
        config, DataSpec("noise", (32, 32, 3), "uint8", (0.0, 255.0), classes), "shared"
    )
    start = model.get_weights()

    if side == "ours":
        compiled = CompiledModel(
            model, Compilation.of(config.edge), input_shape=(32, 32, 3), logits=False
        )
        trainer = KerasTrainer(compiled, config.edge, seed=0)

        def fit() -> None:
            trainer.fit(start, examples, round_number=1, who="edge")

    else:
        model.compile(
            "adam", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False
        )

        def fit() -> None:
            model.fit(examples.inputs, examples.labels, verbose=0)

    spent = []
    for _ in range(2):
        began = time.process_time()
        fit()
        spent.append(time.process_time() - began)
    print(f"\ncell:{spent[0]:.2f} {spent[1]:.2f}")


def main() -> None:
    """Parses, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--workdir", type=Path, required=True)
    parser.add_argument("--nets", default=",".join(NETS))
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--side", choices=SIDES, help="used by the script itself")
    given = parser.parse_args()
    nets = given.nets.split(",")
    if given.side:
        play(nets[0], given.side)
        return
    rows = []
    for net in nets:
        before: dict[str, list[float]] = {side: [] for side in SIDES}
        for turn in range(given.turns):
            for side in SIDES:
                words = [f"--workdir={given.workdir}", f"--nets={net}", f"--side={side}"]
                cost = measured(
                    f"{net}-{side}-{turn}", [sys.executable, __file__, *words], given.workdir
                )
                first, second = map(float, cost.lines[-1].split())
                before[side].append(first - second)
        keras_s, ours_s = (statistics.median(before[side]) for side in SIDES)
        ratio = statistics.median(
            ours / theirs for theirs, ours in zip(*before.values(), strict=True)
        )
        rows.append([net, f"{keras_s:.1f}", f"{ours_s:.1f}", f"{ratio:.2f}"])
    keep(
        "first_fit",
        "CPU seconds of a process's first fit before it trains, 32 x 32 pixels, batch 32",
        ["net", "Keras on arrays", "ours", "ours / Keras"],
        rows,
    )


if __name__ == "__main__":
    main()
