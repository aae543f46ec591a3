"""Chance inside a training step, set from the place in the run at every epoch.

Layers own seed generators, ``keras.random`` has a global one for calls without a seed, and
``tf.random`` keeps a state in each operation. What one edge drew must not shift what the next
one draws, and a run that is taken up again must draw what it would have drawn.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.backend.common import global_state
from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR

from ecavg_tf.core.seeds import derive_seed

Step = Callable[[Any], Any]
_TRACED = 0  # what is drawn while a step is traced is a constant of its graph: the same everywhere
_DRAWS = ("Random", "Multinomial", "TruncatedNormal", "ParameterizedTruncatedNormal")
_PYTHON = ("PyFunc", "EagerPyFunc", "PyFuncStateless")


class Chance:
    """All random state of one model's training step.

    Args:
        model: the model that is trained.
        before: layers before it that draw numbers, too.
        say: told once, as the step is traced, of ``notes`` and of what can't be set.
        notes: what else a user should know of the step.
    """

    def __init__(
        self,
        model: keras.Model,
        before: Sequence[keras.layers.Layer],
        say: Callable[[str], None],
        notes: Sequence[str] = (),
    ) -> None:
        self._model = model
        self._before = before
        self._say = say
        self._notes = notes
        self._said: set[str] = set()
        self._draws_from_tf = False
        # What keras.random draws from where no seed is given; its variable outlives all traces.
        self._unseeded = keras.random.SeedGenerator(0)

    def reset(self, seed: int, *place: str | int) -> None:
        """Sets everything from the run's seed and a place in the run."""
        variables = [v for layer in (*self._before, self._model) for v in layer.variables]
        states = {id(v): v for v in variables if v.name == "seed_generator_state"}
        for number, state in enumerate(states.values()):
            value = derive_seed(seed, *place, number)
            state.assign(np.array([value, 0], dtype=state.dtype))
        value = derive_seed(seed, *place, "keras.random")
        self._unseeded.state.assign(np.array([value, 0], dtype=self._unseeded.state.dtype))
        if self._draws_from_tf:
            # Its operations begin again, from the seeds that they were traced with.
            tf.random.set_seed(derive_seed(seed, *place, "tf.random"))

    def traced(self, step: Step) -> Step:
        """A training step that looks, while it is traced, for what it draws from."""

        def watched(data: Any) -> Any:
            if tf.executing_eagerly():
                return step(data)
            keras.utils.set_random_seed(_TRACED)
            global_state.set_global_attribute(GLOBAL_SEED_GENERATOR, self._unseeded)
            result = step(data)
            global_state.set_global_attribute(GLOBAL_SEED_GENERATOR, None)
            self._look(tf.compat.v1.get_default_graph())
            return result

        return watched

    def _look(self, graph: Any) -> None:
        kinds = {operation.type for operation in graph.get_operations()}
        for text in self._notes:
            self._note(text)
        if any(kind.startswith(_DRAWS) for kind in kinds):
            self._draws_from_tf = True
            self._note(
                "the model draws from tf.random, which repeats itself in every epoch; for fresh "
                "numbers give keras.random a keras.random.SeedGenerator that the layer owns"
            )
        if kinds & set(_PYTHON):
            self._note(
                "the model calls Python code as it trains (tf.py_function or tf.numpy_function): "
                "if that draws random numbers or keeps state, a resumed run differs from an "
                "uninterrupted one"
            )
        if self._changes_foreign(graph):
            self._note(
                "training changes a variable that is no weight of the model and no seed generator "
                "of its layers: a resumed run may differ from an uninterrupted one; make it with "
                "add_weight, or make the generator an attribute of its layer"
            )

    def _changes_foreign(self, graph: Any) -> bool:
        """Whether the step assigns variables that nobody sets back."""
        model = self._model
        known = [*model.variables, *model.metrics_variables, *model.optimizer.variables]
        known += [variable for layer in self._before for variable in layer.variables]
        handles = {id(variable.value.handle) for variable in (*known, self._unseeded.state)}
        outside = {id(inside): id(outer) for outer, inside in graph.captures}
        assigned = {
            outside.get(id(operation.inputs[0]))
            for operation in graph.get_operations()
            if operation.type.startswith("Assign")
        }
        return bool(assigned - handles - {None})

    def _note(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._say(text)
