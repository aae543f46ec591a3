"""What the Keras model answers: the reference that every file is held against."""

from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.errors import ExportError
from ecavg_tf.core.exports import Latency
from ecavg_tf.core.template import Array
from ecavg_tf.models.inputs import for_model
from ecavg_tf.models.keras_words import explained
from export.delivering.bundling import spread
from export.proving.cost import keras_latencies
from export.proving.declared_output import check_one_logit, checked_probabilities
from export.proving.gate import Reference
from export.proving.seen import References
from export.subject import Subject

_PROBES = 8  # examples that tell whether a model is still the same function of its weights


@dataclass
class KerasAnswers:
    """Asks a Keras model.

    Attributes:
        model: the model, whose weights may be set anew between two questions.
        logits: whether it gives logits.
    """

    model: keras.Model
    logits: bool
    _latencies: tuple[Latency, ...] = ()

    def references(self, subject: Subject) -> References:
        """The test examples and the seen ones of a subject, with probabilities.

        Raises:
            ExportError: the model can't take them, or answers no probabilities.
            ConfigError: it answers logits and was not said to, or the other way round.
        """
        if self.logits:
            check_one_logit(self.model, for_model(subject.inputs))
        return References(
            self._answered(subject.inputs, subject.labels, subject.words),
            subject.seen,
            lambda seen: self._answered(seen.inputs, None, seen.words),
        )

    def probed(self, inputs: Array) -> Array:
        """Probabilities of a few of the inputs, without tracing the model."""
        few = for_model(inputs[spread(len(inputs), _PROBES)])
        try:
            answers = np.asarray(self.model(few, training=False))
        except Exception as error:  # Keras and TensorFlow raise many kinds
            raise _not_taken("the inputs", error) from error
        return checked_probabilities(answers, logits=self.logits)

    def latencies(self, example: Array, seconds: float) -> tuple[Latency, ...]:
        """Measured once for all subjects, because they have one architecture."""
        if not self._latencies:
            self._latencies = keras_latencies(self.model, example, seconds)
        return self._latencies

    def _answered(self, inputs: Array, labels: NDArray[np.int64] | None, words: str) -> Reference:
        try:
            answers = self.model.predict(for_model(inputs), batch_size=256, verbose=0)
        except Exception as error:  # Keras and TensorFlow raise many kinds
            raise _not_taken(words, error) from error
        return Reference(inputs, checked_probabilities(answers, logits=self.logits), labels, words)


def _not_taken(what: str, error: Exception) -> ExportError:
    return ExportError(f"the model can't take {what}: {explained(error)}; give it such as it takes")
