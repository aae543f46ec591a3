"""What a user's model class does itself of what Keras does for others: its steps, its compile."""

import contextlib
from collections.abc import Iterator, Sequence

import keras

from ecavg_tf.core.errors import ECAvgError, ModelError
from ecavg_tf.models.keras_words import explained

_TRAINING = ("train_step", "compute_loss", "compute_metrics", "fit", "compile")


def own_methods(model: keras.Model, names: Sequence[str]) -> list[str]:
    """Those of these methods that the model's class does not have from Keras."""
    return [each for each in names if getattr(type(model), each) is not getattr(keras.Model, each)]


@contextlib.contextmanager
def blaming_own_methods(model: keras.Model) -> Iterator[None]:
    """With a training step of the user's, an odd exception in a fit is its until shown otherwise.

    Raises:
        ModelError: in place of whatever was raised, in one line.
    """
    try:
        yield
    except (ECAvgError, OSError, MemoryError):  # what the machine lacks is not the model's fault
        raise
    except Exception as error:
        own = own_methods(model, _TRAINING)
        if not own:
            raise
        raise ModelError(
            f"training the model fails, whose class {type(model).__name__} has its own "
            f"{' and '.join(own)}: {type(error).__name__}: {explained(error)}"
        ) from error


@contextlib.contextmanager
def compiling(
    model: keras.Model, optimizer: keras.Optimizer, loss: keras.losses.Loss
) -> Iterator[None]:
    """Makes sure that a model's own ``compile`` keeps what it is given.

    Args:
        model: the model that is compiled meanwhile.
        optimizer: what it must keep.
        loss: what it must keep, too, unless it has a step or a loss of its own.

    Raises:
        ModelError: it fails, or has not these afterwards.
    """
    if not own_methods(model, ["compile"]):
        yield
        return
    told = f"the model's class {type(model).__name__} has its own compile(), which "
    cure = (
        "the config says how to train, so pass on what comes: "
        "def compile(self, *args, **kwargs): super().compile(*args, **kwargs)"
    )
    try:
        yield
    except Exception as error:
        raise ModelError(
            f"{told}can't be called as Keras' own: {type(error).__name__}: {explained(error)}; "
            f"{cure}"
        ) from error
    if getattr(model, "optimizer", None) is not optimizer:
        raise ModelError(f"{told}does not keep the optimizer that it is given; {cure}")
    kept = getattr(model, "loss", None) is loss
    if not kept and not own_methods(model, ("train_step", "compute_loss")):
        raise ModelError(f"{told}does not keep the loss that it is given; {cure}")
