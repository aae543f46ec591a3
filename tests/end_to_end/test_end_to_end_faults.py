"""Whole runs in which something goes wrong: an edge's answer, the training, a file."""

import dataclasses
import shutil
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import numpy as np
import pytest

import ecavg_tf
from ecavg_tf.config import Config
from ecavg_tf.core.errors import RoundError, WorkdirError
from ecavg_tf.core.messages.reply import NoReply, Reply
from ecavg_tf.core.messages.request import Shipped
from ecavg_tf.core.messages.update_file import Update, write_update
from ecavg_tf.events import Event, Note, StageStarted
from ecavg_tf.results import load_results
from ecavg_tf.rounds.local_fleet import LocalFleet

Make = Callable[[], Config]


class Tampering(LocalFleet):
    """A fleet whose edge-01 answers something else than it should."""

    fault = "nan"

    def exchange(
        self,
        round_number: int,
        start: Shipped,
        participants: Sequence[str],
        pooled_wanted: Collection[str],
    ) -> Sequence[Reply | NoReply]:
        replies = list(super().exchange(round_number, start, participants, pooled_wanted))
        bad = replies[1]
        assert isinstance(bad, Reply)
        if self.fault == "silent":
            return [replies[0], NoReply("edge-01", "no whole answer within 1 s")]
        on_the_way = bad.update.with_name("on-the-way.safetensors")
        replies[1] = dataclasses.replace(bad, update=on_the_way)
        if self.fault == "torn":
            on_the_way.write_bytes(bad.update.read_bytes()[:-10])
            return replies
        update = Update(bad.update)
        weights = {key: np.array(update[key]) for key in sorted(update.keys)}
        if self.fault == "variance":
            for key in filter(lambda key: "variance" in key, weights):
                weights[key][...] = -1.0
            write_update(on_the_way, update.info, weights)
            return replies
        first = sorted(weights)[0]
        weights[first].flat[0] = np.nan
        write_update(on_the_way, update.info, weights)
        return replies


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("nan", "NaN or infinite"),
        ("torn", "edge-01.safetensors is not a file"),
        ("silent", "1 s"),
    ],
)
def test_a_refused_edge_does_not_stop_the_round(
    small: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, said: str
) -> None:
    monkeypatch.setattr("ecavg_tf.rounds.fleets.LocalFleet", Tampering)
    monkeypatch.setattr(Tampering, "fault", fault)
    told: list[Event] = []
    results = ecavg_tf.run(small(), tmp_path / "run", listener=told.append)
    (refused,) = results.rounds[0].refused
    assert refused.edge == "edge-01"
    assert said in refused.reason
    assert any(isinstance(e, Note) and "refused edge-01" in e.text for e in told)
    assert results.status == "finished"
    if fault == "nan":  # its data was sound, and it still gets a decision
        assert results.rounds[0].samples.server == 160
    if fault == "torn":  # what it claims can't be read, so its data can't be held against it
        assert results.rounds[0].samples.server == 80
    assert {e.edge for e in results.rounds[0].edges if e.accepted} == {"edge-00", "edge-01"}


@pytest.mark.slow
def test_a_variance_below_zero_is_refused_where_nobody_pools(
    small: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before, it was averaged, and the global model answered nothing but NaN."""
    monkeypatch.setattr("ecavg_tf.rounds.fleets.LocalFleet", Tampering)
    monkeypatch.setattr(Tampering, "fault", "variance")
    config = small()
    config.model.name = "models_for_tests:dropout_and_batchnorm"
    config.server.pool = False
    (played,) = ecavg_tf.run(config, tmp_path / "run").rounds
    (refused,) = played.refused
    assert refused.edge == "edge-01"
    assert "a variance, which is never below 0" in refused.reason


def test_a_round_without_any_update_fails_and_says_why(small: Make, tmp_path: Path) -> None:
    config = small()
    config.edge.learning_rate = 1e30  # every edge diverges
    config.edge.optimizer = "sgd"
    with pytest.raises(RoundError, match=r"no update was accepted \(edge-00: .* learning rate"):
        ecavg_tf.run(config, tmp_path / "run")
    assert load_results(tmp_path / "run").status == "failed"


def test_a_server_that_diverges_says_so(small: Make, tmp_path: Path) -> None:
    config = small()
    config.server.learning_rate = 1e30
    config.server.optimizer = "sgd"
    with pytest.raises(RoundError, match=r"lower server.learning_rate"):
        ecavg_tf.run(config, tmp_path / "run")


def test_a_global_model_at_chance_is_told(small: Make, tmp_path: Path) -> None:
    config = small()
    config.server.learning_rate = 1e9  # weights are huge, but finite
    told: list[str] = []
    ecavg_tf.run(config, tmp_path / "run", listener=lambda event: told.append(str(event)))
    assert any("no better than chance" in said and "a loss of 2.30" in said for said in told)
    told.clear()
    ecavg_tf.run(small(), tmp_path / "sound", listener=lambda event: told.append(str(event)))
    assert told
    assert not any("no better than chance" in said for said in told)


@pytest.mark.slow
def test_a_damaged_global_model_is_not_resumed_from(small: Make, tmp_path: Path) -> None:
    config = small()
    config.rounds = 2

    def interrupt(event: Event) -> None:
        if isinstance(event, StageStarted) and event.round == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ecavg_tf.run(config, tmp_path / "run", listener=interrupt)
    rounds = tmp_path / "run" / "rounds" / "0001"
    shutil.copyfile(rounds / "averaged.safetensors", rounds / "global.safetensors")
    with pytest.raises(WorkdirError, match="not the global model that round 1 recorded"):
        ecavg_tf.run(config, tmp_path / "run")
