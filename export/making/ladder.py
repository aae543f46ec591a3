"""The ways to make a quantized file, the plainest first; the first that proves itself is kept.

``plain`` is the converter's own quantization. Where its file is refused, ``fitted`` rounds
weights together and corrects biases on calibration examples (``export.quantizing.fitting``):
the file is held against the same float model by the same gate. For dynamic, ``weights-only``
then computes in float32 with those weights. For int8, ``tuned`` trains them as they will be
rounded: that file is another model, and is judged as one.
"""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ecavg_tf.core.bundles.quantization import softmax
from ecavg_tf.core.errors import ExportError
from ecavg_tf.core.template import Array
from ecavg_tf.events import Listener, Note
from export.making.convert import Converter
from export.making.formats import Variant
from export.making.kernels import kernels_disagree
from export.proving.limits import OWN_AGREEMENT
from export.quantizing.ending import giving_fitted_logits
from export.quantizing.fitting import fitted_net, rounding_of
from export.quantizing.net import Net
from export.quantizing.reading import read_net
from export.quantizing.tuning import Tuning, tuned_net
from export.quantizing.weights_only import computing_in_float

_AT_ONCE = 64


class Way(StrEnum):
    """How a quantized file is made; see the module."""

    PLAIN = "plain"
    FITTED = "fitted"
    WEIGHTS_ONLY = "weights-only"
    TUNED = "tuned"


@dataclass(frozen=True)
class Made:
    """A file that was made in one way.

    Attributes:
        content: its bytes.
        own: what its own fake-quant model answers to inputs, as probabilities of shape (n,
            classes); None where the file is to be the float model.
    """

    content: bytes
    own: Callable[[Array], NDArray[np.float64]] | None = None


class Ladder:
    """The ways to make one quantized file of a model, as it is set now.

    Args:
        converter: of the model.
        variant: ``int8``, ``int16x8`` or ``dynamic``.
        calibration: calibration examples, raw values.
        tuning: how to tune, and on what; None: not at all.
        listener: told of what takes long, before it begins.
    """

    def __init__(
        self,
        converter: Converter,
        variant: Variant,
        calibration: Array,
        tuning: Tuning | None,
        listener: Listener,
    ) -> None:
        self._converter = converter
        self._variant = variant
        self._tuning = tuning
        self._listener = listener
        kept = converter.kept if variant is Variant.INT8 else None
        self._calibration = calibration if kept is None else calibration[kept]
        self._read: Net | None = None
        self._fitted: Net | None = None
        self._fitted_file = b""

    @property
    def open(self) -> bool:
        """Whether there is a way after the plain file: a net can be read from the model."""
        try:
            self._net()
        except ExportError:
            return False
        return True

    def open_ways(self) -> int:
        """How many ways there are after the plain file, once the fitted one is made.

        The model and the calibration examples decide it, never the test examples.
        """
        if not self.open:
            return 0
        ways = len(self._makes)
        return ways if self._can_be_tuned else ways - 1

    def ways(self, attached: Callable[[bytes], bytes]) -> Iterator[tuple[Way, Callable[[], Made]]]:
        """What comes after the plain file, with the functions that make it.

        The functions raise ``ExportError`` where a way is not open to the model.

        Args:
            attached: adds the description to a file.
        """
        for way, make in self._makes.items():
            if way is not Way.TUNED or self._can_be_tuned:
                yield way, functools.partial(_attached, make, attached)

    @property
    def _makes(self) -> dict[Way, Callable[[], Made]]:
        makes: dict[Way, Callable[[], Made]] = {Way.FITTED: self._fit}
        if self._variant is Variant.DYNAMIC:
            makes[Way.WEIGHTS_ONLY] = self._unpack
        elif self._variant is Variant.INT8 and self._tuning is not None:
            makes[Way.TUNED] = self._tune
        return makes

    @cached_property
    def _can_be_tuned(self) -> bool:
        """Whether a tuned file may be shown to be its own fake-quant model.

        That model is no nearer to a file than another set of TFLite's kernels is to the first; the
        fitted file is what tuning begins with.
        """
        tuning = self._tuning if self._variant is Variant.INT8 else None
        if tuning is None or tuning.asked or not self._fitted_file:
            return True
        try:
            found = kernels_disagree(self._fitted_file, self._calibration)
        except ExportError:
            return True
        if not found.shows_more_than(1 - OWN_AGREEMENT):
            return True
        self._listener(
            Note(
                f"{self._variant}: two sets of LiteRT's kernels give other labels for "
                f"{found.differ} of {found.of} calibration examples, so a tuned file could not "
                "be shown to be its own model and is not tried; export.tune=3 tries it"
            )
        )
        return False

    def _net(self) -> Net:
        if self._read is None:
            self._read = self._ended(read_net(self._converter.model, self._converter.shape))
        return self._read

    def _ended(self, net: Net) -> Net:
        limits = self._converter.logit_range if self._variant is Variant.INT8 else None
        if limits is not None and limits.off:
            raise ExportError("a class is switched off, which only the plain file can hold")
        if limits is not None:
            return giving_fitted_logits(net, limits)
        return net

    def _fitted_net(self) -> Net:
        if self._fitted is None:
            net = self._net()
            self._listener(Note(f"{self._variant}: fitting weights on {_n(self._calibration)}"))
            self._fitted = fitted_net(net, self._calibration, self._variant.kind)
        return self._fitted

    def _fit(self) -> Made:
        self._fitted_file = self._file(self._fitted_net())
        return Made(self._fitted_file)

    def _unpack(self) -> Made:
        return Made(computing_in_float(self._file(self._fitted_net())))

    def _tune(self) -> Made:
        assert self._tuning is not None
        tuned = tuned_net(
            self._net(), self._fitted_net(), self._calibration, self._tuning, self._listener
        )
        rounded = rounding_of(tuned, self._calibration, self._variant.kind)
        logits = tuned.operations[-1].kind != "softmax"

        def own(inputs: Array) -> NDArray[np.float64]:
            answers = np.concatenate(
                [
                    np.asarray(tuned.run(tf.constant(few, tf.float32), rounded)[-1])
                    for few in np.array_split(inputs, max(1, len(inputs) // _AT_ONCE))
                ]
            )
            return softmax(answers) if logits else np.asarray(answers, np.float64)

        return Made(self._file(tuned), own)

    def _file(self, net: Net) -> bytes:
        calibration = self._calibration if self._variant.calibrated else None
        return self._converter.convert_net(net, self._variant, calibration)


def _attached(make: Callable[[], Made], attached: Callable[[bytes], bytes]) -> Made:
    made = make()
    return replace(made, content=attached(made.content))


def _n(inputs: Array) -> str:
    return f"{len(inputs)} calibration examples"
