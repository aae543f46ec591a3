"""What a round costs beside its training: a round against the same calls by hand.

    python benchmarks/round_overhead.py --workdir=runs/round-overhead --examples=2000 --epochs=2

Side by side in one process a task, with one compiled model each, traced beforehand: a two-edge
round of this project without its evaluations, with ``replace`` and with ``guarded``, against the
same ``model.fit`` and recalibration calls by hand (fit each edge, recalibrate, average with numpy,
recalibrate, fit on all, recalibrate; on as many examples as the round). The ratio is the median
over turns in which all of them ran one after the other: the machine's other work hits them alike.
On a machine that others use, the ratio of CPU seconds is the steadier one.

``--profile`` tells where the time of a guarded round goes, after one that traces: CPU seconds of
this project's own steps, by Python's profiler, which makes Python look slower than it is.
"""

import argparse
import cProfile
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from cells import measured
from tables import keep

from ecavg_tf.quiet import import_tensorflow

import_tensorflow()

import keras  # noqa: E402

from ecavg_tf.config import Config, with_fields  # noqa: E402
from ecavg_tf.data.dataset import Examples, concatenated  # noqa: E402
from ecavg_tf.data.federated import federated_data  # noqa: E402
from ecavg_tf.data.pipeline import batches  # noqa: E402
from ecavg_tf.events import Event  # noqa: E402
from ecavg_tf.models.batchnorm import BATCH, Recalibrator  # noqa: E402
from ecavg_tf.models.builders import build_model, template_of  # noqa: E402
from ecavg_tf.rounds.loop import Loop  # noqa: E402
from ecavg_tf.rundir import RunDirectory  # noqa: E402
from ecavg_tf.task import Task  # noqa: E402
from ecavg_tf.training.resuming import FOLDER  # noqa: E402

TASKS = {"mlp": "mnist", "mobilenet_v2": "cifar10", "resnet50": "cifar100"}
POLICIES = ("replace", "guarded")
STEPS = {  # of the profile: in words, the file's end, the function
    "training": ("training/trainer.py", "_fit"),
    "recalibrating BatchNorm": ("training/trainer.py", "recalibrate"),
    "predictions (decisions and scores)": ("training/evaluation.py", "predictions_on"),
    "bounds of the guard": ("deciding/jointly.py", "decide_jointly"),
    "writing Keras files": ("models/saving.py", "save_model"),
    "checking a Keras file": ("rounds/one_accuracy.py", "_check"),
    "all of the round": ("rounds/loop.py", "run"),
}


def silence(event: Event) -> None:
    """Listens to nothing."""
    del event


class Spent(NamedTuple):
    """What one round took.

    Attributes:
        wall: seconds, without its evaluations.
        evaluating: seconds of its evaluations, which nobody makes by hand.
        cpu: seconds of all threads of this process, evaluations included.
    """

    wall: float
    evaluating: float
    cpu: float


class Side(Protocol):
    """One of those that are compared."""

    def __call__(self) -> Spent:
        """Plays a round."""


class Ours:
    """A round as ``ecavg run`` plays it; the compiled model is kept between repetitions."""

    def __init__(self, config: Config, scratch: Path, policy: str) -> None:
        self._config = config
        self._scratch = scratch / policy
        self._scratch.mkdir()
        self.data = federated_data(config)
        self._task_folder = scratch
        self.task = Task(config, self.data.spec, scratch, silence)

    def __call__(self) -> Spent:
        """One whole round."""
        shutil.rmtree(self._task_folder / FOLDER, ignore_errors=True)  # else no fit would train
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            directory = RunDirectory(Path(folder) / "run", self._config)
            directory.open()
            template = directory.template(template_of(self.task.server_trainer.model))
            loop = Loop(directory, self.task, self.data, template)
            began, cpu = time.perf_counter(), time.process_time()
            results = loop.run()
            seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        evaluating = results.rounds[0].seconds["evaluate"]
        return Spent(seconds - evaluating, evaluating, cpu)


class ByHand:
    """The same training calls, as somebody would write them without this project."""

    def __init__(self, config: Config, parts: list[Examples], model: keras.Model) -> None:
        self._config = config
        self._parts = parts
        self._model = model
        self._start = model.get_weights()
        # XLA makes convolutions on a processor several times slower; ours goes without it, too.
        model.compile(
            "adam", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False
        )
        self._recalibrate = Recalibrator(model)

    def _train(self, data: Examples, epochs: int) -> None:
        size = self._config.edge.batch_size
        self._model.fit(data.inputs, data.labels, batch_size=size, epochs=epochs, verbose=0)
        self._restat(data)

    def _restat(self, data: Examples) -> None:
        if not self._recalibrate.layers:
            return
        order = np.random.default_rng(0).permutation(len(data))
        order = order[: self._config.edge.recalibrate_examples or len(data)]
        self._recalibrate(batches(data, [order], BATCH))

    def __call__(self) -> Spent:
        """The training."""
        began, cpu = time.perf_counter(), time.process_time()
        trained = []
        for part in self._parts:
            self._model.set_weights(self._start)
            self._train(part, self._config.edge.epochs)
            trained.append(self._model.get_weights())
        self._model.set_weights([np.mean(pair, axis=0) for pair in zip(*trained, strict=True)])
        pooled = concatenated(self._parts)
        self._restat(pooled)
        self._train(pooled, self._config.server.epochs)
        return Spent(time.perf_counter() - began, 0.0, time.process_time() - cpu)


def config_of(task: str, data: str, examples: int, epochs: int) -> Config:
    """Two edges, one round."""
    return with_fields(
        Config(),
        {
            "data.name": data,
            "data.train_examples": examples,
            "data.test_examples": 500,
            "model.name": task,
            "edge.epochs": epochs,
            "server.epochs": epochs,
        },
    )


def play(task: str, data: str, examples: int, epochs: int, turns: int) -> None:
    """Measures one task; tells by hand, then each policy: seconds, ratios, share of evaluation."""
    config = config_of(task, data, examples, epochs)
    with tempfile.TemporaryDirectory() as scratch:
        rounds = [Ours(with_fields(config, {"update.policy": each}), Path(scratch), each)
                  for each in POLICIES]  # fmt: skip
        first = rounds[0].data
        parts = [first.edge(name).train for name in first.edges]
        hand = ByHand(config, parts, build_model(config, first.spec, "shared"))
        sides: list[Side] = [hand, *rounds]
        for side in sides:
            side()  # traces
        spent: list[list[Spent]] = [[] for _ in sides]
        for turn in range(turns):
            for side, seconds in list(zip(sides, spent, strict=True))[:: 1 if turn % 2 else -1]:
                seconds.append(side())
    for seconds in spent:
        pairs = list(zip(seconds, spent[0], strict=True))
        wall = statistics.median(mine.wall for mine in seconds)
        ratio = statistics.median(mine.wall / by_hand.wall for mine, by_hand in pairs)
        cpu = statistics.median(mine.cpu / by_hand.cpu for mine, by_hand in pairs)
        evaluating = statistics.median(mine.evaluating for mine in seconds)
        print(f"\ncell:{wall:.2f} {ratio:.3f} {cpu:.3f} {evaluating:.2f}")


def profile(task: str, data: str, examples: int, epochs: int) -> None:
    """Keeps a table of where a guarded round's time goes."""
    config = config_of(task, data, examples, epochs)
    with tempfile.TemporaryDirectory() as scratch:
        ours = Ours(with_fields(config, {"update.policy": "guarded"}), Path(scratch), "guarded")
        ours()  # traces
        profiler = cProfile.Profile(time.process_time)
        profiler.runcall(ours)
    found = {
        words: sum(
            entry.totaltime
            for entry in profiler.getstats()
            if not isinstance(entry.code, str)
            and entry.code.co_filename.endswith(end)
            and entry.code.co_name == function
        )
        for words, (end, function) in STEPS.items()
    }
    whole = found["all of the round"]
    keep(
        f"round_profile_{task}",
        f"Where a guarded round goes: {task}, {examples:,} examples, {epochs}+{epochs} epochs",
        ["step", "CPU s", "%"],
        [[words, f"{spent:.1f}", f"{100 * spent / whole:.0f}"] for words, spent in found.items()],
        ["Under Python's profiler; the steps leave out what is small."],
    )


def main() -> None:
    """Parses, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--workdir", type=Path, required=True)
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--profile", action="store_true", help="where a guarded round goes")
    parser.add_argument("--task", help="used by the script itself")
    arguments = parser.parse_args()
    examples, epochs, turns = arguments.examples, arguments.epochs, arguments.turns
    if arguments.task:
        play(arguments.task, TASKS[arguments.task], examples, epochs, turns)
        return
    if arguments.profile:
        for task in arguments.tasks.split(","):
            profile(task, TASKS[task], examples, epochs)
        return
    rows = []
    for task in arguments.tasks.split(","):
        command = [sys.executable, __file__, f"--workdir={arguments.workdir}", f"--task={task}"]
        command += [f"--examples={examples}", f"--epochs={epochs}", f"--turns={turns}"]
        cost = measured(f"{task}-{examples}-{epochs}", command, arguments.workdir)
        hand, *rounds = (line.split() for line in cost.lines)
        rows.append([task, hand[0], *(word for each in rounds for word in each)])
    columns = [
        f"{policy}{word}"
        for policy in POLICIES
        for word in (", s", " / by hand", " / by hand, CPU", ": its evaluations, s")
    ]
    keep(
        "round_overhead",
        f"A round of {examples:,} examples, two edges, {epochs}+{epochs} epochs, batch 32, against "
        "the same calls by hand",
        ["task", "by hand, s", *columns],
        rows,
        [
            "Seconds are those of a round without its evaluations, which nobody makes by hand; CPU "
            "seconds include them."
        ],
    )


if __name__ == "__main__":
    main()
