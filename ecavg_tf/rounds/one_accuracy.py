"""At the end of a run: what an edge accepted and the file that it keeps are one model.

Scores are measured with weights set on one traced model; whoever takes ``accepted.keras`` loads it.
Exported files are compared with Keras by the export's own gate.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.errors import RoundError
from ecavg_tf.core.messages.update_file import TensorFile
from ecavg_tf.core.template import Array, weights_sha256
from ecavg_tf.data.dataset import Examples
from ecavg_tf.models.outputs import Outputs
from ecavg_tf.models.saving import WHOLE, load_weights
from edge.participating.store import accepted_files, read_accepted

_INPUTS = 64  # test examples that the two are compared on
_WHOLE_TEST = 1000  # test sets of up to so many are gone through whole
_MAY_FLIP = 0.005  # of the answers: where two classes are equally likely, rounding decides
_SECONDS = 2.0  # after that, other edges are left: their files are made by the same code
_AGREES = 0.01  # of the largest answer; half precision stays below


def check_one_accuracy(
    model: keras.Model, folders: Sequence[Path], test: Examples
) -> tuple[str, ...]:
    """Compares each edge's accepted model with its file, by their answers on a few test examples.

    The accuracy that was recorded for the accepted model is compared with the file's, too, where
    the test set is small.

    Args:
        model: a model that is built as the edges' are; its weights are changed.
        folders: the edges' own, named as they are.
        test: the test set.

    Returns:
        The names of the edges that were looked at: at least one where there are any.

    Raises:
        RoundError: names the first edge whose file is of another model.
    """
    few = Examples(test.inputs[:_INPUTS], test.labels[:_INPUTS])
    began = time.monotonic()
    looked: list[str] = []
    for folder in folders:
        if len(few) == 0 or (looked and time.monotonic() - began > _SECONDS):
            break
        files = accepted_files(folder) if folder.is_dir() else []
        if files and (folder / ("accepted" + WHOLE)).exists():
            loaded = _check(model, folder, read_accepted(files[-1]).weights, few)
            recorded = TensorFile(files[-1]).metadata["accepted"].get("all")
            if recorded is not None and recorded["n"] == len(test) <= _WHOLE_TEST:
                _check_recorded(loaded, folder, float(recorded["accuracy"]), test)
            looked.append(folder.name)
    return tuple(looked)


def _check(
    model: keras.Model, folder: Path, weights: Sequence[Array], few: Examples
) -> keras.Model | None:
    model.set_weights(weights)
    accepted = Outputs(model, _INPUTS)(few.inputs)
    if not _alike(accepted, Outputs(model, _INPUTS)(few.inputs)):
        return None  # the model draws numbers as it answers: no two answers are alike
    file = folder / ("accepted" + WHOLE)
    try:
        loaded = keras.models.load_model(file, compile=False)
    except Exception:  # of a class that only the user's code knows: its weights can be compared
        load_weights(model, folder, "accepted")
        loaded = model
    kept = loaded.get_weights()
    answers = np.asarray(keras.ops.convert_to_numpy(loaded(_floats(few.inputs), training=False)))
    if weights_sha256(kept) != weights_sha256(weights) or not _alike(accepted, answers):
        raise RoundError(
            f"{folder.name}: {file} is not the model that was accepted: on {len(few)} test "
            f"examples the accepted model is right on {_right(accepted, few.labels)}, the file on "
            f"{_right(answers, few.labels)}; a layer computes with something that it does not save"
        )

    return loaded


def _check_recorded(
    loaded: keras.Model | None, folder: Path, accuracy: float, test: Examples
) -> None:
    """Compares the accuracy that results.json tells of with the file's, where it is cheap."""
    if loaded is None:
        return
    parts = [test.inputs[at : at + 256] for at in range(0, len(test), 256)]
    answers = [loaded(_floats(part), training=False) for part in parts]
    right = _right(np.concatenate([keras.ops.convert_to_numpy(a) for a in answers]), test.labels)
    if abs(right - accuracy * len(test)) > max(1.0, _MAY_FLIP * len(test)):
        raise RoundError(
            f"{folder.name}: results.json tells of an accuracy of {accuracy:.2%} for the accepted "
            f"model, its file {folder / ('accepted' + WHOLE)} has {right / len(test):.2%} on the "
            "same test examples; a layer computes with something that it does not save"
        )


def _floats(inputs: Array) -> Array:
    return inputs.astype("float32")


def _alike(one: Array, other: Array) -> bool:
    scale = float(np.abs(one[np.isfinite(one)]).max(initial=0.0))
    near = np.allclose(one, other, rtol=0.0, atol=_AGREES * scale, equal_nan=True)
    return bool(near)


def _right(answers: Array, labels: NDArray[np.int64]) -> int:
    return int((answers.argmax(axis=1) == labels).sum())
