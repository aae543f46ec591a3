"""Faults of a fleet over Flower: one server and two edges, which serve one run after the other."""

import contextlib
import json
import os
import runpy
import shutil
import signal
import subprocess
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import pytest

pytest.importorskip("flwr", reason="the extra 'fleet' is not installed")
from flower_for_tests import Field, bits, processes
from links_for_tests import Link
from paths_for_tests import ROOT

import ecavg_tf
from ecavg_tf.config import Config
from ecavg_tf.core.messages.reply import NoReply, Reply
from ecavg_tf.core.messages.request import Shipped
from ecavg_tf.results import RunResults, load_results
from ecavg_tf.rounds.local_fleet import LocalFleet

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc"),
]
EDGES = ("east", "north")
EAST, NORTH = 63, 168  # examples that they train on
LIES = {2: "raise", 3: "nan", 4: "shape", 5: "model", 6: "yesterday"}
LATE, BACK = 7, 8
LIED = ("--config.rounds=8", "--config.edge.epochs=1", "--config.fleet.timeout_s=90")
TWO_ROUNDS = ("--config.rounds=2", "--config.server.epochs=300")


class Faults(Field):
    """Edges whose processes a test holds up; north reaches the server over a line of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, EDGES)
        support = ROOT / "tests" / "support" / "bad_edges_for_tests.py"
        shutil.copy(support, folder / "bad_edges.py")
        self.link = Link(self.port)
        self.disk = folder / "disk"  # of north alone, where it can be mounted
        self.disk.mkdir()
        words = ["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(self.disk)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        self.no_disk = done.stderr if done.returncode else ""

    def up(self) -> None:
        """Starts server and edges."""
        self.serve()
        self.join("east", "--data=bad_edges:east")
        own = ["--data=bad_edges:north", f"--state={self.disk / 'north'}"]
        self.join("north", *own, f"--server=localhost:{self.link.port}")

    def stop(self) -> None:
        """Stops everything as a user does."""
        super().stop()
        if not self.no_disk:
            subprocess.run(["umount", "--lazy", str(self.disk)], check=True)

    @contextlib.contextmanager
    def full_disk(self) -> Iterator[None]:
        """Leaves no byte free on north's disk for a while."""
        path = self.disk / "hog"
        with pytest.raises(OSError, match="No space left"), path.open("wb") as stream:
            while True:
                stream.write(bytes(2**16))
                stream.flush()
        try:
            yield
        finally:
            path.unlink()

    def hold(self, edge: str, number: int) -> Path:
        """Lets an edge not begin to train in a round until the file that this gives is gone."""
        path = self.folder / f"hold-{edge}-{number}"
        path.touch()
        return path

    def log(self, run: str) -> Path:
        """What a run says; what is printed of it lags behind."""
        return self.folder / run / "log.txt"


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faults]:
    made = Faults(tmp_path_factory.mktemp("fleet"))
    with made.link:
        try:
            made.up()
            yield made
        finally:
            made.stop()


@pytest.fixture(scope="module")
def lied(field: Faults) -> RunResults:
    """A run in which north answers wrongly, then too late, and then as it should."""
    lies = field.folder / "lies.json"
    lies.write_text(json.dumps(LIES))
    sleeps, waits = field.hold("north", LATE), field.hold("east", BACK)
    field.run(*LIED, name="lied")
    field.wait_for(field.log("lied"), f"round {LATE}: north is absent: no whole answer within")
    sleeps.unlink()
    field.wait_for(field.log("lied"), f"round {LATE}: north answered too late")
    waits.unlink()
    results = field.end("lied")
    lies.unlink()
    return results


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (2, "unforeseen RuntimeError: the trainer broke"),
        (3, "NaN or infinite"),
        (4, "shape"),
        (5, "template"),
        (6, "round 5"),
    ],
    ids=LIES.values(),
)
def test_a_wrong_answer_is_refused_and_named(
    field: Faults, lied: RunResults, number: int, said: str
) -> None:
    played = lied.rounds[number - 1]
    (refused,) = played.refused
    assert refused.edge == "north"
    assert said in refused.reason
    assert f"round {number}: refused north: {refused.reason}" in field.log("lied").read_text()
    assert played.participants == EDGES
    assert played.absent == ()
    check_kept(field, lied, number, EAST)


def test_who_is_slower_than_the_deadline_is_absent_and_named(
    field: Faults, lied: RunResults
) -> None:
    played = lied.rounds[LATE - 1]
    (absent,) = played.absent
    assert absent.edge == "north"
    assert absent.reason == "no whole answer within 90 s (fleet.timeout_s)"
    assert played.refused == ()
    check_kept(field, lied, LATE, EAST)  # also after its answer came
    dropped = f"round {LATE}: north answered too late, and its answer is dropped"
    assert dropped in field.printed("lied")


def test_who_comes_back_takes_part(field: Faults, lied: RunResults) -> None:
    for number in (1, BACK):
        played = lied.rounds[number - 1]
        assert played.refused == played.absent == ()
        check_kept(field, lied, number, EAST + NORTH)
    assert {each.edge for each in lied.rounds[-1].edges if each.accepted} == set(EDGES)
    assert "the process of north ended with code 1" in field.printed("north")  # it raised


class Without(LocalFleet):
    """Edges in this process, of which north says nothing in the rounds in between."""

    def exchange(
        self,
        round_number: int,
        start: Shipped,
        participants: Sequence[str],
        pooled_wanted: Collection[str],
    ) -> Sequence[Reply | NoReply]:
        replies = super().exchange(round_number, start, participants, pooled_wanted)
        if round_number in (1, BACK):
            return replies
        return [replies[0], NoReply("north", "it says nothing", absent=True)]


def test_the_end_is_that_of_a_run_without_the_wrong_answers(
    field: Faults, lied: RunResults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecavg_tf.rounds.fleets.LocalFleet", Without)
    config: Config = runpy.run_path(str(field.folder / "conf.py"))["get_config"]()
    config.rounds, config.edge.epochs, config.data.name = 8, 1, str(field.folder / "data")
    near = ecavg_tf.run(config, tmp_path / "near")
    assert [sha for sha, _ in bits(lied)] == [sha for sha, _ in bits(near)]
    assert [edges["east"] for _, edges in bits(lied)] == [edges["east"] for _, edges in bits(near)]


def test_an_edge_killed_in_its_training_comes_back(field: Faults) -> None:
    held = field.hold("north", 1)
    field.run(*TWO_ROUNDS, name="killed")
    field.wait_for(field.log("killed"), "round 1: waits for north")
    killed = processes(f"ecavg_tf edge --edge=north --exchange={field.folder}")
    for number in killed:
        os.kill(number, signal.SIGKILL)
    field.wait("north", "was killed by signal 9")
    held.unlink()
    far = field.end("killed")
    assert all(played.refused == played.absent == () for played in far.rounds)
    assert bits(far) == bits(field.near(*TWO_ROUNDS))


def test_an_edge_whose_disk_is_full_says_so_and_goes_on(field: Faults) -> None:
    if field.no_disk:
        pytest.skip(f"no file system can be mounted here: {field.no_disk}")
    # A request is larger than what is removed meanwhile.
    large = ("--config.rounds=2", "--config.edge.epochs=1", "--config.model.hidden_units=2000")
    east, north = field.hold("east", 1), field.hold("north", 2)
    field.run(*large, name="full")
    field.wait_for(field.log("full"), "round 1: north answered")
    with field.full_disk():  # when the next request comes
        east.unlink()
        field.wait("full", "north: the edge's --state can't be written: the disk is full")
    field.wait_for(field.log("full"), "round 2: waits for north")
    log = max((field.disk / "north").glob("run-*/edge.log"))
    field.wait_for(log, "round 2: north pre-trains")
    with field.full_disk():  # when it has trained
        north.unlink()
        field.wait("north", "the process of north ended with code 4 (")
        (line,) = [line for line in field.printed("north").splitlines() if "code 4" in line]
    assert "the disk is full" in line
    far = field.end("full")
    assert field.printed("full").count("the disk is full") == 1
    assert all(played.refused == played.absent == () for played in far.rounds)
    assert bits(far) == bits(field.near(*large, name="near-full"))


def test_a_line_that_is_cut_in_the_middle_of_a_transfer(field: Faults) -> None:
    """6 MB of weights in each direction; the line breaks once 2 MB of them have passed."""
    large = ("--config.rounds=1", "--config.edge.epochs=1", "--config.model.hidden_units=20000")
    held = field.hold("north", 1)
    before = field.link.cuts
    field.link.cut_after(2_000_000, upwards=False)
    field.run(*large, name="cut")
    deadline = time.monotonic() + 300
    while field.link.cuts == before:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    field.link.cut_after(2_000_000, upwards=True)
    held.unlink()
    far = field.end("cut")
    assert field.link.cuts == before + 2
    assert far.rounds[0].absent == far.rounds[0].refused == ()
    assert bits(far) == bits(field.near(*large, name="near-cut"))


def test_a_server_killed_between_average_and_fine_tuning_goes_on(field: Faults) -> None:
    field.run(*TWO_ROUNDS, name="stopped")
    field.wait_for(field.log("stopped"), "round 2: server fine-tunes")
    field.kill_server()
    rounds = field.folder / "stopped" / "rounds"
    assert (rounds / "0001" / "metrics.json").exists()
    assert [path.name for path in (rounds / "0002").iterdir()] == ["updates"]
    updates = sorted(path.stem for path in (rounds / "0002" / "updates").iterdir())
    assert updates == list(EDGES)  # they are not trained again
    assert field.running["stopped"].wait(timeout=300) == 5, field.printed("stopped")
    assert "finished rounds are kept, and the same command goes on" in field.printed("stopped")
    assert load_results(field.folder / "stopped").status == "interrupted"
    field.run(*TWO_ROUNDS, name="stopped")
    assert bits(field.end("stopped")) == bits(field.near(*TWO_ROUNDS))
    said = field.log("stopped").read_text()
    assert said.count("round 1: server fine-tunes") == 1


def test_a_killed_superlink_comes_back_and_the_run_goes_on(field: Faults) -> None:
    held = field.hold("north", 2)
    field.run(*TWO_ROUNDS, name="unlinked")
    field.wait_for(field.log("unlinked"), "round 2: waits for")
    for number in processes(f"flower-superlink --host 127.0.0.1 --port {field.port}"):
        os.kill(number, signal.SIGKILL)
    field.wait("serve", "was killed by signal 9")
    held.unlink()
    deadline = time.monotonic() + 400
    while field.running["unlinked"].wait(timeout=300) != 0:
        assert "the same command goes on" in field.printed("unlinked")
        assert time.monotonic() < deadline, field.printed("unlinked")
        field.run(*TWO_ROUNDS, name="unlinked")
    far = field.end("unlinked")
    assert all(played.refused == played.absent == () for played in far.rounds)
    assert bits(far) == bits(field.near(*TWO_ROUNDS))


def check_kept(field: Faults, lied: RunResults, number: int, examples: int) -> None:
    """What a round was averaged over, and what the run directory holds of it."""
    assert lied.rounds[number - 1].samples.edges == examples
    folder = field.folder / "lied" / "rounds" / f"{number:04d}"
    last = {"global.keras", "finish.json"}  # of the last round alone
    assert {path.name for path in folder.iterdir()} - last == {
        "averaged.safetensors", "decisions.json", "global.safetensors", "metrics.json"
    }  # fmt: skip
