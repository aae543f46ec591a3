"""One of five edges is hostile: is it named, and what becomes of the global model?

    python benchmarks/hostile_edges.py --out=runs/hostile [--tasks=digits,mnist,cifar10-head] \
        [--rules=average,robust] [--attacks=NAMES] [--partitions=iid,dirichlet-0.3,classes] \
        [--pretrained=mobilenet_v2_1.0_no_top.h5] [--data_dir=DIR]

Every cell is one real run of five edges, in which the replies of edge-02 are changed before the
server sees them (or its labels before it trains). Cells that are done are kept in
``OUT/cells.jsonl``; started again, the program goes on with the others. At the end it prints
tables: the accuracy of the averaged and the global model of the last round, for each rule, and
what was said of the hostile edge; and how many pooled examples were left out for their labels.

The task cifar10-head trains one dense layer on what a pre-trained MobileNetV2 makes of pictures
of 96 x 96 pixels, which is computed once and kept in ``OUT/features.npz``.
"""

import argparse
import contextlib
import itertools
import json
import shutil
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import keras
import numpy as np

import ecavg_tf
from ecavg_tf.config import Config, FleetKind
from ecavg_tf.config.checks import with_fields
from ecavg_tf.core.files import file_sha256
from ecavg_tf.core.messages.reply import NoReply, Reply
from ecavg_tf.core.messages.request import Shipped
from ecavg_tf.core.messages.update_file import Update, write_update
from ecavg_tf.core.template import Array, Role, Template
from ecavg_tf.data.dataset import DataSpec, EdgeData, Examples
from ecavg_tf.data.federated import FederatedData, federated_data
from ecavg_tf.data.sources import load_data
from ecavg_tf.events import Event, Note
from ecavg_tf.rounds import fleets, loop
from ecavg_tf.rundir import RunDirectory
from ecavg_tf.task import Task

HOSTILE = "edge-02"
RULES: dict[str, dict[str, Any]] = {
    **{
        name: {"server.combine": name}
        for name in ("average", "median", "trimmed_mean", "geometric_median", "multi_krum")
    },
    "clipped": {"server.combine": "clipped"},
    "drop": {"server.doubtful_labels": "drop"},
    "drop_edge": {"server.doubtful_labels": "drop_edge"},
    "robust": {"server.combine": "geometric_median", "server.doubtful_labels": "drop_edge"},
}
PARTITIONS: dict[str, dict[str, Any]] = {
    "iid": {"partition.kind": "iid"},
    "dirichlet-0.3": {"partition.kind": "dirichlet", "partition.alpha": 0.3},
    "dirichlet-0.1": {"partition.kind": "dirichlet", "partition.alpha": 0.1},
    "classes": {"partition.kind": "classes"},
}
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
        "model.name": "hostile_edges:head",
        "edge.epochs": 5,
        "server.epochs": 5,
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
    """One run and what came of it.

    Attributes:
        task: a key of ``TASKS``.
        attack: what edge-02 does.
        rule: a key of ``RULES``.
        averaged: accuracy of the averaged model of the last round, in [0, 1].
        global_: that of the global model.
        said: what was said of edge-02.
        partition: a key of ``PARTITIONS``.
        pooled: examples that the honest edges pooled.
        left_out: how many of them the server did not train on, the most of any round.
        left_out_hostile: the same of the hostile edge.
        alarms: lines that name an honest edge.
    """

    task: str
    attack: str
    rule: str
    averaged: float
    global_: float
    said: str
    partition: str = "iid"
    pooled: int = 0
    left_out: int = 0
    left_out_hostile: int = 0
    alarms: int = 0


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

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

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


def head(spec: DataSpec) -> keras.Model:
    """One dense layer, which is all that is trained of a classifier on a frozen backbone."""
    outputs = keras.layers.Dense(spec.num_classes, "softmax")
    return keras.Sequential([keras.Input(spec.input_shape), outputs])


def keep_features(path: Path, pretrained: str, data_dir: str) -> None:
    """What MobileNetV2's backbone makes of CIFAR-10, as a data set."""
    config = Config()
    config.data.name, config.data.data_dir = "cifar10", data_dir
    config.data.train_examples, config.data.test_examples = 3000, 1000
    data = load_data(config.data, config.seed)
    backbone = keras.applications.MobileNetV2((96, 96, 3), include_top=False, weights=pretrained,
                                              pooling="avg")  # fmt: skip
    seen: dict[str, Any] = {}
    for name, examples in (("train", data.train), ("test", data.test)):
        large = np.repeat(np.repeat(examples.inputs, 3, axis=1), 3, axis=2)
        scaled = (part / 127.5 - 1.0 for part in np.array_split(large, len(large) // 250))
        seen[f"x_{name}"] = np.concatenate([backbone.predict_on_batch(part) for part in scaled])
        seen[f"y_{name}"] = examples.labels
    np.savez(path, **seen)


def play(
    task: str, attack: str, rule: str, partition: str, fields: dict[str, Any], folder: Path
) -> Cell:
    """One run."""
    shutil.rmtree(folder, ignore_errors=True)
    config = with_fields(
        Config(),
        {
            **PARTITIONS[partition],
            "partition.num_edges": 5,
            "export.enabled": False,
            **TASKS[task],
            **fields,
            **RULES[rule],
        },
    )
    said: list[str] = []
    alarms: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, Note) and HOSTILE in event.text:
            said.append(event.text)
        elif isinstance(event, Note) and any(
            word in event.text for word in ("stands out", ": refused ")
        ):
            alarms.append(event.text)

    honest = fleets.FLEETS[FleetKind.LOCAL]

    def make(task: Task, data: FederatedData, directory: RunDirectory, template: Template) -> Any:
        inner = honest.make(task, data, directory, template)
        return HostileFleet(inner, attack, template, task.initial, folder)

    with contextlib.ExitStack() as stack:
        if attack == LABELS:
            stack.enter_context(
                mock.patch.object(
                    loop, "federated_data", lambda *given: FlippedLabels(federated_data(*given))
                )
            )
        elif attack != CLEAN:
            changed = {FleetKind.LOCAL: replace(honest, make=make)}
            stack.enter_context(mock.patch.dict(fleets.FLEETS, changed))
        results = ecavg_tf.run(config, folder, listener=listen)
    last = results.rounds[-1].server
    assert last.averaged.all is not None and last.global_.all is not None
    shown = " | ".join(said if attack != ABSENT else [])
    scores = last.averaged.all.accuracy, last.global_.all.accuracy
    counts = {edge.edge: edge.examples for edge in results.rounds[-1].edges}
    left_out = {
        edge: max(
            (
                one.left_out or 0
                for each in results.rounds
                for one in each.influence
                if one.edge == edge
            ),
            default=0,  # its updates were refused, or it was left out
        )
        for edge in counts
    }
    hostile = left_out.pop(HOSTILE, 0), counts.pop(HOSTILE, 0)
    pooled, lost = sum(counts.values()), sum(left_out.values())
    return Cell(
        task, attack, rule, *scores, shown, partition, pooled, lost, hostile[0], len(alarms)
    )


def print_table(cells: Sequence[Cell]) -> None:
    """One line a task and attack; a column a rule: averaged and global accuracy, %."""
    cells = [cell for cell in cells if cell.partition == "iid"]
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


def print_left_out(cells: Sequence[Cell]) -> None:
    """What ``server.doubtful_labels`` left out, and what is said where nobody is hostile."""
    print("\n| task | data | edge-02 | rule | global, % | honest examples left out | of edge-02 | "
          "named | honest edges named |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|")
    for cell in cells:
        if cell.attack in (CLEAN, LABELS, ABSENT) and "server.doubtful_labels" in RULES[cell.rule]:
            print(
                f"| {cell.task} | {cell.partition} | {cell.attack} | {cell.rule} | "
                f"{100 * cell.global_:.1f} | {cell.left_out} of {cell.pooled} | "
                f"{cell.left_out_hostile} | {_word(cell.said)} | {cell.alarms} |"
            )


def _word(said: str) -> str:
    if not said:
        return "no"
    if "refused" in said:
        return "refused"
    return "named" if "stands out" in said else "no"


def main() -> None:
    """Plays the cells that are left, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--rules", default=",".join(RULES))
    parser.add_argument("--attacks", default=",".join((CLEAN, ABSENT, *ATTACKS, LABELS)))
    parser.add_argument("--partitions", default="iid")
    parser.add_argument("--minutes", type=float, default=60.0, help="no new run after these")
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
    done = {(cell.task, cell.attack, cell.rule, cell.partition) for cell in cells}
    until = time.monotonic() + 60 * arguments.minutes
    chosen = [
        [one for one in text.split(",") if one]  # no task: prints what there is
        for text in (arguments.tasks, arguments.attacks, arguments.rules, arguments.partitions)
    ]
    for task, attack, rule, partition in itertools.product(*chosen):
        if (task, attack, rule, partition) in done or time.monotonic() > until:
            continue
        fields = {"data.data_dir": arguments.data_dir} if arguments.data_dir else {}
        if task == "cifar10-head":
            features = arguments.out / "features.npz"
            if not features.exists():
                keep_features(features, arguments.pretrained, arguments.data_dir)
            fields["data.name"] = str(features)
        cell = play(task, attack, rule, partition, fields, arguments.out / "run")
        cells.append(cell)
        with kept.open("a") as stream:
            stream.write(json.dumps(asdict(cell)) + "\n")
        print(f"{task}, {partition}, {attack}, {rule}: {cell.global_:.3f} {cell.said}", flush=True)
    print_table(cells)
    print_left_out(cells)


if __name__ == "__main__":
    main()
