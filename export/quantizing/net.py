"""A Keras model as a list of plain operations, BatchNorm folded into the weights before it.

What a file of 8 bits rounds is not what Keras has: the converter folds BatchNorm into the
convolution before it and fuses activations. A ``Net`` has these operations, one by one, so
that ranges can be chosen, weights equalized and rounding imitated before the file is made.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
LINEAR = ("conv", "depthwise", "dense")


@dataclass(frozen=True)
class Window:
    """How a convolution moves over its input."""

    size: tuple[int, int]
    strides: tuple[int, int]
    padding: str
    dilation: tuple[int, int]


@dataclass
class Operation:
    """One operation of a net.

    Attributes:
        kind: ``input``, ``conv``, ``depthwise``, ``dense``, ``scale``, ``shift``, ``relu``,
            ``relu6``, ``softmax``, ``add``, ``concat``, ``mean``, or ``move``, which computes
            no new values.
        name: of the Keras layer.
        inputs: which operations it reads, by their places in the net.
        call: what it computes: of its inputs, then its kernel and its bias, where it has them.
        kernel: of the linear kinds and of ``scale``; None elsewhere. Output channels are the
            last axis, of ``depthwise`` the last two axes together.
        bias: of the linear kinds and of ``shift``, one number for each output channel.
        window: of convolutions.
    """

    kind: str
    name: str
    inputs: tuple[int, ...]
    call: Callable[..., Any]
    kernel: Floats | None = None
    bias: Floats | None = None
    window: Window | None = None

    @property
    def linear(self) -> bool:
        """Whether it multiplies by a kernel that is stored in 8 bits."""
        return self.kind in LINEAR

    @property
    def weights(self) -> tuple[Floats, ...]:
        """Its kernel and its bias, where it has them."""
        return tuple(array for array in (self.kernel, self.bias) if array is not None)


@dataclass
class Net:
    """Operations in an order in which they can be computed; the last one is the answer.

    Attributes:
        operations: the first is the input.
        shape: of one example, without the batch.
    """

    operations: list[Operation]
    shape: tuple[int, ...]

    def readers(self, place: int) -> list[int]:
        """The operations that read one."""
        return [n for n, operation in enumerate(self.operations) if place in operation.inputs]

    def linears(self) -> Iterator[tuple[int, Operation]]:
        """The operations with a kernel in 8 bits, with their places."""
        return ((n, each) for n, each in enumerate(self.operations) if each.linear)

    def fused(self, place: int) -> bool:
        """Whether an operation's result never exists in a file: its only reader is a ReLU."""
        readers = self.readers(place)
        takes = self.operations[place].kind in (*LINEAR, "add", "shift", "scale")
        return takes and len(readers) == 1 and self.operations[readers[0]].kind in ("relu", "relu6")

    def run(
        self,
        inputs: Any,
        rounded: Callable[[int, Any], Any] = lambda _, values: values,
        weights: Callable[[int], tuple[Any, ...]] | None = None,
    ) -> list[Any]:
        """Computes all operations.

        Args:
            inputs: raw inputs, shape (n, …), float32.
            rounded: called with a place and its result; what it gives is passed on.
            weights: gives the weights of a place; None: those of the operations.

        Returns:
            One tensor an operation.
        """
        found: list[Any] = []
        for place, operation in enumerate(self.operations):
            if operation.kind == "input":
                values = inputs
            else:
                own = operation.weights if weights is None else weights(place)
                values = operation.call(*(found[each] for each in operation.inputs), *own)
            found.append(rounded(place, values))
        return found
