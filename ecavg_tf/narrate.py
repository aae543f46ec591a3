"""Events as plain lines, for log.txt and for output that is not a terminal."""

import datetime
from pathlib import Path

from ecavg_tf.core.errors import printable
from ecavg_tf.events import (
    Detail,
    EpochEnded,
    Event,
    Measured,
    Note,
    RunPlanned,
    Stages,
    StageStarted,
)

_VERBS = {
    "warmup": "trains the shared start",
    "pretrain": "pre-trains",
    "alone": "trains alone, to compare with",
    "pooled_only": "trains on the pooled data alone, to compare with",
    "update": "decides on the global model",
    "average": "averages the updates",
    "recalibrate": "recalibrates BatchNorm",
    "choose": "tries what to fine-tune on pooled data",
    "finetune": "fine-tunes on the pooled data",
    "evaluate": "evaluates",
}

_APART = {  # fits that are no part of a round
    "alone": "alone, to compare with:",
    "pooled_only": "on the pooled data alone, to compare with:",
}


def doing(stage: str, who: str, round_words: str) -> str:
    """What goes on in a stage; exports come after the rounds, and by hand without any."""
    if stage == "export":
        return f"exporting {who}"
    if stage == "wait":  # the server, for these
        return f"{round_words}waits for {who}"
    return f"{round_words}{who} {_VERBS[stage]}"


def fit_of(event: EpochEnded, stage: str) -> str:
    """Whose fit an epoch is of, and in which round, if it is of one.

    Args:
        event: the epoch.
        stage: what its ``who`` is at, as ``StageStarted`` said; empty: not known.
    """
    return (
        f"{event.who} {_APART[stage]}" if stage in _APART else f"round {event.round}: {event.who}"
    )


class Lines:
    """Tells events as lines; an epoch does not say of which fit it is, so stages are remembered."""

    def __init__(self) -> None:
        self._stages = Stages()

    def __call__(self, event: Event) -> str | None:
        """One line of text, or None where there is nothing to say."""
        self._stages.hear(event)
        return line(event, self._stages.of(event) if isinstance(event, EpochEnded) else "")


def line(event: Event, stage: str = "") -> str | None:
    """One line of text, or None where there is nothing to say.

    Args:
        event: what happened.
        stage: of an epoch: what its ``who`` is at; empty: not known.
    """
    match event:
        case RunPlanned(rounds=rounds, first_round=first):
            if first > rounds:
                return "all rounds are finished"
            return f"rounds {first} to {rounds}" if first < rounds else f"round {rounds}"
        case StageStarted(round=number, stage=began, who=who):
            return doing(began, who, f"round {number}: ")
        case EpochEnded():
            return (
                f"{fit_of(event, stage)} "
                f"epoch {event.epoch}/{event.epochs}  "
                f"loss {event.loss:.4f}  accuracy {event.accuracy:.4f}  {event.seconds:.1f} s"
            )
        case Note(text=text) | Measured(text=text):
            return printable(text)
        case _:
            return None


class LogFile:
    """A listener that appends lines with their time to a file.

    Args:
        path: the file; it is appended to, a resumed run goes on in it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = Lines()

    def __call__(self, event: Event) -> None:
        """Appends what there is to say."""
        text = printable(event.text) if isinstance(event, Detail) else self._lines(event)
        if text is not None:
            now = datetime.datetime.now().isoformat(timespec="seconds")
            with self._path.open("a", encoding="utf-8") as log:
                log.write(f"{now}  {text}\n")
