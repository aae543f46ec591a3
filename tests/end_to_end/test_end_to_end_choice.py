"""Whole runs in which the server chooses what it fine-tunes, or aligns its updates."""

from pathlib import Path

import pytest

import ecavg_tf
from ecavg_tf.config import Align, Config, PartitionKind
from ecavg_tf.events import EpochEnded, Event, Note, StageStarted
from ecavg_tf.results import RunResults, load_results


def small() -> Config:
    config = Config()
    config.data.train_examples = 800
    config.partition.kind = PartitionKind.CLASSES
    config.model.hidden_units = 8
    config.edge.epochs = config.server.epochs = 1
    return config


def hashes(results: RunResults) -> list[str | None]:
    return [each.server.global_.weights_sha256 for each in results.rounds]


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["choose", "finetune"])
def test_a_run_that_was_cut_off_while_it_chose_ends_as_one_that_was_not(
    tmp_path: Path, stage: str
) -> None:
    config = small()
    config.server.combine = "auto"
    config.server.warmup_epochs = 1

    def cut(event: Event) -> None:
        if isinstance(event, StageStarted) and event.stage == stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ecavg_tf.run(config, tmp_path / "cut", listener=cut)
    resumed = ecavg_tf.run(config, tmp_path / "cut")
    whole = ecavg_tf.run(config, tmp_path / "whole")
    assert hashes(resumed) == hashes(whole)
    one, other = (load_results(tmp_path / name).rounds[0] for name in ("cut", "whole"))
    assert one.choice == other.choice
    assert one.choice is not None
    assert one.choice.processed > 0
    assert one.warmed_up == other.warmed_up == one.samples.server


@pytest.mark.slow
def test_a_soup_names_who_is_in_it_and_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    config = small()
    config.partition.num_edges = 3
    config.server.combine = "soup"
    config.server.epochs, config.server.tail_epochs = 3, 2

    def cut(event: Event) -> None:
        if isinstance(event, EpochEnded) and event.who == "server" and event.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ecavg_tf.run(config, tmp_path / "cut", listener=cut)
    resumed = ecavg_tf.run(config, tmp_path / "cut")
    whole = ecavg_tf.run(config, tmp_path / "whole")
    assert hashes(resumed) == hashes(whole)
    choice = whole.rounds[0].choice
    assert choice is not None
    assert choice.taken.startswith("soup of edge-")
    assert set(choice.scores) == {"edge edge-00", "edge edge-01", "edge edge-02", "soup"}
    assert choice.scores["soup"] >= max(choice.scores.values())
    assert choice.processed >= 3 * choice.held_out > 0


@pytest.mark.slow
def test_where_nobody_can_be_asked_the_results_say_why(tmp_path: Path) -> None:
    config = small()
    config.server.combine = "auto"
    random = ecavg_tf.run(config, tmp_path / "random").rounds[0].choice
    assert random is not None
    assert random.taken == "averaged"
    assert "random weights" in str(random.not_asked)
    config.server.pool = False
    alone = ecavg_tf.run(config, tmp_path / "alone").rounds[0].choice
    assert alone is not None
    assert alone.not_asked == "no data is pooled that could judge"


@pytest.mark.slow
def test_aligned_updates_average_better_and_the_log_says_so(tmp_path: Path) -> None:
    config = small()
    config.model.init = "independent"
    config.model.hidden_units = 32
    config.partition.kind = PartitionKind.IID
    config.edge.epochs = 5
    notes: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, Note):
            notes.append(event.text)

    losses = {}
    for how in Align:
        config.server.align = how
        averaged = ecavg_tf.run(config, tmp_path / how.value, listener=listen).rounds[0].server
        assert averaged.averaged.all is not None
        losses[how] = averaged.averaged.all.loss
    assert losses[Align.APART] < losses[Align.OFF]
    assert sum("aligned 2 updates" in note for note in notes) == 1
