"""Conversion, and every file's first run or load, in one warm child process for all files."""

import atexit
import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import export
from ecavg_tf.config import Format
from ecavg_tf.core.errors import ExportError, ModelError, brief
from ecavg_tf.core.template import Array
from export.child_process import ChildFault, ChildProcess, End, home_of

CONVERT_SECONDS, IMAGE_SECONDS, LOAD_SECONDS = 900.0, 10.0, 300.0
_AT_ONCE = 64  # images a request, so that a time limit means something

# One child for the whole process: it takes seconds to start. Requests come one at a time.
_ASKING = threading.RLock()
_child: tuple[int, ChildProcess] | None = None


class ConversionError(ExportError):
    """A file can't be made.

    Attributes:
        said: what the converter said, in full; empty where it said nothing.
        end: how the converter's process ended; None: it said why.
    """

    def __init__(self, text: str, said: str = "", end: End | None = None) -> None:
        super().__init__(text)
        self.said = said
        self.end = end


class FixedBatchOnly(ConversionError):
    """A file of a dynamic batch can't be made; one of batch 1 may well be."""


class FileCrash(ExportError):
    """A file that was made ends the process that runs it.

    Args:
        how: how it ended, in words.
        at: the layer, in words; empty: not known.
    """

    def __init__(self, how: str, at: str = "") -> None:
        where = f" at {at}" if at else ""
        super().__init__(
            f"the file crashes LiteRT or hangs in it{where} ({how}); leave this format out, and "
            "please report it with your model"
        )
        self.how = how


def warm_up() -> None:
    """Starts the child, which gets ready while this process prepares a model."""
    with _ASKING:
        _running().start()


def stop() -> None:
    """Ends the child; the next request starts another."""
    global _child
    with _ASKING:
        if _child is not None and _child[0] == os.getpid():
            _child[1].stop()
        _child = None


def convert_saved(
    folder: Path,
    format_: Format,
    calibration: Array | None = None,
    *,
    resources: bool = False,
    unfolded: bool = False,
) -> bytes:
    """A SavedModel as a ``.tflite`` file with builtin operators only.

    Args:
        folder: the SavedModel, of one signature at least.
        format_: which.
        calibration: raw images, shape (n, …), for int8.
        resources: whether it keeps variables, as a training file does.
        unfolded: whether products of matrices that are no constants become ``FULLY_CONNECTED``,
            for which tflite-micro keeps no copies of them.

    Returns:
        The file's bytes.

    Raises:
        ConversionError: the converter can't, crashed, or took too long.
    """
    with _folder() as place:
        request = {
            "do": "convert",
            "saved": str(folder),
            "format": format_.value,
            "resources": resources,
            "unfolded": unfolded,
            "calibration": None,
            "to": str(place / "made.tflite"),
        }
        seconds = CONVERT_SECONDS
        if calibration is not None:
            request["calibration"] = _saved(place / "calibration.npy", calibration)
            seconds += IMAGE_SECONDS * len(calibration)
        _ask(request, seconds)
        return (place / "made.tflite").read_bytes()


def first_answers(content: bytes, inputs: Array) -> NDArray[np.float32]:
    """What a file answers, where it is not known yet whether it crashes.

    Args:
        content: the file's bytes.
        inputs: values as the file takes them, shape (n, …).

    Returns:
        Shape (n, …), real numbers.

    Raises:
        ExportError: LiteRT refuses the file, or it crashed, or took too long.
    """
    few = range(0, len(inputs), _AT_ONCE)
    with _written(content) as file:
        parts = [_first("answer", file, {"inputs": inputs[at : at + _AT_ONCE]}) for at in few]
    return np.concatenate(parts)


def first_outputs(content: bytes, inputs: Array, *, reference: bool) -> Array:
    """``kernel_outputs`` of a file of which it is not known yet whether it crashes.

    Raises:
        ExportError: LiteRT refuses the file, or it crashed, or took too long.
    """
    with _written(content) as file:
        return _first("outputs", file, {"inputs": inputs}, reference=reference)


def first_training(
    content: bytes, inputs: Array, one_hot: Array, *, steps: int, rate: float
) -> NDArray[np.float32]:
    """``training_steps`` of a file of which it is not known yet whether it crashes.

    Raises:
        ExportError: LiteRT refuses the file, or it crashed, or took too long.
    """
    arrays = {"inputs": inputs, "labels": one_hot}
    with _written(content) as file:
        return _first("train", file, arrays, steps=steps, rate=float(rate))


def first_stateless(
    content: bytes, x: Array, y: Array, weights: Sequence[Array], *, steps: int, rate: float
) -> NDArray[np.float32]:
    """``stateless_steps`` of a file of which it is not known yet whether it crashes.

    Raises:
        ExportError: LiteRT refuses the file, or it crashed, or took too long.
    """
    kernel, bias = weights
    arrays = {"x": x, "y": y, "kernel": kernel, "bias": bias}
    with _written(content) as file:
        return _first("stateless", file, arrays, steps=steps, rate=float(rate))


def first_load(file: Path) -> None:
    """Loads a Keras model of which it is not known yet what that takes; it is not kept.

    What Keras refuses is passed over: this process may know classes that the child does not, and
    says the rest in its own words.

    Raises:
        ModelError: loading it crashes, takes more memory than there is, or too long.
    """
    try:
        _ask({"do": "load", "file": str(file)}, LOAD_SECONDS)
    except ConversionError as error:
        if error.end is not None:
            raise ModelError(
                f"{file} can't be loaded as a Keras model: in a process of its own, loading it "
                f"failed ({error}); don't use it"
            ) from error


@contextlib.contextmanager
def _written(content: bytes) -> Iterator[Path]:
    """A file's bytes, in a folder of its own."""
    with _folder() as place:
        file = place / "file.tflite"
        file.write_bytes(content)
        yield file


def _first(do: str, file: Path, arrays: Mapping[str, Array], **more: Any) -> Array:
    """What the child makes of a file and arrays: one array."""
    answer = file.with_name("out.npy")
    saved = {name: _saved(file.with_name(f"{name}.npy"), each) for name, each in arrays.items()}
    _run({"do": do, "file": str(file), "to": str(answer), **saved, **more}, CONVERT_SECONDS)
    found: Array = np.load(answer, allow_pickle=False)
    return found


def _run(request: Mapping[str, Any], seconds: float) -> None:
    try:
        _ask(request, seconds)
    except ConversionError as error:
        if error.end is not None:
            raise FileCrash(str(error)) from error
        raise ExportError(str(error)) from error


def _ask(request: Mapping[str, Any], seconds: float) -> None:
    with _ASKING:
        child = _running()
        try:
            child.ask(request, seconds)
        except ChildFault as fault:
            said = str(fault)
            raise ConversionError(
                said if fault.end is None else brief(fault), f"{said}\n{child.log}", fault.end
            ) from fault


def _running() -> ChildProcess:
    """The child of this process; a forked process must not share its parent's."""
    global _child
    if _child is None or _child[0] != os.getpid():
        known = (home_of(export.__file__), os.environ.get("PYTHONPATH", ""))
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, known)),
            "CUDA_VISIBLE_DEVICES": "-1",  # a GPU's memory is the training's
        }
        command = [sys.executable, "-P", "-m", "export.making.converting_child"]
        _child = (os.getpid(), ChildProcess(command, environment))
    return _child[1]


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ecavg-export-") as folder:
        yield Path(folder)


def _saved(path: Path, array: Array) -> str:
    np.save(path, array, allow_pickle=False)
    return str(path)


atexit.register(stop)
