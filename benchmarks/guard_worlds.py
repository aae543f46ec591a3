"""Records what real models say of many held-out examples, for ``guard_rules.py``.

    python benchmarks/guard_worlds.py mnist --out=runs/guard-worlds

Each edge holds nine tenths of its examples out. After one round every rung predicts them, and
they become the population that the simulation draws guard sets from: differences between real
models, correlated and heavy-tailed, whose mean over the population is known. ``cifar10`` needs
Keras' pre-trained weights (``--weights``).
"""

import argparse
from pathlib import Path

from ecavg_tf.quiet import import_tensorflow

import_tensorflow()

import numpy as np  # noqa: E402

import ecavg_tf  # noqa: E402
from ecavg_tf.config import Config, PartitionKind  # noqa: E402
from edge.deciding.guarded import challengers_of, guarded  # noqa: E402
from edge.deciding.policies import POLICIES  # noqa: E402
from edge.policy import Choice, Situation  # noqa: E402

KINDS = (PartitionKind.IID, PartitionKind.DIRICHLET, PartitionKind.CLASSES)


def config_of(task: str, kind: PartitionKind, seed: int, weights: str) -> Config:
    """One round of four edges that hold nearly everything out."""
    config = Config(seed=seed)
    config.data.name = task
    config.partition.kind = kind
    config.partition.alpha = 0.3
    config.partition.num_edges = 4
    config.partition.guard_fraction = 0.9
    config.update.policy = "recorded"
    config.data.test_examples = 200  # not used: the score of a stage costs time
    if task == "mnist-large":  # better local models, smaller gains
        config.data.name = "mnist"
        config.partition.num_edges = 2
        config.partition.guard_fraction = 0.5
    if task == "cifar10":
        config.partition.guard_fraction = 0.7
        config.data.train_examples = 12_000
        config.model.name = "mobilenet_v2"
        config.model.init = "imagenet"
        config.model.weights_path = weights
        config.edge.learning_rate = config.server.learning_rate = 5e-4
        config.edge.epochs = config.server.epochs = 2
    return config


def main() -> None:
    """Parses, runs one round for each kind and seed, keeps what each edge's rungs said."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("task", choices=("mnist", "mnist-large", "cifar10"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--weights", default="", help="Keras' MobileNetV2 weights without a top")
    parser.add_argument("--seeds", type=int, default=2)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)

    for kind in KINDS:
        for seed in range(arguments.seeds):
            name = f"{arguments.task}-{kind.value}-{seed}"

            def recorded(situation: Situation, name: str = name) -> Choice:
                challengers, _ = challengers_of(situation)
                assert situation.local is not None
                rungs = [(each.rung, each.weights) for each in challengers]
                rungs.append(("local", situation.local))
                said = [situation.bench.on_guard(weights) for _, weights in rungs]
                np.savez_compressed(
                    arguments.out / f"{name}-{situation.edge}.npz",
                    rungs=np.array([rung for rung, _ in rungs]),
                    log_likelihood=np.array([each.log_likelihood for each in said]),
                    correct=np.array([each.correct for each in said]),
                    labels=situation.bench.guard.labels,
                )
                return guarded(situation)

            POLICIES["recorded"] = recorded
            config = config_of(arguments.task, kind, seed, arguments.weights)
            ecavg_tf.run(config, arguments.out / "runs" / name)
            print(f"{name} done", flush=True)


if __name__ == "__main__":
    main()
