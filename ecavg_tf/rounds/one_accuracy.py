"""At the end of a run: what an edge accepted and the file that it keeps are one model.

Scores are measured with weights set on one traced model; whoever takes ``accepted.keras`` loads it.
Exported files are compared with Keras by the export's own gate.
"""

import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np

from ecavg_tf.core.errors import RoundError, WorkdirError
from ecavg_tf.core.messages.update_file import TensorFile
from ecavg_tf.core.template import Array, weights_sha256
from ecavg_tf.core.two_classes import class_columns
from ecavg_tf.data.dataset import Examples
from ecavg_tf.models.assigning import set_weights
from ecavg_tf.models.builders import gives_logits
from ecavg_tf.models.inputs import for_model
from ecavg_tf.models.keras_own import of_keras_alone
from ecavg_tf.models.outputs import Outputs
from ecavg_tf.models.saving import WHOLE, load_weights
from ecavg_tf.task import Task
from edge.participating.accepted import newest_accepted, read_accepted

Answers = Callable[[Array], Array]

_AT_ONCE = 256
_INPUTS = 64  # test examples that the two are compared on
_WHOLE_TEST = 1000  # test sets of up to so many are gone through whole
_MAY_FLIP = 0.005  # of the answers: where two classes are equally likely, rounding decides
_SECONDS = 2.0  # after that, other edges are left: their files are made by the same code
_AGREES = 0.01  # of the largest answer; half precision stays below


def check_one_accuracy(task: Task, folders: Sequence[Path], test: Examples) -> tuple[str, ...]:
    """Compares each edge's accepted model with its file, by their answers on a few test examples.

    The accuracy that was recorded for the accepted model is compared with the file's, too, where
    the test set is small.

    Args:
        task: the edges'; the weights of its model are changed.
        folders: the edges' own, named as they are.
        test: the test set.

    Returns:
        The names of the edges that were looked at: at least one where there are any.

    Raises:
        RoundError: names the first edge whose file is of another model.
        WorkdirError: what an edge accepted is gone or damaged.
    """
    model, logits = task.edge_trainer.model, gives_logits(task.config.model)
    few = Examples(test.inputs[:_INPUTS], test.labels[:_INPUTS])
    outputs = task.scorer(task.edge_trainer, test).outputs  # which a run has traced already
    began = time.monotonic()
    looked: list[str] = []
    for folder in folders:
        if len(few) == 0 or (looked and time.monotonic() - began > _SECONDS):
            break
        file = newest_accepted(folder) if folder.is_dir() else None
        if file is not None and (folder / ("accepted" + WHOLE)).exists():
            weights = read_accepted(file).weights
            answers = _check(model, outputs, folder, weights, few, logits)
            recorded = TensorFile(file).metadata["accepted"].get("all")
            if recorded is not None and recorded["n"] == len(test) <= _WHOLE_TEST:
                _check_recorded(answers, folder, float(recorded["accuracy"]), test, logits)
            looked.append(folder.name)
    return tuple(looked)


def _check(
    model: keras.Model,
    outputs: Outputs,
    folder: Path,
    weights: Sequence[Array],
    few: Examples,
    logits: bool,
) -> Answers | None:
    """What the file answers; None: no two answers of its model are alike."""
    set_weights(model, weights)
    accepted = outputs(few.inputs)
    if not _alike(accepted, outputs(few.inputs)):
        return None  # the model draws numbers as it answers
    file = folder / ("accepted" + WHOLE)
    answers_of, kept = _opened(file, model, outputs)
    answers = answers_of(few.inputs)
    if weights_sha256(kept) != weights_sha256(weights) or not _alike(accepted, answers):
        raise RoundError(
            f"{folder.name}: {file} is not the model that was accepted: on {len(few)} test "
            f"examples the accepted model is right on {_right(accepted, few, logits)}, the file on "
            f"{_right(answers, few, logits)}; a layer computes with something that it does not save"
        )
    return answers_of


def _opened(file: Path, model: keras.Model, outputs: Outputs) -> tuple[Answers, list[Array]]:
    """What a file answers, and its weights.

    A model of Keras' own layers is its weights and its architecture: the file's weights are loaded
    into the run's model, which is traced already. Building MobileNetV2 anew takes seconds.
    """
    if of_keras_alone(model):
        with contextlib.suppress(WorkdirError):  # then what Keras makes of it shall be told
            load_weights(model, file.parent, file.stem)
            return outputs, model.get_weights()
    try:
        loaded = keras.models.load_model(file, compile=False)
    except Exception:  # of a class that only the user's code knows: its weights can be compared
        load_weights(model, file.parent, file.stem)
        return outputs, model.get_weights()
    return _eager(loaded), loaded.get_weights()


def _eager(model: keras.Model) -> Answers:
    def answers(inputs: Array) -> Array:
        parts = [inputs[at : at + _AT_ONCE] for at in range(0, len(inputs), _AT_ONCE)]
        given = [model(for_model(part), training=False) for part in parts]
        return np.concatenate([keras.ops.convert_to_numpy(each) for each in given])

    return answers


def _check_recorded(
    answers: Answers | None, folder: Path, accuracy: float, test: Examples, logits: bool
) -> None:
    """Compares the accuracy that results.json tells of with the file's, where it is cheap."""
    if answers is None:
        return
    right = _right(answers(test.inputs), test, logits)
    if abs(right - accuracy * len(test)) > max(1.0, _MAY_FLIP * len(test)):
        raise RoundError(
            f"{folder.name}: results.json tells of an accuracy of {accuracy:.2%} for the accepted "
            f"model, its file {folder / ('accepted' + WHOLE)} has {right / len(test):.2%} on the "
            "same test examples; a layer computes with something that it does not save"
        )


def _alike(one: Array, other: Array) -> bool:
    scale = float(np.abs(one[np.isfinite(one)]).max(initial=0.0))
    near = np.allclose(one, other, rtol=0.0, atol=_AGREES * scale, equal_nan=True)
    return bool(near)


def _right(answers: Array, examples: Examples, logits: bool) -> int:
    best = class_columns(answers, logits=logits).argmax(axis=1)
    return int((best == examples.labels).sum())
