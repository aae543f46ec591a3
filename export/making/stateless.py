"""A ``.tflite`` file that takes one training step and keeps nothing: weights in, weights out.

A microcontroller's interpreter has no room to spare for variables, and a file that keeps none can
be run by anybody who keeps the weights. The file holds no weight of the model: it depends on
shapes alone, and the same shapes give the same bytes.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from ecavg_tf.config import Format
from ecavg_tf.core.errors import ConfigError, ExportError
from export.making.converting_process import convert_saved
from export.making.tracing import quiet_conversion

INPUTS = ("x", "y", "kernel", "bias", "learning_rate")
OUTPUTS = ("new_kernel", "new_bias", "loss")
SIGNATURE = "train"
MOST_ROWS = 1024


@dataclass(frozen=True)
class HeadShape:
    """What a stateless training file is made for.

    Attributes:
        features: values that the head takes of one example.
        units: outputs of the head: one a class, or 1 of two classes.
        batch: rows of one step. Those whose ``y`` is all zeros don't count.
    """

    features: int
    units: int
    batch: int

    def __post_init__(self) -> None:
        if not 1 <= self.batch <= MOST_ROWS:
            raise ConfigError(
                f"a training file with {self.batch} rows a step; expected 1 to {MOST_ROWS}"
            )

    @property
    def classes(self) -> int:
        """Columns of ``y``."""
        return max(2, self.units)


class StatelessStep(tf.Module):  # type: ignore[misc]
    """One step of SGD without momentum, on the mean cross-entropy of the rows that count.

    Args:
        shape: of the head and of the batch.
    """

    def __init__(self, shape: HeadShape) -> None:
        super().__init__()
        self._shape = shape

    def signature(self) -> tf.types.experimental.ConcreteFunction:
        """The step with the shapes filled in."""
        spec, shape = tf.TensorSpec, self._shape
        return tf.function(self._step, autograph=False).get_concrete_function(
            x=spec((shape.batch, shape.features), name="x"),
            y=spec((shape.batch, shape.classes), name="y"),
            kernel=spec((shape.features, shape.units), name="kernel"),
            bias=spec((shape.units,), name="bias"),
            learning_rate=spec((), name="learning_rate"),
        )

    def _step(
        self,
        x: tf.Tensor,
        y: tf.Tensor,
        kernel: tf.Tensor,
        bias: tf.Tensor,
        learning_rate: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        logits = tf.matmul(x, kernel) + bias
        if self._shape.units == 1:  # the logits of two classes, with the same cross-entropy
            logits = tf.concat([tf.zeros_like(logits), logits], axis=1)
        counts = tf.reduce_sum(y, axis=1, keepdims=True)  # 1, or 0 of a masked row
        rows = tf.maximum(tf.reduce_sum(counts), 1.0)
        loss = -tf.reduce_sum(y * tf.nn.log_softmax(logits)) / rows
        # The rate goes in here, where there are few values, not into a copy of the kernel.
        arriving = (tf.nn.softmax(logits) * counts - y) * (learning_rate / rows)
        if self._shape.units == 1:
            arriving = arriving[:, 1:]
        return {
            "new_kernel": kernel - tf.matmul(x, arriving, transpose_a=True),
            "new_bias": bias - tf.reduce_sum(arriving, axis=0),
            "loss": loss,
        }


def convert_stateless(shape: HeadShape) -> bytes:
    """The file's bytes, with builtin operators only.

    Args:
        shape: of the head and of the batch.

    Returns:
        A file of one signature, ``train``: ``x`` (batch, features), ``y`` (batch, classes),
        ``kernel`` (features, units), ``bias`` (units,) and ``learning_rate`` () in;
        ``new_kernel``, ``new_bias`` and ``loss`` () out, all float32. The loss is that before the
        step, in nats.

    Raises:
        ExportError: the converter crashed or took too long.
    """
    module = StatelessStep(shape)
    with tempfile.TemporaryDirectory() as folder:
        try:
            with quiet_conversion():
                signatures = {SIGNATURE: module.signature()}
                tf.saved_model.save(module, folder, signatures=signatures)
        except Exception as error:  # TensorFlow raises many kinds
            raise ExportError(f"the training file can't be traced: {error}") from error
        return convert_saved(Path(folder), Format.FLOAT32, unfolded=True)
