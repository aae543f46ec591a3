"""What people see: nothing that an edge sends may break it."""

import io

from rich.console import Console

from ecavg_tf.events import EpochEnded, Note, RunPlanned, StageStarted, Trained
from ecavg_tf.live import LiveBar
from ecavg_tf.narrate import line


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
        "left",
        "50%",
    ):
        assert word in text


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
