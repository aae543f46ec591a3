"""An edge that comes when its run is over: with the folder that served it, or with another."""

from pathlib import Path

import pytest
from messages_for_tests import asked, reply
from paths_for_tests import ROOT

from ecavg_tf.cli import main as ecavg
from ecavg_tf.core.errors import RoundError, WorkdirError
from ecavg_tf.core.messages.mailbox import Mailbox
from ecavg_tf.core.messages.request import FINISH
from edge.cli import main
from edge.participating.serving import check_took_part
from edge.participating.store import EdgeStore

LINE = "is over and {} took no part in it; if it should have, give the {} that edge-00 used"


@pytest.fixture
def exchange(tmp_path: Path) -> Path:
    """The exchange folder of a run that is over."""
    box = Mailbox(tmp_path / "exchange" / "edge-00")
    for number in (9999, 10000):
        box.send(asked(number, FINISH))
        reply(box, asked(number, FINISH), tmp_path)
    (box.outbox / f".ecavg-x-0001-{FINISH}.json").write_text("left by a killed process")
    return tmp_path / "exchange"


def train(exchange: Path, state: Path) -> int:
    data = exchange.parent / "x.npz"
    data.touch()  # nothing of it is read any more
    words = [f"--exchange={exchange}", f"--state={state}", f"--data={data}", "--edge=edge-00"]
    return main(["train", *words])


def test_a_fresh_state(exchange: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(exchange, tmp_path / "fresh") == WorkdirError.exit_code
    printed = capsys.readouterr()
    assert LINE.format(tmp_path / "fresh" / "edge-00", "--state") in printed.err
    assert "predict with it" not in printed.out
    assert len(printed.err.splitlines()) == 1


def test_the_state_of_another_run(exchange: Path, tmp_path: Path) -> None:
    EdgeStore(tmp_path / "other" / "edge-00", "edge-00", "run-b")
    assert train(exchange, tmp_path / "other") == WorkdirError.exit_code


def test_the_state_that_served_it(
    exchange: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    EdgeStore(tmp_path / "own" / "edge-00", "edge-00", "run-a")
    assert train(exchange, tmp_path / "own") == 0
    assert "the run is over; what was accepted is in" in capsys.readouterr().out


def test_an_edge_with_tensorflow(
    exchange: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fresh = tmp_path / "fresh"
    config = ROOT / "configs" / "two_edges.py"
    words = [
        f"--config={config}",
        f"--config.fleet.folder={exchange}",
        "--edge=edge-00",
        f"--workdir={fresh}",
    ]
    assert ecavg(["edge", *words]) == WorkdirError.exit_code
    assert LINE.format(fresh / "edge-00", "--workdir") in capsys.readouterr().err
    assert not fresh.exists()


def test_a_run_that_goes_on_or_a_reply_that_is_cut(exchange: Path, tmp_path: Path) -> None:
    box = Mailbox(exchange / "edge-00")
    path = box.outbox / "10000-finish.json"
    path.write_text(path.read_text().replace("run_id", "run_it"))
    with pytest.raises(RoundError, match="is not a reply"):
        check_took_part(box, tmp_path, "--state")
    path.unlink()
    check_took_part(box, tmp_path, "--state")
