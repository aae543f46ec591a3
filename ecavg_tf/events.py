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


class Stages:
    """Remembers who is at what: an epoch does not say of which fit it is."""

    def __init__(self) -> None:
        self._at: dict[str, str] = {}

    def hear(self, event: Event) -> None:
        """Takes a stage that begins; other events tell none."""
        if isinstance(event, StageStarted):
            self._at[event.who] = event.stage

    def of(self, epoch: EpochEnded) -> str:
        """The stage that an epoch belongs to."""
        return self._at.get(epoch.who, "pretrain")


def shown(listener: Listener) -> contextlib.AbstractContextManager[object]:
    """What starts and ends a listener that draws while it listens; others need nothing."""
    drawn: object = listener  # a function is no context manager, some objects are
    if isinstance(drawn, contextlib.AbstractContextManager):
        return drawn
    return contextlib.nullcontext()


def silent(event: Event) -> None:
    """The listener that listens to nothing."""
    del event
