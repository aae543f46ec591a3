"""How many examples BatchNorm's statistics need: loss and accuracy against their number.

    python benchmarks/recalibration.py --task=cifar10_mobilenetv2

Trains as the first round of a task does (two edges, their mean, the mean fine-tuned), then
re-estimates the statistics of an edge's model, of the mean and of the fine-tuned one on n
examples, in five seeded draws each, and scores them on the test set: the edge's model on the
edge's own mix of it. "±" is the standard deviation over draws.
"""

import argparse
import runpy
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from tables import keep

from ecavg_tf.quiet import import_tensorflow

import_tensorflow()

from ecavg_tf.config import Config, with_fields  # noqa: E402
from ecavg_tf.core.scores import Score  # noqa: E402
from ecavg_tf.core.template import Array  # noqa: E402
from ecavg_tf.data.dataset import Examples, concatenated  # noqa: E402
from ecavg_tf.data.federated import federated_data  # noqa: E402
from ecavg_tf.events import silent  # noqa: E402
from ecavg_tf.task import Task  # noqa: E402

CONFIGS = Path(__file__).resolve().parent.parent / "configs"


class Trained:
    """The models of a round, and how they score under other statistics."""

    def __init__(self, config: Config, workdir: Path) -> None:
        data = federated_data(config)
        task = Task(config, data.spec, workdir, silent)
        self._edge, self._server = task.edge_trainer, task.server_trainer
        edges = [data.edge(name) for name in data.edges]
        self._counts = edges[0].train.class_counts(data.spec.num_classes)
        local = [
            self._edge.fit(task.initial, edge.train, round_number=1, who=edge.edge)
            for edge in edges
        ]
        pooled = concatenated([edge.train for edge in edges])
        mean: list[Array] = [np.mean(pair, axis=0) for pair in zip(*local, strict=True)]
        start = self._server.recalibrate(mean, pooled, round_number=1, who="server")
        tuned = self._server.fit(start, pooled, round_number=1, who="server")
        self.models: dict[str, tuple[list[Array], Examples]] = {
            "an edge's": (local[0], edges[0].train),
            "averaged": (mean, pooled),
            "fine-tuned": (tuned, pooled),
        }
        self._scorer = task.scorer(self._server, data.test)

    def score(self, name: str, examples: int, draw: int) -> Score:
        """A model's score with its statistics of ``examples`` examples; 0: of all."""
        weights, data = self.models[name]
        trainer = self._edge if name == "an edge's" else self._server
        trainer.settings = replace(trainer.settings, recalibrate_examples=examples)
        again = trainer.recalibrate(weights, data, round_number=draw, who="draw")
        scores = self._scorer.scores(again, self._counts)
        found = scores.own if name == "an edge's" else scores.all
        assert found is not None
        return found


def cell(scores: list[Score]) -> str:
    """Mean loss and accuracy over draws."""
    parts = []
    for values, form in (
        ([score.loss for score in scores], ".3f"),
        ([100 * score.accuracy for score in scores], ".2f"),
    ):
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        parts.append(f"{statistics.mean(values):{form}} ± {spread:{form}}")
    return " / ".join(parts) + " %"


def main() -> None:
    """Parses, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--task", default="cifar10_mobilenetv2", help="a file of configs/")
    parser.add_argument("--examples", type=int, default=5000, help="training examples in all")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--test", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--counts", default="64,128,256,512,1024,2048", help="n, beside all")
    arguments = parser.parse_args()
    config = with_fields(
        runpy.run_path(str(CONFIGS / f"{arguments.task}.py"))["get_config"](),
        {
            "data.train_examples": arguments.examples,
            "data.test_examples": arguments.test,
            "edge.epochs": arguments.epochs,
            "server.epochs": arguments.epochs,
            "export.enabled": False,
        },
    )
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        trained = Trained(config, Path(folder))
        for examples in (*map(int, arguments.counts.split(",")), 0):
            draws = range(1, 2 if examples == 0 else arguments.draws + 1)
            row = [
                cell([trained.score(name, examples, draw) for draw in draws])
                for name in trained.models
            ]
            rows.append([str(examples or "all"), *row])
    keep(
        f"recalibration_{arguments.task}",
        f"{arguments.task}: loss / accuracy after BatchNorm's statistics are re-estimated on n "
        f"of the examples ({arguments.examples} in all, two edges, {arguments.epochs} epochs)",
        ["n", *trained.models],
        rows,
    )


if __name__ == "__main__":
    main()
