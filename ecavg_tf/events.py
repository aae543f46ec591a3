"""Events that a run sends while it goes on; a listener decides how to show them."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class RunPlanned:
    """The run is about to go on.

    Attributes:
        rounds: how many the run has.
        first_round: the first of those left.
        examples: how many this process will train on, over all epochs; 0: not known.
    """

    rounds: int
    first_round: int
    examples: int


@dataclass(frozen=True)
class StageStarted:
    """A stage of a round begins.

    ``who`` is an edge, or ``server``; with the stage ``wait`` it names those who are waited for.
    """

    round: int
    stage: str
    who: str


@dataclass(frozen=True)
class Trained:
    """Progress within a stage: examples seen since the last such event."""

    examples: int


@dataclass(frozen=True)
class EpochEnded:
    """One epoch is over; loss and accuracy are those on the training data."""

    round: int
    who: str
    epoch: int
    epochs: int
    loss: float
    accuracy: float
    seconds: float


@dataclass(frozen=True)
class Note:
    """A line that the user should read, such as a refused update."""

    text: str


@dataclass(frozen=True)
class Measured:
    """What the models of a round came to on test examples, in a line."""

    text: str


@dataclass(frozen=True)
class Detail:
    """A line for the log alone: how something is done that changes no result."""

    text: str


Event = RunPlanned | StageStarted | Trained | EpochEnded | Measured | Note | Detail
Listener = Callable[[Event], None]


def shown(listener: Listener) -> contextlib.AbstractContextManager[object]:
    """What starts and ends a listener that draws while it listens; others need nothing."""
    drawn: object = listener  # a function is no context manager, some objects are
    if isinstance(drawn, contextlib.AbstractContextManager):
        return drawn
    return contextlib.nullcontext()


def silent(event: Event) -> None:
    """The listener that listens to nothing."""
    del event
