"""The TFLite runtime of this device: which one is installed, and a model loaded in it."""

import importlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata, util
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.bundles.quantization import dequantize, quantize, tensor_spec
from ecavg_tf.core.errors import ExportError, InstallationError, brief
from ecavg_tf.core.stderr import held_back_stderr
from ecavg_tf.core.template import Array

INSTALL = (
    "pip install ai-edge-litert (x86-64, aarch64), or pip install 'numpy<2' "
    "'tflite-runtime==2.14.0' (also armv7; Python up to 3.11)"
)
_KINDS = {"ai-edge-litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime"}
# LiteRT counts its releases anew; 2.3.0 says in its library that it is TensorFlow 2.22.0's,
# and the first LiteRT came after TensorFlow 2.17.
_LITERT_RELEASES = (((2, 3), (2, 22, 0)), ((1, 0), (2, 17, 0)))


@dataclass(frozen=True)
class Runtime:
    """An installed runtime.

    Attributes:
        name: ``ai-edge-litert`` or ``tflite-runtime``.
        version: its own version.
        release: the TensorFlow release whose operators it has at least.
    """

    name: str
    version: str
    release: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    def interpreter(self, model: bytes, threads: int) -> Any:
        """An interpreter of the model, tensors allocated.

        Raises:
            ExportError: the runtime refuses the model.
        """
        module = importlib.import_module(f"{_KINDS[self.name]}.interpreter")
        try:
            with held_back_stderr(told_on_failure=False):  # it announces its delegate
                made = module.Interpreter(model_content=model, num_threads=threads)
                made.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ExportError(refusal(self, error)) from error
        return made


def find_runtime() -> Runtime:
    """The runtime to use: ai-edge-litert, else tflite-runtime with numpy 1.

    Raises:
        InstallationError: there is none, or tflite-runtime stands beside numpy 2, with
            which it imports well and then fails.
    """
    for name, module in _KINDS.items():
        if util.find_spec(module) is None:
            continue
        if name == "tflite-runtime" and int(np.__version__.split(".")[0]) >= 2:
            raise InstallationError(
                f"tflite-runtime does not work with numpy {np.__version__}; "
                "install an older one: pip install 'numpy<2'"
            )
        version = metadata.version(name)
        return Runtime(name, version, _release(name, version))
    raise InstallationError(f"no TFLite runtime is installed; {INSTALL}")


def check_supported(
    runtime: Runtime, min_runtime: str | None, operators: Iterable[tuple[str, int, int]]
) -> None:
    """Refuses a model by what its bundle says, before the runtime sees it.

    Args:
        runtime: the installed one.
        min_runtime: oldest TensorFlow release that can run it; None: not known.
        operators: name, version and count of each of its operators.

    Raises:
        ExportError: it needs a newer runtime, or operators that are not built in.
    """
    foreign = [name for name, _, _ in operators if name.startswith(("Flex", "CUSTOM"))]
    if foreign:
        raise ExportError(
            f"the model uses {', '.join(foreign)}, which no runtime from pip has; export it "
            "with builtin operators only"
        )
    if min_runtime is not None and tuple(map(int, min_runtime.split("."))) > runtime.release:
        raise ExportError(
            f"the model needs TensorFlow Lite {min_runtime}, {runtime} has the operators of "
            f"{'.'.join(map(str, runtime.release))}; install a newer runtime, or export the "
            "model in another format"
        )


def refusal(runtime: Runtime, error: Exception) -> str:
    """One line for what a runtime says of a model that it can't run."""
    said = str(error)
    if "Select TensorFlow op" in said or "Flex" in said:
        return f"{runtime} refuses the model: it has Flex operators, which no runtime from pip has"
    if "Didn't find op" in said or "version" in said:
        cure = "install a newer runtime"
    else:
        cure = "get the file again"
    return f"{runtime} refuses the model: {brief(error)}; {cure}"


class Model:
    """A model with one input and one output, loaded in the runtime.

    Args:
        runtime: the runtime.
        content: bytes of the ``.tflite``.
        threads: how many it may use; 0: one a core.

    Raises:
        ExportError: the runtime refuses it.
    """

    def __init__(self, runtime: Runtime, content: bytes, threads: int = 0) -> None:
        self._runtime = runtime
        self._interpreter = runtime.interpreter(content, threads or os.cpu_count() or 1)
        inputs = self._interpreter.get_input_details()
        outputs = self._interpreter.get_output_details()
        if len(inputs) != 1 or len(outputs) != 1:
            raise ExportError(
                f"the model has {len(inputs)} inputs and {len(outputs)} outputs, expected one each"
            )
        self._in, self._out = inputs[0], outputs[0]
        self.input, self.output = tensor_spec(self._in), tensor_spec(self._out)

    @property
    def at_once(self) -> int:
        """How many examples one call takes; 0: any number."""
        first = self.input.shape[0]
        return 0 if first == -1 else first

    def warm_up(self) -> None:
        """Runs once on zeros: the first call allocates and is slow."""
        shape = tuple(max(size, 1) for size in self.input.shape)
        self.answers(np.zeros(shape, np.float32))

    def answers(self, inputs: Array) -> NDArray[np.float32]:
        """The output as real numbers, of as many examples as one call takes.

        Args:
            inputs: raw values, shape (n, …).

        Raises:
            ExportError: the runtime fails on it.
        """
        if self.at_once == 0 and self._in["shape"][0] != len(inputs):
            self._interpreter.resize_tensor_input(self._in["index"], inputs.shape)
            self._interpreter.allocate_tensors()
            self._in = self._interpreter.get_input_details()[0]
        try:
            self._interpreter.set_tensor(self._in["index"], quantize(inputs, self.input))
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise ExportError(f"{self._runtime} fails on the model: {brief(error)}") from error
        return dequantize(self._interpreter.get_tensor(self._out["index"]), self.output)


def _release(name: str, version: str) -> tuple[int, ...]:
    numbers = tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
    if name == "tflite-runtime":
        return numbers
    return next((has for since, has in _LITERT_RELEASES if numbers >= since), (2, 17, 0))
