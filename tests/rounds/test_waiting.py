"""How long a server waits, and for whom: an edge that never shows up costs one deadline."""

import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from messages_for_tests import lay_reply

import ecavg_tf
from ecavg_tf.cli.output import print_tables
from ecavg_tf.config import Config, FleetKind
from ecavg_tf.core.errors import ConfigError, RoundError
from ecavg_tf.core.messages.mailbox import Mailbox
from ecavg_tf.core.messages.reply import NoReply, Reply
from ecavg_tf.core.messages.request import EXCHANGE, Request, Shipped
from ecavg_tf.core.template import Role, Template, WeightSpec
from ecavg_tf.events import Event, Note, StageStarted
from ecavg_tf.results import load_results
from ecavg_tf.rounds import folder_fleet
from ecavg_tf.rounds.folder_fleet import FolderFleet
from ecavg_tf.rounds.serving import serve_edges

TEMPLATE = Template((WeightSpec("w", (2,), "float32", Role.TRAINABLE),))
START = Shipped([np.zeros(2, np.float32)])
EDGES = ("edge-00", "edge-01", "edge-02")
DEADLINE_S = 0.5


class Exchange:
    """A server's end, and edges that answer when a test says so."""

    def __init__(self, folder: Path, quorum: int = 1) -> None:
        self.told: list[Event] = []
        self._folder = folder
        self._fleet = FolderFleet(
            folder, EDGES, run_id="run", template=TEMPLATE, config={}, timeout_s=DEADLINE_S,
            quorum=quorum, listener=self.told.append,
        )  # fmt: skip

    def answer(self, number: int, *edges: str) -> None:
        for edge in edges:
            request = Request(EXCHANGE, "run", number, TEMPLATE, START)
            body = {"decision": None, "seconds": {}}
            lay_reply(Mailbox(self._folder / edge), request, body, b"update")

    def play(self, number: int) -> tuple[list[Reply | NoReply], list[str]]:
        """A round's answers, and who was waited for."""
        before = len(self.told)
        answers = self._fleet.exchange(number, START, EDGES, [])
        waits = [event.who for event in self.told[before:] if isinstance(event, StageStarted)]
        return list(answers), waits


def absent(answers: list[Reply | NoReply]) -> list[str]:
    return [answer.edge for answer in answers if isinstance(answer, NoReply) and answer.absent]


def test_who_never_shows_up_costs_one_deadline(tmp_path: Path) -> None:
    server = Exchange(tmp_path)
    for number, expected in ((1, ["edge-02"]), (2, []), (3, [])):
        server.answer(number, *EDGES[:2])
        answers, waits = server.play(number)
        assert absent(answers) == ["edge-02"]
        assert waits == expected
    (missing,) = (answer for answer in answers if isinstance(answer, NoReply))
    assert missing.reason == "no answer since round 1; it may come back at any time"


def test_the_clock_starts_with_the_request(tmp_path: Path) -> None:
    """Before, every answer gave the others a whole deadline more."""
    server = Exchange(tmp_path)

    def answer() -> None:
        for at, edge in enumerate(EDGES):
            time.sleep(0.0 if at == 0 else 0.8 * DEADLINE_S)
            server.answer(1, edge)

    late = Thread(target=answer)
    late.start()
    answers, _ = server.play(1)
    late.join()
    assert absent(answers) == ["edge-02"]


def test_who_answers_late_is_waited_for_again(tmp_path: Path) -> None:
    server = Exchange(tmp_path)
    server.answer(1, *EDGES[:2])
    server.play(1)
    server.answer(1, "edge-02")  # after the deadline
    server.answer(2, *EDGES[:2])
    _, waits = server.play(2)
    assert waits == ["edge-02"]
    late = Note("round 1: edge-02 answered too late, and its answer is dropped")
    assert server.told.count(late) == 1


def test_who_comes_back_takes_part(tmp_path: Path) -> None:
    server = Exchange(tmp_path)
    server.answer(1, *EDGES[:2])
    server.play(1)
    server.answer(2, *EDGES)
    answers, _ = server.play(2)
    assert absent(answers) == []


def test_below_the_quorum_the_absent_are_waited_for_too(tmp_path: Path) -> None:
    server = Exchange(tmp_path, quorum=3)
    for number in (1, 2):
        server.answer(number, *EDGES[:2])
        answers, waits = server.play(number)
        assert absent(answers) == waits == ["edge-02"]


def test_a_reply_whose_files_never_come_whole_costs_one_deadline(tmp_path: Path) -> None:
    server = Exchange(tmp_path)
    for number in (1, 2):
        server.answer(number, *EDGES)
        (tmp_path / "edge-01" / "outbox" / f"{number:04d}-update.safetensors").write_bytes(b"other")
        answers, waits = server.play(number)
        assert absent(answers) == ["edge-01"]
        assert waits == (["edge-01"] if number == 1 else [])


def test_those_waited_for_are_named_with_the_command_that_starts_them(tmp_path: Path) -> None:
    server = Exchange(tmp_path / "x y")
    server.answer(1, "edge-00")
    server.play(1)
    waits = [event for event in server.told if isinstance(event, StageStarted)]
    assert [event.who for event in waits] == ["edge-01, edge-02"]
    notes = [event.text for event in server.told if isinstance(event, Note)]
    assert sum("--edge=edge-01" in text and f"'{tmp_path}/x y'" in text for text in notes) == 1


@pytest.fixture
def three(small: Callable[[], Config], tmp_path: Path) -> Config:
    config = small()
    config.rounds = 2
    config.partition.num_edges = 3
    config.edge.epochs = config.server.epochs = 1
    config.fleet.kind, config.fleet.folder = FleetKind.FOLDER, str(tmp_path / "exchange")
    config.fleet.edge_timeout_s = 60
    return config


class Clock:
    """The server's clock: its deadline is there once so many edges have answered."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answers: int) -> None:
        self._left = answers
        monkeypatch.setattr(folder_fleet, "time", self)
        self.sleep = time.sleep

    def monotonic(self) -> float:
        return time.monotonic() + (0 if self._left > 0 else 1000)

    def __call__(self, event: Event) -> None:
        self._left -= isinstance(event, Note) and event.text.endswith(" answered")


def test_with_one_of_three_edges_absent_the_others_finish(
    three: Config,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    three.fleet.timeout_s = 120
    clock = Clock(monkeypatch, 2)
    failed: list[BaseException] = []

    def serve() -> None:
        try:
            serve_edges(three, ["edge-00", "edge-02"], tmp_path / "edges")
        except BaseException as error:
            failed.append(error)

    thread = Thread(target=serve)
    thread.start()
    results = ecavg_tf.run(three, tmp_path / "run", listener=clock)
    thread.join(timeout=60)
    assert failed == []
    for played in results.rounds:
        assert [edge.edge for edge in played.edges] == ["edge-00", "edge-02"]
        assert all(edge.accepted for edge in played.edges)
        assert [missing.edge for missing in played.absent] == ["edge-01"]
        assert played.refused == ()
    assert load_results(tmp_path / "run") == results
    page = (tmp_path / "run" / "report.html").read_text()
    assert "<b>edge-01</b> was absent: no answer since round 1" in page
    print_tables(results)
    assert "absent edge-01: no answer since round 1" in capsys.readouterr().out


@pytest.mark.slow
def test_below_the_quorum_a_run_stops_and_can_be_resumed(
    three: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    three.rounds = 1
    three.fleet.timeout_s, three.fleet.quorum = 120, 2
    thread = Thread(target=serve_edges, args=(three, ["edge-00"], tmp_path / "zero"))
    thread.start()
    with pytest.raises(RoundError, match=r"round 1: 1 of the 2 updates that fleet\.quorum wants"):
        ecavg_tf.run(three, tmp_path / "run", listener=Clock(monkeypatch, 1))
    assert load_results(tmp_path / "run").status == "failed"
    second = Thread(target=serve_edges, args=(three, ["edge-01"], tmp_path / "one"))
    second.start()
    results = ecavg_tf.run(three, tmp_path / "run", listener=Clock(monkeypatch, 2))
    for each in (thread, second):
        each.join(timeout=60)
    assert [edge.edge for edge in results.rounds[0].edges] == ["edge-00", "edge-01"]


def test_a_quorum_that_no_round_can_reach(three: Config, tmp_path: Path) -> None:
    three.fleet.quorum = 4
    with pytest.raises(ConfigError, match=r"fleet\.quorum is 4, but a round asks 3 edges"):
        ecavg_tf.run(three, tmp_path / "run")
