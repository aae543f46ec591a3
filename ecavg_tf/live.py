"""What a user sees while a run goes on: a live bar, or plain lines where there is no terminal."""

import sys
from datetime import timedelta
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
)
from rich.table import Column
from rich.text import Text

from ecavg_tf.core.errors import OutputError, printable
from ecavg_tf.events import (
    Detail,
    EpochEnded,
    Event,
    Measured,
    Note,
    RunPlanned,
    Stages,
    StageStarted,
    Trained,
)
from ecavg_tf.narrate import Lines, doing, fit_of, line

_UNCOUNTED = ("export", "wait")  # stages in which no examples are trained on here


class PlainLines:
    """A listener that prints lines, for logs and pipes.

    Args:
        details: also what else goes into log.txt.
        only_notes: nothing but what the user should read.
    """

    def __init__(self, *, details: bool = False, only_notes: bool = False) -> None:
        self._details = details
        self._only_notes = only_notes
        self._lines = Lines()

    def __call__(self, event: Event) -> None:
        """Prints what there is to say."""
        text = self._lines(event)
        if self._only_notes and not isinstance(event, Note):
            return
        if self._details and isinstance(event, Detail):
            text = printable(event.text)
        if text is not None:
            try:
                print(text, flush=True)
            except BrokenPipeError:  # as in 'ecavg … | head'
                raise
            except OSError as error:
                raise OutputError(error) from error

    def __enter__(self) -> "PlainLines":
        return self

    def __exit__(self, *exception: object) -> None:
        return


class _TimeLeft(ProgressColumn):
    """How long it will still take; nothing where that is not known."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        if task.total is None or task.time_remaining is None:
            return Text("")
        return Text(f"{timedelta(seconds=int(task.time_remaining))} left")


class LiveBar:
    """A listener that draws one live bar: round, stage, edge, epoch, loss, accuracy, time left.

    Args:
        console: where to draw.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=16),
            TaskProgressColumn(),
            _TimeLeft(table_column=Column(min_width=12)),
            TextColumn("{task.fields[fit]}", markup=False),
            console=console,
            transient=True,
        )
        self._task = self._progress.add_task("starts", total=None, fit="")
        self._rounds = 0
        self._stages = Stages()

    def __enter__(self) -> "LiveBar":
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def __call__(self, event: Event) -> None:
        """Redraws the bar, or prints a line above it."""
        self._stages.hear(event)
        match event:
            case RunPlanned(rounds=rounds, examples=examples):
                self._rounds = rounds
                self._progress.update(self._task, total=examples or None)
            case StageStarted():
                place = f"round {event.round}/{self._rounds} · "
                text = doing(event.stage, event.who, place)
                if event.stage in _UNCOUNTED:  # a bar that stands at 100 % would say: it is over
                    self._progress.remove_task(self._task)
                    self._task = self._progress.add_task(text, total=None, fit="")
                self._progress.update(self._task, description=text, fit="")
            case Trained(examples=examples):
                self._progress.advance(self._task, examples)
            case EpochEnded():
                fit = (
                    f"epoch {event.epoch}/{event.epochs} · training loss {event.loss:.3f}, "
                    f"accuracy {event.accuracy:.3f}"
                )
                self._progress.update(self._task, fit=fit)
                if event.epoch == event.epochs:
                    whose = fit_of(event, self._stages.of(event))
                    self._console.print(Text(f"{whose}  {fit}"))
            case Measured(text=text):
                self._console.print(Text(text, style="bold"))
            case Note():
                # Text, not markup: it may quote what an edge sent.
                self._console.print(Text(line(event) or "", style="yellow"))


def listener(*, quiet: bool = False, verbose: bool = False) -> PlainLines | LiveBar:
    """The listener that fits standard output.

    Args:
        quiet: tells nothing but what the user should read.
        verbose: tells a line for everything, as log.txt has it.
    """
    if quiet or verbose:
        return PlainLines(details=verbose, only_notes=quiet)
    return LiveBar(Console()) if sys.stdout.isatty() else PlainLines()


def progress() -> PlainLines | LiveBar:
    """A listener for ``ecavg_tf.run`` that shows what the command line shows.

    In a terminal it is a live bar, elsewhere plain lines. ``run`` starts and ends it::

        ecavg_tf.run(config, "runs/mine", listener=ecavg_tf.progress())
    """
    return listener()
