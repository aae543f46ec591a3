"""A stateless training file in tflite-micro: its arena, and its steps."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.errors import ExportError
from ecavg_tf.core.template import Array
from export.making.stateless import INPUTS, OUTPUTS
from export.micro.interpreter import Arena, smallest_arena
from export.micro.operators import resolver_call
from export.micro.process import TIMEOUT_SECONDS, MicroProcess
from export.reading.flatbuffer import read_graph
from export.reading.flatmodel import FlatModel, read_flatmodel


@dataclass(frozen=True)
class MicroSteps:
    """Training steps that the tflite-micro interpreter took.

    Attributes:
        facts: what the file says of itself.
        arena: what it needs.
        rows: a row a step: the loss before it, and the kernel and the bias after it, flattened;
            shape (steps, 1 + kernel + bias), as of ``export.proving.training_steps``.
    """

    facts: FlatModel
    arena: Arena
    rows: NDArray[np.float32]


def require_stateless(tflite: bytes) -> FlatModel:
    """Refuses what is no stateless training file, or none that tflite-micro runs.

    Returns:
        The file's facts.

    Raises:
        ExportError: its inputs or outputs are others, one is not float32, an operator is not in
            tflite-micro, or the file is damaged.
    """
    facts = read_flatmodel(tflite)
    graphs = read_graph(tflite).subgraphs
    for side, ports, wanted in (
        ("inputs", facts.inputs, INPUTS),
        ("outputs", facts.outputs, OUTPUTS),
    ):
        found = sorted(f"{port.name} {port.dtype}" for port in ports)
        if found != sorted(f"{name} float32" for name in wanted) or len(graphs) != 1:
            raise ExportError(
                f"the file's {side} are {', '.join(found) or 'none'} in {len(graphs)} graphs, and "
                f"a training file for microcontrollers has {', '.join(sorted(wanted))} in one, "
                "float32: make one with ecavg export --target=micro --trainable=head"
            )
    for operator in facts.operators:
        resolver_call(operator.name)
    return facts


def number_of(facts: FlatModel, name: str) -> int:
    """The number of the input or output of a name, as the interpreter counts them."""
    ports = facts.inputs if name in INPUTS else facts.outputs
    return [port.name for port in ports].index(name)


def train_in_micro(
    tflite: bytes,
    x: Array,
    y: Array,
    weights: Sequence[Array],
    *,
    steps: int,
    rate: float,
    timeout: float = TIMEOUT_SECONDS,
) -> MicroSteps:
    """Finds the smallest arena of a stateless training file and takes some steps in it.

    Args:
        tflite: the file's bytes.
        x: features, shape (n, batch, features), float32; step ``s`` takes ``x[s % n]``.
        y: one-hot labels, shape (n, batch, classes), float32; a row of zeros does not count.
        weights: the head's kernel and bias.
        steps: how many.
        rate: the learning rate.
        timeout: seconds for one trial, or for all steps.

    Raises:
        ExportError: the file can't run there; the line names operator, type or size.
        InstallationError: there is no tflite-micro interpreter here.
    """
    facts = require_stateless(tflite)
    kernel, bias = (np.asarray(weight, np.float32)[None] for weight in weights)
    given = {"x": x, "y": y, "kernel": kernel, "bias": bias}
    given["learning_rate"] = np.asarray([rate], np.float32)
    for name, each in given.items():
        expected = facts.inputs[number_of(facts, name)].shape
        if each.shape[1:] != expected:
            raise ExportError(f"{name} has shape {each.shape[1:]}, the file takes {expected}")
    inputs = {number_of(facts, name): each.astype(np.float32) for name, each in given.items()}
    fed = {number_of(facts, name): number_of(facts, f"new_{name}") for name in ("kernel", "bias")}
    with MicroProcess(tflite, timeout, ports=len(facts.inputs)) as process:
        arena = smallest_arena(process, facts)
        made = process.steps(inputs, fed, steps=steps, outputs=len(OUTPUTS), arena=arena.needed)
    loss, *others = (
        made[number_of(facts, name)].reshape(steps, -1)
        for name in ("loss", "new_kernel", "new_bias")
    )
    return MicroSteps(facts, arena, np.concatenate([loss, *others], axis=1))
