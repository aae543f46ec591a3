"""epochs.csv: loss and accuracy of every epoch of every fit in a run's process, a line each.

Lines are appended as epochs end, so that a run in progress, or a killed one, shows its curves, too.
"""

import csv
import io
import math
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from ecavg_tf.core.files import read_whole
from ecavg_tf.events import EpochEnded, Event, Stages

FILE = "epochs.csv"


@dataclass(frozen=True)
class Epoch:
    """One epoch of a fit.

    Attributes:
        round: the round that the fit belongs to, from 1; 0: before the first.
        who: an edge, or ``server``.
        stage: ``pretrain`` (an edge in its round), ``alone`` (an edge of the baseline),
            ``finetune``, ``warmup`` or ``pooled_only`` (the server; the last for the baseline).
        epoch: its number, from 1.
        epochs: how many the fit has.
        loss: mean over the epoch's batches, on the training data; None: unknown.
        accuracy: likewise, in [0, 1].
        seconds: what the epoch took.
    """

    round: int
    who: str
    stage: str
    epoch: int
    epochs: int
    loss: float | None
    accuracy: float | None
    seconds: float


COLUMNS = tuple(each.name for each in fields(Epoch))


class EpochsFile:
    """A listener that appends a line for every epoch.

    Args:
        folder: the run directory; a resumed run goes on in its file.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._stages = Stages()
        self._begun = False

    def __call__(self, event: Event) -> None:
        """Remembers who is in which stage, or appends an epoch."""
        self._stages.hear(event)
        if isinstance(event, EpochEnded):
            self._append(
                event.round,
                event.who,
                self._stages.of(event),
                event.epoch,
                event.epochs,
                _rounded(event.loss),
                _rounded(event.accuracy),
                round(event.seconds, 4),
            )

    def _append(self, *cells: object) -> None:
        with self._path.open("a+b") as file:
            if not self._begun:
                self._begin(file)
            file.write(_line(cells))

    def _begin(self, file: io.BufferedIOBase) -> None:
        """The header of a new file; of one that was killed in a line, the end of that."""
        self._begun = True
        if file.seek(0, io.SEEK_END) == 0:
            file.write(_line(COLUMNS))
            return
        file.seek(-1, io.SEEK_END)
        if file.read(1) != b"\n":
            file.write(b"\n")


def _line(cells: tuple[object, ...]) -> bytes:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerow(cells)
    return stream.getvalue().encode()


def _rounded(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None


def read_epochs(folder: Path) -> tuple[Epoch, ...]:
    """What a run directory's ``epochs.csv`` tells, in the order in which it was told first.

    An epoch that a resumed run trained again counts as it was trained last. A line that was cut
    off is passed over; so is a file that is not there: older runs have none.
    """
    try:
        text = read_whole(folder / FILE).decode()
        lines = list(csv.reader(io.StringIO(text, newline="")))
    except (OSError, ValueError, csv.Error):
        return ()
    found: dict[tuple[int, str, str, int], Epoch] = {}
    for cells in lines:
        epoch = _read(cells)
        if epoch is not None:
            found[epoch.round, epoch.who, epoch.stage, epoch.epoch] = epoch
    return tuple(found.values())


def _read(cells: list[str]) -> Epoch | None:
    """One line; None: it is the header, or damaged."""
    try:
        number, who, stage, epoch, epochs, loss, accuracy, seconds = cells
        made = Epoch(
            int(number),
            who,
            stage,
            int(epoch),
            int(epochs),
            float(loss) if loss else None,
            float(accuracy) if accuracy else None,
            float(seconds),
        )
    except ValueError:
        return None
    finite = all(math.isfinite(value) for value in astuple(made) if isinstance(value, float))
    return made if finite and made.round >= 0 and 1 <= made.epoch <= made.epochs else None
