"""Edges in processes: the same bits however many there are; who dies is named; nobody is left."""

import multiprocessing
import os
import signal
from pathlib import Path

import keras
import pytest

import ecavg_tf
from ecavg_tf.config import Config
from ecavg_tf.core.errors import ConfigError, RoundError, UpdateRefused
from ecavg_tf.events import EpochEnded, Event, StageStarted
from ecavg_tf.results import RunResults
from ecavg_tf.rounds.edge_process import Failed
from ecavg_tf.rounds.loop import run
from ecavg_tf.rounds.process_fleet import _again
from edge.policy import Choice, Situation

MARK = "ECAVG_TEST_MARK"  # names a file; while it is missing, an edge's process dies


def config_of(**changes: object) -> Config:
    config = Config()
    config.data.train_examples, config.data.test_examples = 240, 40
    config.partition.num_edges = 3
    config.model.hidden_units = 8
    config.edge.epochs = config.server.epochs = 1
    config.fleet.workers = 2
    return ecavg_tf.with_fields(config, changes)


def hashes(results: RunResults) -> list[str]:
    found = [str(result.server.global_.weights_sha256) for result in results.rounds]
    accepted = [each.accepted for result in results.rounds for each in result.edges]
    return found + [each.weights_sha256 for each in accepted if each is not None]


def files_of(workdir: Path) -> set[str]:
    return {str(path.relative_to(workdir)) for path in workdir.rglob("*") if path.is_file()}


def dying(round_number: int, who: str) -> keras.callbacks.Callback:
    """Kills the process of one edge, once."""
    mark = Path(os.environ[MARK])
    if (round_number, who) == (1, "edge-01") and not mark.exists():
        mark.write_text("died")
        os.kill(os.getpid(), signal.SIGKILL)
    return keras.callbacks.Callback()


def refusing(situation: Situation) -> Choice:
    raise ValueError(f"{situation.edge} does not like it")


@pytest.mark.slow
def test_bits_and_files_do_not_depend_on_the_number_of_processes(tmp_path: Path) -> None:
    told: list[Event] = []
    config = config_of(rounds=2)
    two = run(config, tmp_path / "two", listener=told.append)
    one = run(config_of(**{"rounds": 2, "fleet.workers": 1}), tmp_path / "one")
    assert hashes(one) == hashes(two)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")
    trained = [event.who for event in told if isinstance(event, EpochEnded)]
    assert sorted(trained) == sorted(["edge-00", "edge-01", "edge-02", "server"] * 2)
    assert not multiprocessing.active_children()


@pytest.mark.slow
def test_a_process_that_dies_is_named_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "mark"
    monkeypatch.setenv(MARK, str(mark))
    config = config_of(**{"edge.callbacks": f"{__name__}:dying"})
    with pytest.raises(RoundError, match=r"served edge-01 \(killed by SIGKILL\) died; .* goes on"):
        run(config, tmp_path / "run")
    assert not multiprocessing.active_children()
    again = run(config, tmp_path / "run")
    assert hashes(again) == hashes(run(config, tmp_path / "whole"))
    assert files_of(tmp_path / "run") == files_of(tmp_path / "whole")


@pytest.mark.slow
def test_what_an_edge_raises_arrives_as_its_one_line(tmp_path: Path) -> None:
    config = config_of(**{"update.policy": f"{__name__}:refusing"})
    with pytest.raises(RoundError, match=r"fails: ValueError: edge-0. does not like it"):
        run(config, tmp_path / "run")
    assert not multiprocessing.active_children()


@pytest.mark.slow
def test_an_interrupt_ends_all_processes_and_the_run_goes_on(tmp_path: Path) -> None:
    def listen(event: Event) -> None:
        if isinstance(event, StageStarted) and event.who == "edge-02":
            raise KeyboardInterrupt

    config = config_of()
    with pytest.raises(KeyboardInterrupt):
        run(config, tmp_path / "cut", listener=listen)
    assert not multiprocessing.active_children()
    whole = run(config, tmp_path / "whole")
    assert hashes(run(config, tmp_path / "cut")) == hashes(whole)
    assert files_of(tmp_path / "cut") == files_of(tmp_path / "whole")


def test_processes_are_for_edges_of_this_machine() -> None:
    with pytest.raises(ConfigError, match=r"fleet\.workers is 2, but fleet\.kind=folder"):
        config_of(**{"fleet.kind": "folder", "fleet.folder": "somewhere"})


def test_an_error_keeps_its_kind_on_its_way() -> None:
    error = _again(Failed("edge-00", ConfigError, "a line"))
    assert type(error) is ConfigError and str(error) == "a line"
    other = _again(Failed("edge-00", UpdateRefused, "edge-00: another"))
    assert type(other) is RoundError and str(other) == "edge-00: another"
