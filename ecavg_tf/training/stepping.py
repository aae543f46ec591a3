"""Several batches a call: what ``model.fit`` runs instead of Keras' own training function.

Keras hands every batch from ``tf.data`` to Python and back. For a small net that costs several
times its training. Here the examples stay in TensorFlow, Python passes on the order of some
batches, and TensorFlow makes a step with each of them: the same steps, to the bit.
"""

import contextlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ecavg_tf.core.errors import brief
from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import Examples
from ecavg_tf.data.pipeline import untuned
from ecavg_tf.events import Detail, Listener, Note, silent
from ecavg_tf.training.own_methods import own_methods

_REPLACED = ("fit", "make_train_function")  # a model with one of its own trains in its own way


class Stepper:
    """Trains a model on the batches of an execution.

    Args:
        model: a compiled model.
        listener: told once of each thing that a user should know.
    """

    def __init__(self, model: keras.Model, listener: Listener = silent) -> None:
        self._model = model
        self._listener = listener
        self._said: set[str] = set()
        self._functions: dict[Any, Any] = {}
        self._compiles: bool | None = None
        self._compiled, self._compilable = False, True
        self._data: tuple[Any, ...] = ()
        self._batch_size = 0
        self._orders: Iterator[NDArray[np.int64]] = iter(())
        self.usable = not own_methods(model, _REPLACED)

    def say(self, event: Note | Detail) -> None:
        """Tells something, once."""
        if event.text not in self._said:
            self._said.add(event.text)
            self._listener(event)

    @contextlib.contextmanager
    def feeding(
        self, examples: Examples, batch_size: int, weights: Array | None, compiles: bool | None
    ) -> Iterator[None]:
        """While it lasts, ``model.fit`` trains here, on orders of these examples.

        Args:
            examples: what orders point into; held in the main memory.
            batch_size: examples a step.
            weights: what each example weighs, float32, shape (n,); None: all the same.
            compiles: whether XLA compiles the steps, if it can; None: as Keras has it.
        """
        parts = [examples.inputs, examples.answers, *([] if weights is None else [weights])]
        with tf.device("CPU:0"):
            self._data = tuple(tf.constant(part) for part in parts)
        self._batch_size = batch_size
        self._compiles = False if compiles and not self._compilable else compiles
        kept = self._model.steps_per_execution, self._model.train_function
        self._model.train_function = self._execution
        try:
            yield
        finally:
            self._model.steps_per_execution, self._model.train_function = kept
            self._data, self._orders = (), iter(())

    def orders(self, orders: Sequence[NDArray[np.int64]], steps: int) -> tf.data.Dataset:
        """What ``model.fit`` gets inside ``feeding``: an element an execution.

        Args:
            orders: for each epoch, the examples to visit, shape (n,); all of one length.
            steps: batches an execution.
        """
        count = len(orders[0])
        steps = min(steps, max(1, -(-count // self._batch_size)))  # an epoch has no more
        self._model.steps_per_execution = steps
        size = steps * self._batch_size
        starts = range(0, max(1, count), size)
        self._orders = (order[at : at + size] for order in orders for at in starts)
        return self._ticks

    @cached_property
    def _ticks(self) -> tf.data.Dataset:
        """What Keras counts executions by; Python hands out the orders themselves.

        One serves all fits: to make a pipeline of each fit's orders was a tenth of an edge's
        round. It never ends: of a dataset whose length Keras knows, Keras makes a new iterator
        after so many steps.
        """
        return untuned(tf.data.Dataset.range(1).repeat())

    def _execution(self, ticks: Iterator[Any]) -> dict[str, Any]:
        mine = getattr(ticks, "element_spec", None) == self._ticks.element_spec
        row = next(self._orders, None) if mine else None
        if row is None:  # a StopIteration would be the end of an epoch to Keras
            raise RuntimeError(
                "the model's fit or train_on_batch was called while the model is being trained; "
                "expected a callback that does not train it"
            )
        with tf.device("CPU:0"):  # where the examples are
            order = tf.constant(row)
        size = self._batch_size
        if self._model.run_eagerly:
            logs: dict[str, Any] = {}
            for at in range(0, len(order), size):
                logs = self._model.train_step(self._batch(order[at : at + size], *self._data))
            return logs
        try:
            return self._run(order)
        except tf.errors.OpError as error:  # at its first step: nothing was trained yet
            if not self._compiles or self._compiled:
                raise
            self._compiles, self._compilable = False, False
            self.say(
                Note(
                    "jit_compile=on: XLA can't compile this model, so it trains without: "
                    f"{brief(error)}"
                )
            )
            return self._run(order)

    def _run(self, order: Any) -> dict[str, Any]:
        logs: dict[str, Any] = self._function()(order, self._batch_size, *self._data)
        self._compiled = self._compiled or bool(self._compiles)
        return logs

    @staticmethod
    def _batch(index: Any, *data: Any) -> tuple[Any, ...]:
        with tf.device("CPU:0"):
            return tuple(tf.gather(part, index) for part in data)

    def _function(self) -> Any:
        """What trains on data of this kind; traced once for all numbers of examples."""
        kinds = [tf.TensorSpec((None, *part.shape[1:]), part.dtype) for part in self._data]
        key = (self._compiles, *((kind.shape, kind.dtype) for kind in kinds))
        if key not in self._functions:
            step = tf.function(
                self._model.train_step,
                reduce_retracing=True,
                jit_compile=self._model.jit_compile if self._compiles is None else self._compiles,
            )
            self._functions[key] = self._steps(step, kinds)
        return self._functions[key]

    def _steps(self, step: Any, kinds: Sequence[Any]) -> Any:
        order, size = tf.TensorSpec((None,), tf.int64), tf.TensorSpec((), tf.int32)

        def steps(order: Any, size: Any, *data: Any) -> Any:
            told = step.get_concrete_function(tuple(kinds)).structured_outputs
            # TensorFlow optimizes each place where the step is called by itself. One is enough
            # where a loop can carry what the step tells; a user's own step may tell anything.
            carried = all(map(_has_a_shape, tf.nest.flatten(told)))
            last = (tf.size(order) - 1) // size * size  # where the last batch begins
            end = tf.size(order) if carried else last

            def body(at: Any, *logs: Any) -> tuple[Any, ...]:
                del logs
                made = step(self._batch(order[at : at + size], *data))
                return (at + size, made) if carried else (at + size,)

            def goes_on(at: Any, *logs: Any) -> Any:
                del logs
                return at < end

            first: tuple[Any, ...] = (tf.constant(0),)
            if carried:
                first += (
                    tf.nest.map_structure(lambda each: tf.zeros(each.shape, each.dtype), told),
                )
            ended = tf.while_loop(goes_on, body, first, parallel_iterations=1)
            return ended[1] if carried else step(self._batch(order[last:], *data))

        return tf.function(steps, input_signature=[order, size, *kinds], autograph=False)


def _has_a_shape(told: Any) -> bool:
    """Whether a loop can carry it: a tensor whose shape is known."""
    return isinstance(told, tf.Tensor | tf.TensorSpec) and told.shape.is_fully_defined()
