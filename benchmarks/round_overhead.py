"""What a round costs beside the training itself, and how fast the input pipeline is.

    python benchmarks/round_overhead.py --examples=2000 --epochs=2

Side by side in one process, with one compiled MobileNetV2 each, traced beforehand:

- a two-edge round of this project without its evaluations, against the same ``model.fit``
  and recalibration calls by hand (fit each edge, recalibrate, average with numpy,
  recalibrate, fit on all, recalibrate);
- one ``model.fit`` epoch from our pipeline against one from arrays in memory.

The ratio is the median over repetitions of pairs that were run one after the other, in
alternating order: the machine's other work hits both sides alike.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ecavg_tf.quiet import import_tensorflow

import_tensorflow()

import keras  # noqa: E402

from ecavg_tf.config import Config  # noqa: E402
from ecavg_tf.config.checks import validated  # noqa: E402
from ecavg_tf.core.seeds import epoch_order  # noqa: E402
from ecavg_tf.data.dataset import Examples, concatenated  # noqa: E402
from ecavg_tf.data.federated import federated_data  # noqa: E402
from ecavg_tf.data.pipeline import batches, steps  # noqa: E402
from ecavg_tf.events import Event  # noqa: E402
from ecavg_tf.models.batchnorm import Recalibrator  # noqa: E402
from ecavg_tf.models.builders import build_model, template_of  # noqa: E402
from ecavg_tf.rounds.loop import Loop  # noqa: E402
from ecavg_tf.rundir import RunDirectory  # noqa: E402
from ecavg_tf.task import Task  # noqa: E402


def silence(event: Event) -> None:
    """Listens to nothing."""
    del event


class Ours:
    """A round as ``ecavg run`` plays it; the compiled model is kept between repetitions."""

    def __init__(self, config: Config, scratch: Path) -> None:
        self._config = config
        self._scratch = scratch
        self.data = federated_data(config)
        self.task = Task(config, self.data.spec, scratch, silence)

    def __call__(self) -> tuple[float, float]:
        """Seconds of one whole round, and of its evaluations within."""
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            directory = RunDirectory(Path(folder) / "run", self._config)
            directory.open()
            template = directory.template(template_of(self.task.server_trainer.model))
            loop = Loop(directory, self.task, self.data, template)
            began = time.perf_counter()
            results = loop.run()
            seconds = time.perf_counter() - began
        return seconds, results.rounds[0].seconds["evaluate"]


class ByHand:
    """The same training calls, as somebody would write them without this project."""

    def __init__(self, config: Config, parts: list[Examples], model: keras.Model) -> None:
        self._config = config
        self._parts = parts
        self._model = model
        self._start = model.get_weights()
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        self._recalibrate = Recalibrator(model)

    def _train(self, data: Examples, epochs: int) -> None:
        size = self._config.edge.batch_size
        self._model.fit(data.inputs, data.labels, batch_size=size, epochs=epochs, verbose=0)
        self._restat(data)

    def _restat(self, data: Examples) -> None:
        order = np.random.default_rng(0).permutation(len(data))
        self._recalibrate(batches(data, [order], self._config.edge.batch_size))

    def __call__(self) -> tuple[float, float]:
        """Seconds of the training, and 0 for evaluation."""
        began = time.perf_counter()
        trained = []
        for part in self._parts:
            self._model.set_weights(self._start)
            self._train(part, self._config.edge.epochs)
            trained.append(self._model.get_weights())
        self._model.set_weights([np.mean(pair, axis=0) for pair in zip(*trained, strict=True)])
        pooled = concatenated(self._parts)
        self._restat(pooled)
        self._train(pooled, self._config.server.epochs)
        return time.perf_counter() - began, 0.0


def paired_ratio(one: Callable[[], float], other: Callable[[], float], repeat: int) -> float:
    """Median of one/other over pairs in alternating order."""
    ratios = []
    for number in range(repeat):
        first, second = (one, other) if number % 2 == 0 else (other, one)
        a, b = first(), second()
        ratios.append(a / b if number % 2 == 0 else b / a)
    return statistics.median(ratios)


def main() -> None:
    """Parses, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="cifar10", help="a TFDS name")
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    config = Config()
    config.data.name = arguments.data
    config.data.train_examples, config.data.test_examples = arguments.examples, 500
    config.model.name = "mobilenet_v2"
    config.edge.epochs = config.server.epochs = arguments.epochs
    validated(config)

    with tempfile.TemporaryDirectory() as scratch:
        ours = Ours(config, Path(scratch))
        parts = [ours.data.edge(name).train for name in ours.data.edges]
        hand = ByHand(config, parts, build_model(config, ours.data.spec, "shared"))
        ours(), hand()  # tracing
        rounds: list[tuple[float, float]] = []

        def training() -> float:
            rounds.append(ours())
            return rounds[-1][0] - rounds[-1][1]

        by_hand: list[float] = []

        def calls() -> float:
            by_hand.append(hand()[0])
            return by_hand[-1]

        ratio = paired_ratio(training, calls, arguments.repeat)
        trained = statistics.median(total - evaluation for total, evaluation in rounds)
        difference = trained - statistics.median(by_hand)
        evaluating = statistics.median(
            evaluation / (total - evaluation) for total, evaluation in rounds
        )

        data = concatenated(parts)
        size = config.edge.batch_size
        model = ours.task.server_trainer.model
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        rates: dict[str, list[float]] = {"pipeline": [], "arrays": []}

        def timed(name: str, fit: Callable[[], object]) -> float:
            began = time.perf_counter()
            fit()
            seconds = time.perf_counter() - began
            rates[name].append(len(data) / seconds)
            return seconds

        def pipeline() -> float:
            order = epoch_order(len(data), 0, 1, "benchmark", 0)
            feed = batches(data, [order], size)
            return timed(
                "pipeline",
                lambda: model.fit(
                    feed, steps_per_epoch=steps(len(data), size), verbose=0, shuffle=False
                ),
            )

        def arrays() -> float:
            return timed(
                "arrays",
                lambda: model.fit(data.inputs, data.labels, batch_size=size, verbose=0),
            )

        pipeline(), arrays()  # tracing
        rates = {name: [] for name in rates}
        speed = 1 / paired_ratio(pipeline, arrays, arguments.repeat)

    print(f"MobileNetV2, {arguments.data}, {arguments.examples} examples, two edges, "
          f"{arguments.epochs}+{arguments.epochs} epochs, batch {size}")  # fmt: skip
    print(f"round without evaluation / by hand   {ratio:.3f}")
    print(f"difference                           {difference:.1f} s a round of {trained:.0f} s")
    print(f"evaluation / the rest of the round   {evaluating:.3f}  (start, local, server stages)")
    print(f"pipeline / arrays, images a second   {speed:.3f}  "
          f"({statistics.median(rates['pipeline']):.0f} against "
          f"{statistics.median(rates['arrays']):.0f})")  # fmt: skip


if __name__ == "__main__":
    main()
