"""Conversion and every file's first run, in one warm child process for all files."""

import atexit
import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import export
from ecavg_tf.config import Format
from ecavg_tf.core.bundles.quantization import softmax
from ecavg_tf.core.errors import ExportError, brief
from ecavg_tf.core.template import Array
from export.child_process import ChildFault, ChildProcess, home_of

CONVERT_SECONDS, IMAGE_SECONDS = 900.0, 10.0
_AT_ONCE = 64  # images a request, so that a time limit means something

# One child for the whole process: it takes seconds to start. Requests come one at a time.
_ASKING = threading.RLock()
_child: tuple[int, ChildProcess] | None = None


class ConversionError(ExportError):
    """A file can't be made.

    Attributes:
        said: what the converter said, in full; empty where it said nothing.
        ended: whether the converter crashed or was stopped.
    """

    def __init__(self, text: str, said: str = "", *, ended: bool = False) -> None:
        super().__init__(text)
        self.said = said
        self.ended = ended


class FixedBatchOnly(ConversionError):
    """A file of a dynamic batch can't be made; one of batch 1 may well be."""


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
    folder: Path, format_: Format, calibration: Array | None = None, *, resources: bool = False
) -> bytes:
    """A SavedModel as a ``.tflite`` file with builtin operators only.

    Args:
        folder: the SavedModel, of one signature at least.
        format_: which.
        calibration: raw images, shape (n, …), for int8.
        resources: whether it keeps variables, as a training file does.

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
            "calibration": None,
            "to": str(place / "made.tflite"),
        }
        seconds = CONVERT_SECONDS
        if calibration is not None:
            request["calibration"] = _saved(place / "calibration.npy", calibration)
            seconds += IMAGE_SECONDS * len(calibration)
        _ask(request, seconds)
        return (place / "made.tflite").read_bytes()


def first_answers(content: bytes, inputs: Array, *, logits: bool = False) -> NDArray[np.float32]:
    """What a file answers, where it is not known yet whether it crashes.

    Args:
        content: the file's bytes.
        inputs: raw values, shape (n, …).
        logits: whether it gives logits, and probabilities are wanted.

    Returns:
        Shape (n, …), real numbers.

    Raises:
        ExportError: LiteRT refuses the file, or it crashed, or took too long.
    """
    parts = []
    with _folder() as place:
        (place / "file.tflite").write_bytes(content)
        request = {"do": "answer", "file": str(place / "file.tflite"), "to": str(place / "out.npy")}
        for start in range(0, len(inputs), _AT_ONCE):
            few = inputs[start : start + _AT_ONCE]
            request["inputs"] = _saved(place / "in.npy", few)
            _run(request, CONVERT_SECONDS)
            parts.append(np.load(place / "out.npy", allow_pickle=False))
    answers = np.concatenate(parts)
    return softmax(answers).astype(np.float32) if logits else answers


def first_training(
    content: bytes, inputs: Array, one_hot: Array, *, steps: int, rate: float
) -> NDArray[np.float32]:
    """``training_steps`` of a file of which it is not known yet whether it crashes.

    Raises:
        ExportError: LiteRT refuses the file, or it crashed, or took too long.
    """
    with _folder() as place:
        (place / "file.tflite").write_bytes(content)
        request = {
            "do": "train",
            "file": str(place / "file.tflite"),
            "to": str(place / "out.npy"),
            "inputs": _saved(place / "images.npy", inputs),
            "labels": _saved(place / "labels.npy", one_hot),
            "steps": steps,
            "rate": float(rate),
        }
        _run(request, CONVERT_SECONDS)
        found: NDArray[np.float32] = np.load(place / "out.npy", allow_pickle=False)
        return found


def _run(request: Mapping[str, Any], seconds: float) -> None:
    try:
        _ask(request, seconds)
    except ConversionError as error:
        if error.ended:
            raise ExportError(
                f"the file crashes LiteRT or hangs in it ({error}); don't use it, and please "
                "report it with your model"
            ) from error
        raise ExportError(str(error)) from error


def _ask(request: Mapping[str, Any], seconds: float) -> None:
    with _ASKING:
        child = _running()
        try:
            child.ask(request, seconds)
        except ChildFault as fault:
            said = str(fault)
            raise ConversionError(
                brief(fault) if fault.ended else said, f"{said}\n{child.log}", ended=fault.ended
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
