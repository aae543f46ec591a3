"""Keras model to ``.tflite`` bytes, through a SavedModel signature, with builtin operators only."""

import contextlib
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.errors import ExportError
from ecavg_tf.core.template import Array
from ecavg_tf.core.two_classes import class_probabilities
from export.child_process import End
from export.making.blame import crashes_at
from export.making.converting_process import (
    ConversionError,
    FileCrash,
    convert_saved,
    first_answers,
    warm_up,
)
from export.making.formats import Variant
from export.making.front import Front
from export.making.head import (
    MOST_LEFT_OUT,
    LogitRange,
    fit_range,
    fitted,
    giving_logits,
    head_of,
    typical,
)
from export.making.precision import computed_in_float32
from export.making.tracing import (
    INPUT,
    OUTPUT,
    layer_as_told,
    layers_of,
    quiet_conversion,
    save_model,
)
from export.making.translation import Layer, translated
from export.proving.declared_output import check_finite
from export.quantizing.net import Net
from export.quantizing.saving import save_net

_FEW = 8  # inputs on which files of beginnings are run
_SEARCH_SECONDS = 90.0  # for the layer that makes the converter crash; then none is named


class Converter:
    """Converts one model to any number of files.

    SavedModels are written once a batch size: tracing a deep net takes seconds. While it is open,
    the model computes in float32.

    Args:
        model: a built Keras model with one input and one output.
        input_shape: of one example, without the batch.
        dtype: of the file's input: float32, or int32 for a model that takes token ids.
        front: the rescaling of features that int8 files leave out; None: they leave nothing out.
        classifier: whether the output is of classes: int8 then gives fitted logits.

    Raises:
        ExportError: the model has weights in half precision.
    """

    def __init__(
        self,
        model: keras.Model,
        input_shape: tuple[int, ...],
        *,
        dtype: str = "float32",
        front: Front | None = None,
        classifier: bool = True,
    ) -> None:
        self._model = model
        self._classifier = classifier
        self._shape, self._dtype, self._front = input_shape, dtype, front
        self._stack = contextlib.ExitStack()
        self._stack.enter_context(computed_in_float32(model))
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        self._saved: dict[int | None, _Saved] = {}
        warm_up()
        self.logit_range: LogitRange | None = None
        self.left_out = 0  # calibration examples that were far outliers
        self.kept: NDArray[np.bool_] | None = None  # those that int8 was calibrated on

    def __enter__(self) -> "Converter":
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    @property
    def model(self) -> keras.Model:
        """The model."""
        return self._model

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return self._shape

    def convert_net(self, net: Net, variant: Variant, calibration: Array | None = None) -> bytes:
        """One file of a net that was read from the model, and changed.

        Args:
            net: what the file is to compute.
            variant: its format.
            calibration: what int8's ranges are measured on.

        Raises:
            ExportError: the converter can't.
        """
        with tempfile.TemporaryDirectory(dir=self._folder) as folder, quiet_conversion():
            save_net(net, Path(folder), INPUT, OUTPUT)
            given = None if calibration is None else calibration.astype(self._dtype)
            return self._file(_Saved(Path(folder), None, layers_of(self._model)), variant, given)

    def convert(self, variant: Variant, calibration: Array | None = None) -> bytes:
        """One file.

        Args:
            variant: which.
            calibration: raw inputs, shape (n, …); for int8 and int16x8.

        Returns:
            The file's bytes; the same for the same model and examples.

        Raises:
            ExportError: the model uses what builtin operators can't do, or answers
                calibration examples with NaN or infinity.
        """
        if variant.calibrated and (calibration is None or len(calibration) == 0):
            raise ExportError(f"{variant} needs calibration examples, none came")
        if variant is Variant.INT8 and calibration is not None:
            return self._int8(calibration)
        if variant.batch not in self._saved:
            folder = self._folder / str(variant.batch)
            self._saved[variant.batch] = self._save(self._model, folder, variant.batch)
        given = None
        if variant.calibrated and calibration is not None:
            given = calibration.astype(self._dtype)
        return self._file(self._saved[variant.batch], variant, given)

    def _save(self, model: keras.Model, folder: Path, batch: int | None) -> "_Saved":
        loops = save_model(model, folder, (batch, *self._shape), self._dtype)
        return _Saved(folder, model, layers_of(model), loops)

    def _file(self, saved: "_Saved", variant: Variant, calibration: Array | None = None) -> bytes:
        try:
            return convert_saved(saved.folder, variant.kind, calibration)
        except ConversionError as error:
            at = None
            if error.end is End.CRASHED and saved.model is not None and not saved.loops:
                at = self._blamed(
                    saved.model, variant, lambda folder: _ends(folder, variant, calibration)
                )
            raise translated(error, variant, saved.layers, saved.loops, at) from error

    def naming(
        self, crash: FileCrash, variant: Variant, calibration: Array | None, inputs: Array
    ) -> FileCrash:
        """The crash of a finished file, with the layer at which it crashes, if one is found.

        Args:
            crash: of a file that was made in the plain way.
            variant: which file.
            calibration: what it was calibrated on.
            inputs: what it crashed on, raw, shape (n, …).
        """
        model, inputs = self._model, inputs[:_FEW]
        if variant is Variant.INT8 and self._front is not None:
            model, inputs = self._front.rest, self._front.scaling(inputs)
            calibration = None if calibration is None else self._front.scaling(calibration)
        given = calibration.astype(self._dtype) if calibration is not None else None
        given = given if variant.calibrated else None

        def crashes(folder: Path) -> bool:
            try:
                first_answers(convert_saved(folder, variant.kind, given), inputs)
            except FileCrash:
                return True
            except ExportError:
                pass
            return False

        layer = self._blamed(model, variant, crashes)
        return crash if layer is None else FileCrash(crash.how, str(layer))

    def _blamed(
        self, model: keras.Model, variant: Variant, ends: Callable[[Path], bool]
    ) -> Layer | None:
        """The layer whose SavedModel ends a process, and does not without it."""
        until = time.monotonic() + _SEARCH_SECONDS

        def crashes(beginning: keras.Model) -> bool:
            if time.monotonic() > until:
                raise ExportError("the search takes too long")
            with tempfile.TemporaryDirectory(dir=self._folder) as folder:
                save_model(beginning, Path(folder), (variant.batch, *self._shape), self._dtype)
                return ends(Path(folder))

        try:
            found = crashes_at(model, crashes)
        except (ExportError, OSError):  # the crash itself is what is to be told
            return None
        return None if found is None else layer_as_told(found)

    def _int8(self, calibration: Array) -> bytes:
        model = self._model if self._front is None else self._front.rest
        calibration = calibration if self._front is None else self._front.scaling(calibration)
        calibration = calibration.astype(self._dtype)
        head = head_of(model) if self._classifier else None
        if head is None:
            self.logit_range = self.kept = None
            return self._file(
                self._save(model, self._folder / "int8", 1), Variant.INT8, calibration
            )
        with giving_logits(head):
            logits = _answers(model, calibration)
        check_finite(logits, "calibration examples", logits=True)
        kept = {int(mask.sum()): mask for mask in (typical(logits, m) for m in MOST_LEFT_OUT)}
        tried = [self._attempt(model, head, logits, calibration, mask) for mask in kept.values()]
        best = tried[0]
        if len(tried) > 1:  # judged on calibration examples, all of them, never on the test set
            wanted = class_probabilities(logits, logits=True)
            best = min(tried, key=lambda attempt: _lost(attempt.content, calibration, wanted))
        self.left_out, self.logit_range = best.left_out, best.logit_range
        self.kept = best.kept
        return best.content

    def _attempt(
        self,
        model: keras.Model,
        head: keras.layers.Layer,
        logits: Array,
        inputs: Array,
        kept: NDArray[np.bool_],
    ) -> "_Attempt":
        logit_range = fit_range(logits[kept])
        folder = self._folder / f"int8-{np.count_nonzero(kept)}"
        with fitted(head, logit_range):
            saved = self._save(model, folder, 1)
        content = self._file(saved, Variant.INT8, inputs[kept])
        return _Attempt(content, logit_range, kept)


@dataclass(frozen=True)
class _Saved:
    """A SavedModel with what an error may name.

    Attributes:
        folder: where it lies.
        model: what was saved; None: a net that is no Keras model.
        layers: by the numbers in the names of scopes.
        loops: scopes of its loops.
    """

    folder: Path
    model: keras.Model | None
    layers: tuple[Layer, ...]
    loops: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Attempt:
    """An int8 file, with the range of its logits and which examples it was calibrated on."""

    content: bytes
    logit_range: LogitRange
    kept: NDArray[np.bool_]

    @property
    def left_out(self) -> int:
        """How many calibration examples were left out."""
        return int(np.count_nonzero(~self.kept))


def _ends(folder: Path, variant: Variant, calibration: Array | None) -> bool:
    """Whether the converter crashes on a SavedModel."""
    try:
        convert_saved(folder, variant.kind, calibration)
    except ConversionError as error:
        return error.end is End.CRASHED
    return False


def _lost(content: bytes, inputs: Array, wanted: NDArray[np.float64]) -> float:
    """Mean largest difference of a probability on the examples."""
    given = class_probabilities(first_answers(content, inputs), logits=True).astype(np.float32)
    return float(np.abs(given - wanted).max(axis=1).mean())


def gives_fitted_logits(model: keras.Model) -> bool:
    """Whether the int8 file of a model gives logits, whatever the model gives."""
    return head_of(model) is not None


def _answers(model: keras.Model, inputs: Array) -> Array:
    """The model's outputs, run eagerly: its compiled functions may still have another head."""
    parts = [
        keras.ops.convert_to_numpy(model(inputs[at : at + 64], training=False))
        for at in range(0, len(inputs), 64)
    ]
    return np.concatenate(parts)
