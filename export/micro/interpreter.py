"""Runs a model in tflite-micro: how small an arena may be, and what the model answers."""

import hashlib
import re
from dataclasses import dataclass

import numpy as np

from ecavg_tf.core.bundles.quantization import quantize
from ecavg_tf.core.errors import ExportError
from ecavg_tf.core.template import Array
from export.micro.operators import require_micro
from export.micro.process import TIMEOUT_SECONDS, MicroProcess, memory_ran_out
from export.reading.flatmodel import FlatModel, Port

ARENA_STEP = 16  # bytes; tflite-micro aligns to this
_ARENA_LIMIT = 64 * 2**20


@dataclass(frozen=True)
class Arena:
    """Memory that the tflite-micro interpreter needs for a model.

    Measured on Linux x86-64 with the reference kernels and the allocator that records.
    Pointers there are twice a 32-bit device's, so the tail is smaller on the device;
    kernels made for a processor (CMSIS-NN) may ask for scratch memory beyond this.

    Attributes:
        needed: the smallest arena, in bytes and to ``ARENA_STEP``, in which the model
            allocates and runs; one step less was tried and fails.
        head: live activations and scratch memory, as the interpreter reports.
        tail: what stays for the model's life, as the interpreter reports. ``needed`` can
            be more than head and tail: preparing may take more than running.
    """

    needed: int
    head: int
    tail: int


@dataclass(frozen=True)
class MicroRun:
    """A model's run in the tflite-micro interpreter, and in LiteRT on the same images.

    tflite-micro computes as LiteRT's reference kernels do, to a step or so. LiteRT's
    default kernels (XNNPACK) round otherwise, and in a deep model that adds up: a
    lower agreement with them is not a fault of the file.

    Attributes:
        sha256: of the file, in hex.
        facts: what the file says of itself.
        arena: what it needs.
        inputs: what both were given, int8, shape (n, …) as the model takes them.
        outputs: of tflite-micro, int8, shape (n, classes).
        default: of LiteRT with its default kernels, int8, shape (n, classes).
        reference: of LiteRT with its reference kernels, int8, shape (n, classes).
    """

    sha256: str
    facts: FlatModel
    arena: Arena
    inputs: Array
    outputs: Array
    default: Array
    reference: Array

    @property
    def labels(self) -> Array:
        """Index of the highest score, the first of equals; shape (n,)."""
        found: Array = self.outputs.argmax(axis=1)
        return found

    @property
    def agreement(self) -> float:
        """Fraction of images that LiteRT's default kernels give the same label."""
        return float(np.mean(self.labels == self.default.argmax(axis=1)))

    @property
    def reference_agreement(self) -> float:
        """Fraction of images that LiteRT's reference kernels give the same label."""
        return float(np.mean(self.labels == self.reference.argmax(axis=1)))

    @property
    def max_difference(self) -> int:
        """Largest difference to the reference kernels, in steps of the output's scale."""
        return int(np.abs(self.outputs.astype(int) - self.reference.astype(int)).max())

    @property
    def ties(self) -> float:
        """Fraction of images with several highest scores: int8 can't tell those apart."""
        highest = self.outputs == self.outputs.max(axis=1, keepdims=True)
        return float(np.mean(highest.sum(axis=1) > 1))

    @property
    def clearest(self) -> int:
        """Index of the image whose highest score stands furthest above the second."""
        if self.outputs.shape[1] < 2:
            return 0
        ordered = np.sort(self.outputs.astype(int), axis=1)
        return int(np.argmax(ordered[:, -1] - ordered[:, -2]))


def run_in_micro(tflite: bytes, inputs: Array, *, timeout: float = TIMEOUT_SECONDS) -> MicroRun:
    """Runs a full-int8 file in tflite-micro and in LiteRT.

    Args:
        tflite: the file's bytes.
        inputs: raw values as the Keras model takes them, shape (n, …); at least one.
        timeout: seconds for one trial, or for some tens of images.

    Raises:
        ExportError: the file can't run there (the line names operator, type or size),
            or the images don't fit it.
        InstallationError: there is no tflite-micro interpreter here.
    """
    facts = require_micro(tflite)
    inputs = int8_inputs(inputs, facts.inputs[0])
    with MicroProcess(tflite, timeout) as process:
        arena = smallest_arena(process, facts)
        outputs = process.run(inputs, arena.needed)
    default = _litert_outputs(tflite, inputs, reference=False)
    reference = _litert_outputs(tflite, inputs, reference=True)
    digest = hashlib.sha256(tflite).hexdigest()
    return MicroRun(digest, facts, arena, inputs, outputs, default, reference)


def int8_inputs(inputs: Array, port: Port) -> Array:
    """Real values as the int8 that a model takes; shape (n, …) → (n, *port.shape[1:]).

    Raises:
        ExportError: there is no example, or a shape that does not fit.
    """
    if len(inputs) == 0 or inputs[0].size != int(np.prod(port.shape)):
        raise ExportError(
            f"images have shape {inputs.shape}, the model takes {port.shape}; "
            "give at least one example of that shape"
        )
    return quantize(inputs, port).reshape(-1, *port.shape[1:])


def smallest_arena(process: MicroProcess, facts: FlatModel) -> Arena:
    """Bisects the arena to the smallest that works.

    Raises:
        ExportError: no arena up to 64 MiB works, with what the interpreter says to it.
    """
    fails, high = 0, _ceiling(facts)
    while not process.works(high):
        if not memory_ran_out(process.log):
            raise ExportError(f"tflite-micro can't run the file: {process.fault}")
        if high >= _ARENA_LIMIT:
            raise ExportError(
                f"tflite-micro can't run the file: an arena of {high:,} bytes is too small; "
                f"live activations alone are {facts.peak_activation_bytes:,}"
            )
        high = min(4 * high, _ARENA_LIMIT)
    head, tail = _reported(process.log, "head"), _reported(process.log, "tail")
    high //= ARENA_STEP
    while high - fails > 1:
        middle = (fails + high) // 2
        if process.works(middle * ARENA_STEP):
            high = middle
        else:
            fails = middle
    return Arena(high * ARENA_STEP, head, tail)


def _ceiling(facts: FlatModel) -> int:
    """An arena that will do for most models, in whole steps."""
    guess = 2 * facts.peak_activation_bytes + 2**18
    return guess - guess % ARENA_STEP


def _reported(log: str, part: str) -> int:
    found = re.search(rf"Arena allocation {part} (\d+) bytes", log)
    return int(found[1]) if found else 0


def _litert_outputs(tflite: bytes, inputs: Array, *, reference: bool) -> Array:
    from ai_edge_litert.interpreter import OpResolverType

    from export.proving.interpreter import open_file

    kernels = OpResolverType.BUILTIN_REF if reference else OpResolverType.AUTO
    interpreter = open_file(tflite, experimental_op_resolver_type=kernels)
    (entry,), (exit_,) = interpreter.get_input_details(), interpreter.get_output_details()
    outputs = []
    for image in inputs:
        interpreter.set_tensor(entry["index"], image[None])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(exit_["index"]).reshape(-1))
    return np.stack(outputs)
