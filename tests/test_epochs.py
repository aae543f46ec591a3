"""epochs.csv: every epoch of every fit, whatever happens to the process."""

import math
from pathlib import Path

import pytest

from ecavg_tf.epochs import COLUMNS, FILE, EpochsFile, read_epochs
from ecavg_tf.events import EpochEnded, StageStarted


def ended(who: str, epoch: int, loss: float = 0.5, number: int = 1) -> EpochEnded:
    return EpochEnded(number, who, epoch, 3, loss, 0.75, 0.25)


def test_epochs_of_several_edges_at_once_are_told_apart(tmp_path: Path) -> None:
    told = EpochsFile(tmp_path)
    for event in (
        StageStarted(1, "pretrain", "a"),
        StageStarted(1, "pretrain", "b, c"),
        ended("a", 1),
        StageStarted(1, "finetune", "server"),
        ended("b, c", 1),
        ended("server", 1),
        StageStarted(2, "alone", "a"),
        ended("a", 1, number=1),
    ):
        told(event)
    found = [(each.round, each.who, each.stage) for each in read_epochs(tmp_path)]
    assert found == [
        (1, "a", "pretrain"),
        (1, "b, c", "pretrain"),
        (1, "server", "finetune"),
        (1, "a", "alone"),
    ]
    assert (tmp_path / FILE).read_text().splitlines()[0] == ",".join(COLUMNS)


def test_a_resumed_run_goes_on_in_it(tmp_path: Path) -> None:
    first = EpochsFile(tmp_path)
    first(ended("a", 1, loss=2.0))
    first(ended("a", 2, loss=1.0))
    with (tmp_path / FILE).open("a") as file:
        file.write("1,a,pret")  # killed in the middle of a line
    again = EpochsFile(tmp_path)
    again(ended("a", 2, loss=0.5))
    again(ended("a", 3, loss=0.25))
    assert [(each.epoch, each.loss) for each in read_epochs(tmp_path)] == [
        (1, 2.0),
        (2, 0.5),
        (3, 0.25),
    ]


def test_an_unknown_value_is_none(tmp_path: Path) -> None:
    EpochsFile(tmp_path)(EpochEnded(1, "a", 1, 1, math.inf, math.nan, 0.1))
    (found,) = read_epochs(tmp_path)
    assert (found.loss, found.accuracy) == (None, None)


@pytest.mark.parametrize(
    "damage",
    [b"", b"\xff\xfe", b"1,a,pretrain,1,1,nan,0.5,1\n", b"1,a,pretrain,2,1,0.5,0.5,1\n", b"\0\n"],
)
def test_a_damaged_line_is_passed_over(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / FILE).write_bytes(damage)
    assert read_epochs(tmp_path) == ()
    assert read_epochs(tmp_path / "nowhere") == ()
