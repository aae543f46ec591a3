"""A training bundle: the file that trains, compared with Keras step by step."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.bundles.training_bundle import (
    BATCH,
    TOLERANCE,
    OptimizerSpec,
    TrainingBundle,
    TrainingInfo,
    frozen_sha256,
)
from ecavg_tf.core.errors import ConfigError, ExportError
from ecavg_tf.core.template import Array
from ecavg_tf.core.two_classes import class_columns
from ecavg_tf.data.dataset import DataSpec, Examples
from ecavg_tf.models.builders import template_of
from export.making.converting_process import first_training
from export.making.trainable import convert_trainable, make_trainable
from export.making.trained_layers import input_of
from export.reading.flatmodel import read_flatmodel

_GOLDEN, _STEPS = 16, 5
_RATES = {"adam": 1e-3, "sgd": 1e-2}
_LIMIT = 1e-4  # of a probability, after the golden steps; float32 sums in other orders


def optimizer_spec(name: str, momentum: float = 0.0) -> OptimizerSpec:
    """How a file trains.

    Args:
        name: ``sgd`` or ``adam``, as in ``edge.optimizer``.
        momentum: of ``sgd``.

    Raises:
        ConfigError: a device can't train so.
    """
    lowered = name.lower()
    if lowered not in _RATES:
        raise ConfigError(f"a training file can't have optimizer {name!r}; valid: sgd, adam")
    if (momentum and lowered != "sgd") or not 0 <= momentum < 1:
        raise ConfigError(f"momentum {momentum} with {name}; it goes with sgd, in [0, 1)")
    return OptimizerSpec(lowered, momentum=momentum)


@dataclass
class TrainingExporter:
    """Makes training bundles of one Keras model.

    Attributes:
        model: the model; the weights that are set on it are the file's.
        spec: what its inputs are, and its classes.
        trainable: ``head`` or ``dense``.
        optimizer: how the file trains.
        batch: rows of its batches: no batch that it trains on may be larger.
    """

    model: keras.Model
    spec: DataSpec
    trainable: str
    optimizer: OptimizerSpec
    batch: int = BATCH

    def held(self) -> tuple[tuple[int, ...], tuple[int, ...], int]:
        """Positions of the trained weights, of the head's, and of the head's bias.

        Raises:
            ExportError: a device can't train the model.
        """
        _, layers = make_trainable(self.model, self.trainable, self.optimizer)
        position = {id(variable): at for at, variable in enumerate(self.model.weights)}
        held = tuple(position[id(v)] for layer in layers for v in layer.weights)
        head = tuple(position[id(v)] for v in layers[-1].weights)
        return held, head, position[id(layers[-1].bias)]

    def bundle(self, examples: Examples, origin: Mapping[str, Any]) -> TrainingBundle:
        """Converts, compares with Keras, and wraps.

        Args:
            examples: labelled examples; the first few become the golden ones.
            origin: where the model comes from.

        Raises:
            ExportError: a device can't train the model, or the file differs from Keras.
        """
        held, head, bias = self.held()
        module, layers = make_trainable(self.model, self.trainable, self.optimizer, self.batch)
        content = convert_trainable(module)
        golden = examples.take(np.arange(min(_GOLDEN, self.batch, len(examples))))
        outputs = self._verified(content, layers, golden)
        weights: list[Array] = self.model.get_weights()
        facts = read_flatmodel(content)
        info = TrainingInfo(
            trainable=self.trainable,
            classes=self.spec.classes,
            inputs_dtype=self.spec.dtype,
            value_range=self.spec.value_range,
            input_shape=tuple(self.spec.input_shape),
            feature_shape=module.feature_shape,
            frozen_layers=module.frozen_layers,
            optimizer=self.optimizer,
            template=template_of(self.model),
            held=held,
            head=head,
            head_bias=bias,
            frozen_sha256=frozen_sha256(weights, held),
            origin=origin,
            min_runtime=facts.min_runtime,
            operators=tuple((op.name, op.version, op.count) for op in facts.operators),
            golden_learning_rate=_RATES[self.optimizer.name],
            golden_steps=_STEPS,
            tolerance=TOLERANCE,
            declared=self.spec.declared,
            feature_ranges=self.spec.feature_ranges,
            columns=self.spec.columns,
            batch=self.batch,
        )
        return TrainingBundle(info, content, golden.inputs, golden.labels, outputs)

    def _verified(
        self, content: bytes, layers: list[keras.layers.Dense], golden: Examples
    ) -> NDArray[np.float32]:
        """The file's probabilities before and after some steps, if they are Keras'."""
        inputs = golden.inputs.astype(np.float32)
        # Called, not predict: every new model's predict is traced, and TensorFlow warns of it.
        backbone = keras.Model(self.model.inputs[0], input_of(self.model, layers[0]))
        features = backbone(inputs, training=False).numpy()
        twin = twin_of(layers, self.optimizer, _RATES[self.optimizer.name])
        expected = [_answers(twin, features)]
        for _ in range(_STEPS):
            twin.train_on_batch(features, golden.labels)
        expected.append(_answers(twin, features))
        one_hot = np.eye(len(self.spec.classes), dtype=np.float32)[golden.labels]
        rate = _RATES[self.optimizer.name]
        found = first_training(content, inputs, one_hot, steps=_STEPS, rate=rate)
        difference = float(np.abs(found - np.stack(expected)).max())
        if not difference <= _LIMIT:
            raise ExportError(
                f"the training file differs from Keras by {difference:.2g} after {_STEPS} steps "
                f"(at most {_LIMIT:g} is allowed); please report it with your model"
            )
        return found


def twin_of(layers: list[keras.layers.Dense], optimizer: OptimizerSpec, rate: float) -> keras.Model:
    """The trained layers as a Keras model of their own, compiled as the file trains."""
    copies = [type(layer).from_config(layer.get_config()) for layer in layers]
    one = copies[-1].units == 1
    copies[-1].activation = keras.activations.sigmoid if one else keras.activations.softmax
    twin = keras.Sequential([keras.Input((layers[0].kernel.shape[0],)), *copies])
    twin.set_weights([value.numpy() for layer in layers for value in layer.weights])
    if optimizer.name == "adam":
        made = keras.optimizers.Adam(rate)
    else:
        made = keras.optimizers.SGD(rate, momentum=optimizer.momentum)
    twin.compile(made, "binary_crossentropy" if one else "sparse_categorical_crossentropy")
    return twin


def _answers(twin: keras.Model, features: Array) -> Array:
    return class_columns(twin(features, training=False).numpy(), logits=False)
