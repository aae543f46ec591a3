"""Which of a fit's weights count: those of the last epoch, of the best one, or a mean."""

from collections.abc import Callable
from functools import partial

from ecavg_tf.config import FitConfig, ServerConfig
from ecavg_tf.data.dataset import Examples
from ecavg_tf.training.patience import EarlyStopping, held_out
from ecavg_tf.training.tail import TailMean

Ending = EarlyStopping | TailMean  # Keras callbacks whose state an epoch checkpoint keeps


def ending_of(
    settings: FitConfig,
    examples: Examples,
    *place: str | int,
    seed: int,
    loss_on: Callable[[Examples], float],
) -> tuple[Examples, Ending | None]:
    """What a fit trains on, and what says which weights it ends with.

    Args:
        settings: of the fit.
        examples: what it got.
        place: of the fit, for what is drawn.
        seed: the run's seed.
        loss_on: measures the model, as it is, on examples.

    Returns:
        (what to train on, what ends the fit); None: its last epoch counts.
    """
    mine, held = held_out(settings, examples, *place, seed=seed)
    if held is not None:
        return mine, EarlyStopping(settings.patience, partial(loss_on, held))
    if isinstance(settings, ServerConfig) and settings.tail_epochs:
        return mine, TailMean(settings.epochs, settings.tail_epochs)
    return mine, None
