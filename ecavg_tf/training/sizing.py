"""How many batches TensorFlow trains on before Python hears of them.

The steps are the same, to the bit, however many are made a call: the number only decides what
they cost. It follows from the model and the batch size alone.
"""

import math
from collections.abc import Callable, Sequence

import keras

from ecavg_tf.config import EdgeConfig, FitConfig
from ecavg_tf.events import Detail, Note
from ecavg_tf.training.users_callbacks import of_every_batch

MOST = 64  # batches: the progress of an epoch must move
ENOUGH = 2**28  # multiply-adds a call, about a tenth of a second of training on a CPU core


def batches_at_once(
    model: keras.Model,
    settings: FitConfig,
    callbacks: Sequence[keras.callbacks.Callback],
    say: Callable[[Note | Detail], None],
) -> int:
    """How many batches a call in a fit.

    Args:
        model: a built model.
        settings: of the fit.
        callbacks: the user's; one that does something at every batch gets every batch.
        say: told the reason.
    """
    field = "edge" if isinstance(settings, EdgeConfig) else "server"
    if watching := of_every_batch(callbacks):
        name = type(watching[0]).__name__
        say(
            Note(
                f"{field}.callbacks: {name} does something at every batch, so TensorFlow stops "
                "after each, which takes time where the model is small"
            )
        )
        return 1
    if settings.steps_per_execution > 0:
        return settings.steps_per_execution
    steps, why = steps_per_execution(model, settings.batch_size)
    many = "1 batch" if steps == 1 else f"up to {steps} batches"
    say(
        Detail(
            f"{field}: TensorFlow trains on {many} of {settings.batch_size} at a time ({why}); "
            f"{field}.steps_per_execution sets another number, which changes no bit"
        )
    )
    return steps


def steps_per_execution(model: keras.Model, batch_size: int) -> tuple[int, str]:
    """How many batches a call, and why, in words.

    Args:
        model: a built model.
        batch_size: examples a step.
    """
    work = work_of(model)
    if work is None:
        return 1, "its layers do not say how large they are"
    steps = max(1, min(MOST, ENOUGH // max(1, work * batch_size)))
    return steps, f"about {_short(work)} multiply-adds an example"


def work_of(model: keras.Model) -> int | None:
    """Multiply-adds of one example's way through the model, roughly; None: layers do not say.

    Every weight is used once for each place of a layer's input or output (a pixel, a moment).
    """
    work = 0
    for layer in model._flatten_layers(include_self=False):
        if list(layer._flatten_layers(include_self=False)):
            continue
        try:
            ends = keras.tree.flatten([layer.input, layer.output])
        except (AttributeError, ValueError):  # called outside of a graph of layers, or often
            return None
        places = max(math.prod(size or 1 for size in end.shape[1:-1]) for end in ends)
        numbers = max(math.prod(size or 1 for size in end.shape[1:]) for end in ends)
        weights = sum(math.prod(weight.shape) for weight in layer.weights)
        work += weights * places + numbers
    return work


def _short(number: int) -> str:
    for size, word in ((10**9, "billion"), (10**6, "million"), (10**3, "thousand")):
        if number >= size:
            return f"{number / size:.1f} {word}"
    return str(number)
