"""A model for a microcontroller that trains its head: an int8 backbone, and a file that trains."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.bundles.micro_head import MicroHead
from ecavg_tf.core.bundles.scaling import FeatureScaling, rescaled
from ecavg_tf.core.bundles.training_bundle import OptimizerSpec, frozen_sha256
from ecavg_tf.core.errors import ExportError
from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import DataSpec
from ecavg_tf.models.builders import template_of
from ecavg_tf.models.rescaling import takes_tokens
from export.making.convert import Converter
from export.making.formats import Variant
from export.making.front import front_of
from export.making.precision import check_precision
from export.making.stateless import HeadShape, convert_stateless
from export.making.trained_layers import input_of, trained_layers
from export.making.training import twin_of


@dataclass(frozen=True)
class MadeHead:
    """What a microcontroller that trains its head is given.

    Attributes:
        info: the head, for the host.
        shape: of the head and of a step.
        training: bytes of the stateless training file.
        backbone: bytes of the int8 model up to the head; None: the head takes the raw inputs.
        scaling: what is done to raw inputs before they are quantized; None: nothing.
        kernel: the head's, shape (features, units), float32.
        bias: likewise, shape (units,).
        layer: the head itself.
        before: the model up to the head; None where there is none.
    """

    info: MicroHead
    shape: HeadShape
    training: bytes
    backbone: bytes | None
    scaling: FeatureScaling | None
    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]
    layer: keras.layers.Dense
    before: keras.Model | None

    def given(self, inputs: Array) -> Array:
        """Raw inputs as the backbone takes them before they are quantized."""
        return rescaled(self.scaling, inputs)

    def keras_steps(self, x: Array, y: Array, *, steps: int, rate: float) -> NDArray[np.float32]:
        """Keras' steps on one batch, in rows as those of ``stateless_steps``.

        Args:
            x: features, shape (n, features).
            y: labels, shape (n,).
            steps: how many.
            rate: the learning rate.
        """
        twin = twin_of([self.layer], OptimizerSpec("sgd"), rate)
        rows = []
        for _ in range(steps):
            loss = twin.train_on_batch(x, y)
            rows.append(np.concatenate([[loss], *(w.reshape(-1) for w in twin.get_weights())]))
        return np.asarray(rows, np.float32)


def make_micro_head(
    model: keras.Model,
    spec: DataSpec,
    calibration: Array,
    origin: Mapping[str, Any],
    batch: int,
) -> MadeHead:
    """Converts the two files.

    Args:
        model: ends in the head.
        spec: what its inputs are, and its classes.
        calibration: raw inputs that int8's ranges are measured on, shape (n, …).
        origin: where the model comes from.
        batch: rows of a training step.

    Raises:
        ExportError: a device can't train the model, or it can't be int8.
        ConfigError: the batch is none.
    """
    check_precision(model)
    (head,) = trained_layers(model, "head")
    features = input_of(model, head)
    if len(features.shape) != 2:
        raise ExportError(
            f"the head {head.name!r} takes {tuple(features.shape[1:])} of an example, and a "
            "microcontroller trains a head that takes one row of features: put a Flatten or a "
            "pooling before it"
        )
    position = {id(variable): at for at, variable in enumerate(model.weights)}
    held = tuple(position[id(variable)] for variable in (head.kernel, head.bias))
    info = MicroHead(
        classes=spec.classes,
        template=template_of(model),
        held=held,
        frozen_sha256=frozen_sha256(model.get_weights(), held),
        origin=origin,
    )
    shape = HeadShape(int(features.shape[1]), int(head.units), batch)
    before = None if features is model.inputs[0] else keras.Model(model.inputs[0], features)
    backbone, scaling = None, None
    if before is not None:
        backbone, scaling = _backbone(before, spec, calibration)
    kernel, bias = head.kernel.numpy(), head.bias.numpy()
    training = convert_stateless(shape)
    return MadeHead(info, shape, training, backbone, scaling, kernel, bias, head, before)


def _backbone(
    before: keras.Model, spec: DataSpec, calibration: Array
) -> tuple[bytes, FeatureScaling | None]:
    """The layers before the head as an int8 file that gives int8 features."""
    front = front_of(before)
    dtype = "int32" if takes_tokens(before, spec) else "float32"
    with Converter(
        before, spec.input_shape, dtype=dtype, front=front, classifier=False
    ) as converter:
        content = converter.convert(Variant.INT8, calibration)
    return content, None if front is None else front.scaling
