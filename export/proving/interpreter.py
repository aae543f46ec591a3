"""Running a ``.tflite`` file: raw inputs in, probabilities out, whatever it computes in."""

from collections.abc import Callable
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

from ecavg_tf.core.bundles.bundle import TensorSpec
from ecavg_tf.core.bundles.quantization import dequantize, quantize, tensor_spec
from ecavg_tf.core.bundles.scaling import FeatureScaling, rescaled
from ecavg_tf.core.errors import ExportError, brief
from ecavg_tf.core.stderr import held_back_stderr
from ecavg_tf.core.template import Array
from ecavg_tf.core.two_classes import class_probabilities


def open_file(tflite: bytes, **options: Any) -> Interpreter:
    """LiteRT's interpreter of a file, its tensors allocated, without the line that it prints.

    Args:
        tflite: the file's bytes.
        **options: more arguments of ``Interpreter``.

    Raises:
        ValueError, RuntimeError: the interpreter refuses the file.
    """
    with held_back_stderr(told_on_failure=False):  # it announces its delegate
        interpreter = Interpreter(model_content=tflite, **options)
        interpreter.allocate_tensors()
    return interpreter


def kernel_outputs(tflite: bytes, inputs: Array, *, reference: bool) -> Array:
    """What a file of one input and one output gives, as it stands there.

    Args:
        tflite: the file's bytes.
        inputs: in the file's own type, shape (n, …).
        reference: whether LiteRT's plain kernels compute, not its fast ones.

    Returns:
        Shape (n, outputs), in the file's own type.
    """
    kernels = OpResolverType.BUILTIN_REF if reference else OpResolverType.AUTO
    interpreter = open_file(tflite, experimental_op_resolver_type=kernels)
    (entry,), (exit_,) = interpreter.get_input_details(), interpreter.get_output_details()
    outputs = []
    for one in inputs:
        interpreter.set_tensor(entry["index"], one[None])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(exit_["index"]).reshape(-1))
    return np.stack(outputs)


class LiteModel:
    """A file in LiteRT's interpreter, XNNPACK on.

    Args:
        tflite: the file's bytes.
        logits: whether it gives logits.
        threads: how many threads it may use.
        scaling: what is done to raw inputs before; None: nothing.

    Raises:
        ExportError: the interpreter refuses the file.
    """

    def __init__(
        self,
        tflite: bytes,
        *,
        logits: bool = False,
        threads: int = 1,
        scaling: FeatureScaling | None = None,
    ) -> None:
        try:
            self._interpreter = open_file(tflite, num_threads=threads)
            (self._in,) = self._interpreter.get_input_details()
            (self._out,) = self._interpreter.get_output_details()
        except (ValueError, RuntimeError) as error:
            raise ExportError(f"LiteRT refuses the file: {brief(error)}") from error
        self._logits, self._scaling = logits, scaling

    @property
    def input(self) -> TensorSpec:
        """The input tensor."""
        return tensor_spec(self._in)

    @property
    def output(self) -> TensorSpec:
        """The output tensor."""
        return tensor_spec(self._out)

    def answers(self, inputs: Array) -> NDArray[np.float32]:
        """What the file gives, as real numbers.

        Args:
            inputs: raw values, shape (n, …).

        Returns:
            Shape (n, …), float32, dequantized where the file is quantized.

        Raises:
            ExportError: the inputs do not fit the file's.
        """
        shape = self.input.shape[1:]
        if inputs.shape[1:] != shape:
            raise ExportError(f"the file takes inputs of shape {shape}, {inputs.shape[1:]} came")
        if self.input.dtype not in ("float32", "int8", "uint8", "int16", "int32"):
            raise ExportError(
                f"the file's input is {self.input.dtype}; expected float32, int8, int16, or int32 "
                "for token ids"
            )
        many = self.input.shape[0] == -1
        at_once = 64 if many else 1
        parts = [self._run(inputs[at : at + at_once]) for at in range(0, len(inputs), at_once)]
        return np.concatenate(parts)

    def probabilities(self, inputs: Array) -> NDArray[np.float32]:
        """Probabilities of shape (n, classes), float32, for raw inputs of shape (n, …)."""
        answers = class_probabilities(self.answers(inputs), logits=self._logits)
        return np.asarray(answers, np.float32)

    def ready(self, example: Array) -> Callable[[], None]:
        """What runs the file once more on one example of raw values, without the batch."""
        self._run(example[np.newaxis])
        invoke: Callable[[], None] = self._interpreter.invoke
        return invoke

    def _run(self, inputs: Array) -> NDArray[np.float32]:
        if self.input.shape[0] == -1 and self._in["shape"][0] != len(inputs):
            self._interpreter.resize_tensor_input(self._in["index"], inputs.shape)
            self._interpreter.allocate_tensors()
            (self._in,) = self._interpreter.get_input_details()
        quantized = quantize(rescaled(self._scaling, inputs), self.input)
        self._interpreter.set_tensor(self._in["index"], quantized)
        try:
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise ExportError(f"LiteRT fails on the file: {brief(error)}") from error
        return dequantize(self._interpreter.get_tensor(self._out["index"]), self.output)
