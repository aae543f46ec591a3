"""One of five edges is hostile: is it named, and what becomes of the global model?

    python benchmarks/hostile_edges.py --out=runs/hostile [--tasks=digits,mnist,cifar10-head] \
        [--pretrained=mobilenet_v2_1.0_no_top.h5] [--data_dir=DIR]

Every cell is one real run of five edges with equal shares of the data, in which the replies of
edge-02 are changed before the server sees them (or its labels before it trains). Cells that are
done are kept in ``OUT/cells.jsonl``; started again, the program goes on with the others. At the
end it prints a table: the accuracy of the averaged and the global model of the last round, for
each rule, and what was said of the hostile edge.
"""

import argparse
import contextlib
import json
import shutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import ecavg_tf
from ecavg_tf.config import Config, FleetKind
from ecavg_tf.config.checks import with_fields
from ecavg_tf.core.files import file_sha256
from ecavg_tf.core.messages.reply import NoReply, Reply
from ecavg_tf.core.messages.request import Shipped
from ecavg_tf.core.messages.update_file import Update, write_update
from ecavg_tf.core.template import Array, Role, Template
from ecavg_tf.data.dataset import EdgeData, Examples
from ecavg_tf.data.federated import FederatedData, federated_data
from ecavg_tf.events import Event, Note
from ecavg_tf.rounds import fleets, loop
from ecavg_tf.rundir import RunDirectory
from ecavg_tf.task import Task

HOSTILE = "edge-02"
RULES = ("average", "median", "trimmed_mean", "geometric_median", "multi_krum", "clipped")
TASKS: dict[str, dict[str, Any]] = {
    "digits": {"data.name": "digits", "rounds": 2, "edge.epochs": 10, "server.epochs": 10},
    "mnist": {
        "data.name": "mnist",
        "data.train_examples": 6000,
        "data.test_examples": 2000,
        "edge.epochs": 3,
        "server.epochs": 3,
    },
    "cifar10-head": {
        "data.name": "cifar10",
        "data.train_examples": 2000,
        "data.test_examples": 1000,
        "model.name": "mobilenet_v2",
        "model.init": "imagenet",
        "model.train": "head",
        "edge.epochs": 3,
        "server.epochs": 3,
    },
}


def _flip(trained: Array, start: Array, draw: np.random.Generator) -> Array:
    del draw
    return np.asarray(2 * start - trained)


def _shout(trained: Array, start: Array, draw: np.random.Generator) -> Array:
    del draw
    return np.asarray(start + 100 * (trained - start))


def _noise(trained: Array, start: Array, draw: np.random.Generator) -> Array:
    del trained
    return draw.normal(0, start.std() or 0.1, start.shape)


# What the hostile edge makes of a weight that it trained, given the one that it started from.
ATTACKS: dict[str, Callable[[Array, Array, np.random.Generator], Array]] = {
    "sign-flipped": _flip,
    "scaled by 100": _shout,
    "noise": _noise,
}
LABELS = "labels flipped"  # in its training data, and so in what it pools, too
CLEAN, ABSENT = "nobody is hostile", "without that edge"


@dataclass(frozen=True)
class Cell:
    """One run and what came of it: accuracies in [0, 1], and what was said of the edge."""

    task: str
    attack: str
    rule: str
    averaged: float
    global_: float
    said: str


class HostileFleet:
    """A fleet in this process, one of whose edges answers something else.

    Args:
        inner: the honest fleet.
        attack: a key of ``ATTACKS``, or ``ABSENT``.
        template: the run's.
        base: what the first round starts from.
        folder: for the changed files.
    """

    def __init__(
        self, inner: Any, attack: str, template: Template, base: Sequence[Array], folder: Path
    ) -> None:
        self._inner = inner
        self._attack = attack
        self._template = template
        self._base = base
        self._folder = folder
        self.edges = inner.edges

    def exchange(
        self,
        round_number: int,
        start: Shipped,
        participants: Sequence[str],
        pooled_wanted: Collection[str],
    ) -> list[Reply | NoReply]:
        """As the inner fleet answers, with another update of the hostile edge."""
        replies = self._inner.exchange(round_number, start, participants, pooled_wanted)
        base = start.weights or self._base
        return [self._changed(one, base) if one.edge == HOSTILE else one for one in replies]

    def finish(self, *arguments: Any) -> Any:
        """As the inner fleet."""
        return self._inner.finish(*arguments)

    def _changed(self, reply: Reply | NoReply, base: Sequence[Array]) -> Reply | NoReply:
        if isinstance(reply, NoReply) or reply.update is None or self._attack == ABSENT:
            return NoReply(HOSTILE, "it is left out", absent=True)
        sent, draw = Update(reply.update), np.random.default_rng(reply.round)
        weights = {spec.key: array for spec, array in sent.items(self._template)}
        for spec, start in zip(self._template.weights, base, strict=True):
            if spec.role is Role.TRAINABLE and spec.key in weights:
                made = ATTACKS[self._attack](weights[spec.key], start, draw)
                weights[spec.key] = np.ascontiguousarray(made, spec.dtype)
        path = self._folder / f"hostile-{reply.round}.safetensors"
        write_update(path, sent.info, weights)
        hashes = {**reply.hashes, "update": file_sha256(path)} if reply.hashes else {}
        return replace(reply, update=path, hashes=hashes)


class FlippedLabels:
    """A data set in which one edge calls class ``c`` the class ``last - c``, its test set aside."""

    def __init__(self, inner: FederatedData) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def edge(self, name: str) -> EdgeData:
        """What an edge has; the hostile one's training labels are wrong."""
        data = self._inner.edge(name)
        if name != HOSTILE:
            return data
        last = self._inner.spec.num_classes - 1
        return replace(data, train=Examples(data.train.inputs, last - data.train.labels))


def play(task: str, attack: str, rule: str, fields: dict[str, Any], folder: Path) -> Cell:
    """One run."""
    shutil.rmtree(folder, ignore_errors=True)
    config = with_fields(
        Config(),
        {
            "partition.kind": "iid",
            "partition.num_edges": 5,
            "export.enabled": False,
            **TASKS[task],
            **fields,
            "server.combine": rule,
        },
    )
    said: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, Note) and HOSTILE in event.text:
            said.append(event.text)

    honest = fleets.FLEETS[FleetKind.LOCAL]

    def make(task: Task, data: FederatedData, directory: RunDirectory, template: Template) -> Any:
        inner = honest.make(task, data, directory, template)
        return HostileFleet(inner, attack, template, task.initial, folder)

    with contextlib.ExitStack() as stack:
        if attack == LABELS:
            stack.enter_context(
                mock.patch.object(
                    loop, "federated_data", lambda c: FlippedLabels(federated_data(c))
                )
            )
        elif attack != CLEAN:
            changed = {FleetKind.LOCAL: replace(honest, make=make)}
            stack.enter_context(mock.patch.dict(fleets.FLEETS, changed))
        results = ecavg_tf.run(config, folder, listener=listen)
    last = results.rounds[-1].server
    assert last.averaged.all is not None and last.global_.all is not None
    shown = said if attack != ABSENT else []
    return Cell(
        task, attack, rule, last.averaged.all.accuracy, last.global_.all.accuracy, " | ".join(shown)
    )


def print_table(cells: Sequence[Cell]) -> None:
    """One line a task and attack; a column a rule: averaged and global accuracy, %."""
    found = {(cell.task, cell.attack, cell.rule): cell for cell in cells}
    print(
        "averaged / global accuracy in %, and whether the hostile edge was named with `average`\n"
    )
    print("| task | edge-02 | " + " | ".join(RULES) + " | named |")
    print("|---|---|" + "---|" * (len(RULES) + 1))
    for task, attack in dict.fromkeys((cell.task, cell.attack) for cell in cells):
        shown = []
        for rule in RULES:
            cell = found.get((task, attack, rule))
            shown.append(
                "–" if cell is None else f"{100 * cell.averaged:.1f} / {100 * cell.global_:.1f}"
            )
        plain = found.get((task, attack, "average"))
        named = "–" if plain is None else _word(plain.said)
        print(f"| {task} | {attack} | " + " | ".join(shown) + f" | {named} |")


def _word(said: str) -> str:
    if not said:
        return "no"
    return "refused" if "refused" in said else "named"


def main() -> None:
    """Plays the cells that are left, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--pretrained", default="", help="Keras' MobileNetV2 weights, no top")
    parser.add_argument("--data_dir", default="")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    kept = arguments.out / "cells.jsonl"
    cells = (
        [Cell(**json.loads(line)) for line in kept.read_text().splitlines()]
        if kept.exists()
        else []
    )
    done = {(cell.task, cell.attack, cell.rule) for cell in cells}
    fields = {"data.data_dir": arguments.data_dir} if arguments.data_dir else {}
    for task in filter(None, arguments.tasks.split(",")):  # none: prints what there is
        more = {"model.weights_path": arguments.pretrained} if task == "cifar10-head" else {}
        for rule in RULES:
            for attack in (CLEAN, ABSENT, *ATTACKS, LABELS):
                if (task, attack, rule) in done:
                    continue
                cell = play(task, attack, rule, {**fields, **more}, arguments.out / "run")
                cells.append(cell)
                with kept.open("a") as stream:
                    stream.write(json.dumps(asdict(cell)) + "\n")
                print(f"{task}, {attack}, {rule}: {cell.global_:.3f} {cell.said}", flush=True)
    print_table(cells)


if __name__ == "__main__":
    main()
