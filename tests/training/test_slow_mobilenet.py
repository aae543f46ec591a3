"""Determinism and resuming with MobileNetV2 on real examples."""

from pathlib import Path

import pytest

import ecavg_tf
from ecavg_tf.config import Config, PartitionKind
from ecavg_tf.events import Event, StageStarted

pytestmark = pytest.mark.slow


def config(tfds_dir: str) -> Config:
    made = Config(rounds=2)
    made.data.name = "cifar10"
    made.data.data_dir = tfds_dir
    made.data.train_examples, made.data.test_examples = 300, 100
    made.partition.kind = PartitionKind.CLASSES
    made.model.name = "mobilenet_v2"
    made.edge.epochs = made.server.epochs = 1
    made.edge.augment = made.server.augment = True
    return made


def test_same_bits_again_and_after_an_interruption(tfds_dir: str, tmp_path: Path) -> None:
    def interrupt(event: Event) -> None:
        if event == StageStarted(2, "pretrain", "edge-01"):
            raise KeyboardInterrupt

    whole = ecavg_tf.run(config(tfds_dir), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        ecavg_tf.run(config(tfds_dir), tmp_path / "cut", listener=interrupt)
    resumed = ecavg_tf.run(config(tfds_dir), tmp_path / "cut")
    assert [r.server for r in resumed.rounds] == [r.server for r in whole.rounds]
    assert [r.edges for r in resumed.rounds] == [r.edges for r in whole.rounds]
