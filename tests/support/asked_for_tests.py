"""What a server asks an edge in a run of three rounds, laid out as files, with no server there."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import exports_for_tests as made
import keras

from ecavg_tf.config import Config, GuardRule, ModelConfig
from ecavg_tf.config.fields import shared_fields
from ecavg_tf.core.bundles.training_bundle import (
    OptimizerSpec,
    frozen_sha256,
    training_file_name,
    write_training_bundle,
)
from ecavg_tf.core.messages.inputs import Inputs
from ecavg_tf.core.messages.mailbox import Mailbox
from ecavg_tf.core.messages.request import (
    EXCHANGE,
    FINISH,
    HELLO,
    NamedFile,
    Request,
    Shipped,
    write_request,
)
from ecavg_tf.core.template import Array, Template
from ecavg_tf.models.builders import mlp, template_of
from ecavg_tf.training.evaluation import KerasScorer
from export.making.training import TrainingExporter

DIGITS = made.digits()
SPEC = DIGITS.spec
EDGE = "edge-07"


@dataclass(frozen=True)
class Asked:
    """What a server asks in a run of three rounds, and the files of it."""

    requests: tuple[Request, ...]
    files: dict[str, bytes]
    template: Template


def models(kind: str) -> tuple[keras.Model, list[list[Array]]]:
    """A model, and the weights of four global models: later ones are not always better."""
    if kind == "dense":
        keras.utils.set_random_seed(0)
        model = mlp(SPEC, ModelConfig(hidden_units=32))
    else:
        model = keras.models.clone_model(made.model())
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    weights = [model.get_weights()]
    inputs = DIGITS.train.inputs.astype("float32")
    for epochs in (6, 1, 8):
        if epochs == 1:  # a server's bad day
            model.fit(inputs, (DIGITS.train.labels + 1) % 10, epochs=1, verbose=0)
        else:
            model.fit(inputs, DIGITS.train.labels, epochs=epochs, verbose=0)
        weights.append(model.get_weights())
    return model, weights


def asked(folder: Path, kind: str, rule: GuardRule) -> Asked:
    model, globals_ = models(kind)
    config = Config(seed=5, rounds=3)
    config.edge.epochs, config.edge.optimizer, config.edge.learning_rate = 2, "adam", 1e-3
    config.update.rule, config.partition.guard_fraction = rule, 0.3
    scorer, template = KerasScorer(model, DIGITS.test, logits=False), template_of(model)
    inputs = Inputs("digits", SPEC.input_shape, SPEC.dtype, SPEC.value_range, SPEC.classes)
    requests = [Request(HELLO, "run", 0, Template(()), Shipped(None), inputs=inputs)]
    files: dict[str, bytes] = {}
    steps = [(EXCHANGE, 1), (EXCHANGE, 2), (EXCHANGE, 3), (FINISH, 3)]
    for (what, number), weights in zip(steps, globals_, strict=True):
        model.set_weights(weights)
        exporter = TrainingExporter(model, SPEC, kind, OptimizerSpec("adam"))
        name = training_file_name(frozen_sha256(weights, exporter.held()[0]))
        path = folder / name
        if not path.exists():
            write_training_bundle(path, exporter.bundle(DIGITS.test, {}))
        named = Mailbox(folder / EDGE).put_file(path)
        files[name] = path.read_bytes()
        trained_on = tuple(float(each) for each in DIGITS.train.class_counts(10))
        requests.append(
            Request(
                what,
                "run",
                number,
                template,
                Shipped(weights, trained_on if number > 1 else None),
                config=shared_fields(config),
                training_file=NamedFile(name, named.sha256),
                probe=scorer.probe(weights, SPEC),
                inputs=inputs,
            )
        )
    for request in requests:
        path = folder / f"{request.round:04d}-{request.kind}.safetensors"
        write_request(path, request)
        files[path.name] = path.read_bytes()
    return Asked(tuple(requests), files, template)


def entry(request: Request) -> dict[str, Any]:
    names = [f"{request.round:04d}-{request.kind}.safetensors"]
    names += [request.training_file.name] if request.training_file else []
    return {"id": f"{request.round}-{request.kind}", "files": [{"name": name} for name in names]}
