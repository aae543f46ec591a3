"""Fine-tunes weights as a file of int8 will round them, so that it answers as the float model does.

Distillation without labels (Hinton et al. 2015, arXiv 1503.02531) with fake quantization and
straight-through gradients (Jacob et al. 2018, arXiv 1712.05877): the loss is the divergence

    KL(p || q) = sum_c p_c (log p_c - log q_c)

of the tuned net's probabilities q from the float net's p. BatchNorm is folded before, so that
its statistics can't move. Ranges of activations stay those of the calibration examples.
"""

import time
from dataclasses import dataclass, replace
from typing import Any

import keras
import tensorflow as tf

from ecavg_tf.config import Format
from ecavg_tf.config.tune import AUTO, tune_epochs
from ecavg_tf.core.seeds import permutation
from ecavg_tf.core.template import Array
from ecavg_tf.events import Listener, Note
from export.making.calibration import Calibration
from export.quantizing.fitting import nearest_net, rounding_of
from export.quantizing.net import Net

MOST_TUNED = 4000  # examples that a file is tuned on at most
_BATCH = 32
_RATE = 2e-5


@dataclass(frozen=True)
class Tuning:
    """How long a file is tuned, and on what.

    Attributes:
        inputs: training or pooled inputs, raw values, shape (n, …).
        source: what they are, in words.
        epochs: how often it sees them.
        seed: seeds their order.
        asked: whether the user gave the number of epochs: then it is always tried.
    """

    inputs: Array
    source: str
    epochs: int
    seed: int
    asked: bool = False

    @classmethod
    def on(cls, drawn: Calibration, word: str, seed: int) -> "Tuning":
        """On drawn examples, as ``export.tune`` says by a word other than ``off``."""
        return cls(drawn.inputs, drawn.source, tune_epochs(word), seed, asked=word != AUTO)


def tuned_net(
    teacher: Net, start: Net, calibration: Array, tuning: Tuning, listener: Listener
) -> Net:
    """A net whose kernels are on their grid and were trained there.

    Args:
        teacher: the float net; it gives logits, or probabilities.
        start: where to begin.
        calibration: what the ranges of activations are measured on.
        tuning: how long, and on what.
        listener: told of the time it will take.
    """
    student = _Student(start, calibration)
    each_epoch = max(1, len(tuning.inputs) // _BATCH)
    steps = each_epoch * tuning.epochs
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(_RATE, steps))

    def one(few: Any) -> None:
        _step(student, optimizer, few, _probabilities(teacher, teacher.run(few)[-1]))

    step = tf.function(one, autograph=False)
    began = time.monotonic()
    for number in range(steps):
        epoch, at = divmod(number, each_epoch)
        if at == 0:
            order = permutation(len(tuning.inputs), tuning.seed, "tune", epoch)
        step(tf.constant(tuning.inputs[order[at * _BATCH : (at + 1) * _BATCH]], tf.float32))
        if number == 0:  # it traces: the time of the second one counts
            began = time.monotonic()
        elif number == 1:
            seconds = (time.monotonic() - began) * (steps - 2)
            listener(Note(f"int8: tuning on {tuning.source}, {_often(tuning)}, {seconds:.0f} s"))
    return nearest_net(student.net(), Format.INT8)


def _often(tuning: Tuning) -> str:
    return "1 epoch" if tuning.epochs == 1 else f"{tuning.epochs} epochs"


def _probabilities(net: Net, answers: Any) -> Any:
    return answers if net.operations[-1].kind == "softmax" else tf.nn.softmax(answers)


class _Student:
    """A net with weights that can be trained."""

    def __init__(self, start: Net, calibration: Array) -> None:
        self._start = start
        self._rounded = rounding_of(start, calibration, Format.INT8)
        self.variables = {
            place: [tf.Variable(each) for each in operation.weights]
            for place, operation in start.linears()
        }

    @property
    def trained(self) -> list[Any]:
        """Its variables."""
        return [each for pair in self.variables.values() for each in pair]

    def answers(self, inputs: Any) -> Any:
        """Probabilities of a batch, everything rounded."""
        given = self._start.run(inputs, self._rounded, self._weights)[-1]
        return _probabilities(self._start, given)

    def _weights(self, place: int) -> tuple[Any, ...]:
        if place not in self.variables:
            return self._start.operations[place].weights
        kernel, bias = self.variables[place]
        flat = tf.reshape(kernel, (-1, bias.shape[0]))
        most = tf.maximum(tf.stop_gradient(tf.reduce_max(tf.abs(flat), axis=0)), 1e-12)
        rounded = tf.quantization.fake_quant_with_min_max_vars_per_channel(
            flat, -most, most, narrow_range=True
        )
        return tf.reshape(rounded, kernel.shape), bias

    def net(self) -> Net:
        """The net with the weights as they are now, not rounded."""
        made = list(self._start.operations)
        for place, (kernel, bias) in self.variables.items():
            made[place] = replace(made[place], kernel=kernel.numpy(), bias=bias.numpy())
        return replace(self._start, operations=made)


def _step(student: _Student, optimizer: Any, inputs: Any, wanted: Any) -> None:
    with tf.GradientTape() as tape:
        given = student.answers(inputs)
        loss = tf.reduce_mean(keras.losses.kl_divergence(wanted, given))
    variables = student.trained
    optimizer.apply(tape.gradient(loss, variables), variables)
