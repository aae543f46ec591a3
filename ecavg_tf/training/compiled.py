"""One compiled model for everybody who trains in a process, set back to new before each fit."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import keras
import numpy as np

from ecavg_tf.config import FitConfig, ServerConfig
from ecavg_tf.core.anatomy import Anatomy
from ecavg_tf.core.checkpoint import State
from ecavg_tf.core.deciding.predictions import compare_with_labels
from ecavg_tf.core.errors import ConfigError
from ecavg_tf.core.reweighting import score
from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import Examples, SoftExamples, one_hot
from ecavg_tf.events import Listener, Note, silent
from ecavg_tf.models.anatomy import anatomy_of
from ecavg_tf.models.assigning import assign, set_weights
from ecavg_tf.models.batchnorm import Recalibrator
from ecavg_tf.models.output_kind import output_shape
from ecavg_tf.models.outputs import Outputs
from ecavg_tf.models.saving import Saver
from ecavg_tf.training.chance import Chance, Step
from ecavg_tf.training.optimizers import build_optimizer, make_optimizer
from ecavg_tf.training.own_methods import compiling, own_methods
from ecavg_tf.training.stepping import Stepper

_PROBES = 8  # inputs of noise that tell which weight is the head's bias
SHIFT = 0.125  # 4 of 32 pixels, the usual pad-and-crop of CIFAR training


@dataclass(frozen=True)
class Compilation:
    """What a compiled graph depends on; trainers that agree on it share one.

    Attributes:
        optimizer: a Keras optimizer's name.
        weight_decay: decoupled weight decay; 0: none.
        augment: whether training examples are flipped and shifted.
        soft: whether it learns probabilities and not labels; see ``server.distill``.
    """

    optimizer: str
    weight_decay: float
    augment: bool
    soft: bool = False

    @classmethod
    def of(cls, settings: FitConfig) -> "Compilation":
        """What an edge's or the server's part of the config needs."""
        soft = isinstance(settings, ServerConfig) and settings.distill > 0
        return cls(settings.optimizer, settings.weight_decay, settings.augment, soft)


class CompiledModel:
    """A model compiled once; tracing a deep one takes up to half a minute.

    Args:
        model: a built model. It is compiled anew, whatever it was compiled with; a
            ``train_step`` or ``compute_loss`` of its own is used.
        compilation: optimizer and augmentation.
        input_shape: of one input.
        logits: whether the model gives logits.
        value_range: lowest and highest value of an input, or of each of its features.
        whole: whether inputs may be token ids.
        listener: told of what can't be made repeatable.
    """

    def __init__(
        self,
        model: keras.Model,
        compilation: Compilation,
        *,
        input_shape: tuple[int, ...],
        logits: bool,
        value_range: tuple[Any, Any] = (0.0, 1.0),
        whole: bool = False,
        listener: Listener = silent,
    ) -> None:
        self.model = model
        before = _augmentation() if compilation.augment else []
        self.chance = Chance(model, before, lambda text: listener(Note(text)), ignored(model))
        model.train_step = self.chance.traced(augmented(model.train_step, before))
        self._optimizer = make_optimizer(
            compilation.optimizer, compilation.weight_decay, scaled=_in_float16(model)
        )
        noise = np.random.default_rng(0).uniform(*value_range, (_PROBES, *input_shape))
        self._probes = noise.astype(np.int32 if whole else np.float32)
        given = output_shape(model, self._probes)
        self._soft, self._numbers = compilation.soft, given[-1] or 0
        loss, accuracy = _measures(logits, self._numbers == 1, self._soft)
        with compiling(model, self._optimizer, loss):
            model.compile(
                self._optimizer,
                loss,
                metrics=[accuracy],
                # Augmenting layers have operations that XLA has not.
                jit_compile=False if before else "auto",
            )
        build_optimizer(self._optimizer, model.trainable_variables, compilation.optimizer)
        _build_metrics(model, given, soft=self._soft)
        self._fresh_optimizer = [variable.numpy() for variable in self._optimizer.variables]
        self.recalibrate = Recalibrator(model)
        self.saver = Saver(model)
        self.stepper = Stepper(model, listener)
        self._logits = logits
        self._fresh_weights: list[Array] = model.get_weights()

    @cached_property
    def anatomy(self) -> Anatomy:
        """Where the model keeps its parts: a fact of its architecture.

        Found with the weights that it was built with, on noise: whatever was trained in
        the meantime, every process comes to the same answer.
        """
        current = self.model.get_weights()
        self.model.set_weights(self._fresh_weights)
        found = anatomy_of(self.model, self._probes, logits=self._logits)
        self.model.set_weights(current)
        return found

    @cached_property
    def _outputs(self) -> Outputs:
        return Outputs(self.model)

    def loss_on(self, examples: Examples) -> float:
        """The mean cross-entropy of the model, as it is now, on examples."""
        answers = self._outputs(examples.inputs)
        return score(compare_with_labels(answers, examples.labels, logits=self._logits)).loss

    def learned(self, examples: Examples) -> Examples:
        """Examples with answers of the kind that the loss compares with.

        Args:
            examples: with labels or with probabilities.
        """
        if not self._soft:
            return examples
        if not isinstance(examples, SoftExamples):
            targets = one_hot(examples.labels, max(2, self._numbers))
            examples = SoftExamples(examples.inputs, examples.labels, targets)
        if self._numbers == 1:  # it answers the probability of the second class
            return replace(examples, targets=examples.targets[:, 1:])
        return examples

    def reset(self, weights: Sequence[Array], learning_rate: float) -> None:
        """Sets weights, and the optimizer as if it were new."""
        set_weights(self.model, weights)
        assign(self._optimizer.variables, self._fresh_optimizer)
        self._optimizer.learning_rate = learning_rate

    def state(self) -> State:
        """Everything that training has changed by now."""
        slots = tuple(np.asarray(variable) for variable in self._optimizer.variables)
        return State(tuple(self.model.get_weights()), slots, 0.0)

    def restore(self, state: State) -> None:
        """Goes back to what ``state`` gave."""
        self.model.set_weights(state.weights)
        for variable, value in zip(self._optimizer.variables, state.slots, strict=True):
            variable.assign(value)


def _measures(
    logits: bool, one_output: bool, soft: bool
) -> tuple[keras.losses.Loss, str | keras.Metric]:
    """The cross-entropy and the accuracy; of one output they are those of its two columns."""
    if not one_output and soft:
        return keras.losses.CategoricalCrossentropy(from_logits=logits), "accuracy"
    if not one_output:
        return keras.losses.SparseCategoricalCrossentropy(from_logits=logits), "accuracy"
    half = 0.0 if logits else 0.5
    return (
        keras.losses.BinaryCrossentropy(from_logits=logits),
        keras.metrics.BinaryAccuracy(name="accuracy", threshold=half),
    )


def _build_metrics(model: keras.Model, given: tuple[int | None, ...], *, soft: bool) -> None:
    """The metrics make their variables; made in a step's trace, they would cost a second trace."""
    outputs = np.zeros((1, *(size or 1 for size in given[1:])), np.float32)
    answers = outputs if soft else np.zeros(1, np.int64)
    if model._compile_metrics is not None:  # a user's own compile may keep none
        model._compile_metrics.build(answers, outputs)  # those of compile alone: a user's own stay


def check_own_loss(model: keras.Model, name: str) -> None:
    """Where a fit learns probabilities, a model's own loss would get them in the labels' place.

    Raises:
        ConfigError: the model has a ``compute_loss`` or ``train_step`` of its own.
    """
    if own := own_methods(model, ("compute_loss", "train_step")):
        raise ConfigError(
            f"server.distill has the model learn probabilities, and {name} has a {own[0]} of its "
            "own, which expects labels; set server.distill=0"
        )


def ignored(model: keras.Model) -> list[str]:
    """What a user's model brings along that training here does not use, a sentence each."""
    notes: list[str] = []
    if getattr(model, "compiled", False):
        notes.append(
            "the model came compiled: its loss, optimizer and metrics are not used; the config "
            "says how to train (edge.optimizer, edge.learning_rate, …), and the loss is the "
            "cross-entropy, unless the model has a compute_loss or train_step of its own"
        )
    if own := own_methods(model, ("test_step", "evaluate", "predict")):
        notes.append(
            f"the model's own {', '.join(own)} {'is' if len(own) == 1 else 'are'} not used: "
            "scores are measured on what it answers"
        )
    return notes


def _augmentation() -> list[keras.layers.Layer]:
    """A random flip and shift.

    They stay outside of the model, so neither recalibration, evaluation nor an export sees them.
    """
    return [
        keras.layers.RandomFlip("horizontal", dtype="float32"),
        keras.layers.RandomTranslation(
            SHIFT, SHIFT, fill_mode="constant", interpolation="nearest", dtype="float32"
        ),
    ]


def augmented(step: Step, layers: Sequence[keras.layers.Layer]) -> Step:
    """A training step, the model's own or a user's, whose inputs went through ``layers``."""
    if not layers:
        return step

    def augmenting(data: Any) -> Any:
        inputs, *rest = data
        inputs = keras.ops.cast(inputs, "float32")
        for layer in layers:
            inputs = layer(inputs, training=True)
        return step((inputs, *rest))

    return augmenting


def _in_float16(model: keras.Model) -> bool:
    """Whether small gradients vanish, unless the loss is scaled."""
    return any(
        getattr(layer, "compute_dtype", None) == "float16" for layer in model._flatten_layers()
    )
