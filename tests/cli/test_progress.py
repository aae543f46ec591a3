"""What people see: nothing that an edge sends may break it."""

import io

from rich.console import Console
from rich.progress import Progress

from ecavg_tf.events import EpochEnded, Measured, Note, RunPlanned, StageStarted, Trained
from ecavg_tf.live import LiveBar, _TimeLeft
from ecavg_tf.narrate import Lines, line


def shown(*events: object) -> str:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=120, color_system=None)
    with LiveBar(console) as bar:
        for event in events:
            bar(event)  # type: ignore[arg-type]
    return stream.getvalue()


def test_a_stage_of_an_edge_with_a_markup_name() -> None:
    assert "[/x] pre-trains" in shown(RunPlanned(1, 1, 9), StageStarted(1, "pretrain", "[/x]"))


def test_the_bar_tells_round_stage_edge_epoch_loss_accuracy_and_time() -> None:
    text = shown(
        RunPlanned(2, 1, 100),
        StageStarted(1, "pretrain", "edge-00"),
        Trained(50),
        EpochEnded(1, "edge-00", 1, 2, 0.5, 0.75, 1.0),
        EpochEnded(1, "edge-00", 2, 2, 0.25, 0.875, 1.0),
    )
    for word in (
        "round 1/2",
        "edge-00",
        "epoch 2/2",
        "loss 0.250",
        "accuracy 0.875",
        "50%",
    ):
        assert word in text
    assert "left" not in text  # in no time at all, nobody knows how long it takes


def test_epochs_of_an_edge_alone_are_not_told_as_a_rounds() -> None:
    lines = Lines()
    epoch = EpochEnded(1, "edge-00", 1, 2, 0.5, 0.75, 1.0)
    assert lines(StageStarted(1, "pretrain", "edge-00")) == "round 1: edge-00 pre-trains"
    told = "epoch 1/2  loss 0.5000  accuracy 0.7500  1.0 s"
    assert lines(epoch) == f"round 1: edge-00 {told}"
    lines(StageStarted(1, "alone", "edge-00"))
    assert lines(epoch) == f"edge-00 alone, to compare with: {told}"
    assert lines(EpochEnded(1, "edge-01", 1, 2, 0.5, 0.75, 1.0)) == f"round 1: edge-01 {told}"


def test_time_left_is_said_once_it_is_known() -> None:
    now = 0.0
    progress = Progress(_TimeLeft(), get_time=lambda: now)
    number = progress.add_task("trains", total=100)
    assert _TimeLeft().render(progress.tasks[0]).plain == ""
    for now in (1.0, 2.0, 3.0):  # noqa: B007  # the clock
        progress.advance(number, 10)
    assert _TimeLeft().render(progress.tasks[0]).plain == "0:00:07 left"


def test_what_a_round_came_to_on_test_examples_stays_above_the_bar() -> None:
    told = "round 1  test accuracy: averaged 57.1 %, global 90.0 %"
    assert told in shown(RunPlanned(1, 1, 10), Measured(told))
    assert line(Measured(told)) == told


def test_exports_belong_to_no_round_and_are_not_said_to_be_done() -> None:
    event = StageStarted(1, "export", "edge-00")
    assert line(event) == "exporting edge-00"
    text = shown(event)
    assert "exporting edge-00" in text
    assert "round" not in text
    assert line(StageStarted(1, "pretrain", "edge-00")) == "round 1: edge-00 pre-trains"


def test_what_edges_say_is_no_markup_and_no_terminal_code() -> None:
    note = Note("refused edge-00: weight [/x] [dense/kernel] \x1b[2J\nlost")
    text = shown(note)
    assert "[/x] [dense/kernel]" in text
    assert "\x1b[2J" not in text
    assert "\n" not in (line(note) or "")


def test_while_files_are_made_the_bar_does_not_stand_at_100_percent() -> None:
    text = shown(RunPlanned(1, 1, 10), Trained(10), StageStarted(1, "export", "edge-00"))
    last = text[text.rindex("exporting edge-00") :]
    assert "100%" not in last
    assert "0:00:00" not in last
