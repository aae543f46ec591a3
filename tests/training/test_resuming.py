"""A killed fit goes on after its last kept epoch and ends with the same bits."""

import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ecavg_tf.config import EdgeConfig, Schedule
from ecavg_tf.core.checkpoint import Checkpoint, State
from ecavg_tf.core.template import Array, weights_sha256
from ecavg_tf.data.dataset import Examples
from ecavg_tf.events import EpochEnded, Event, Note
from ecavg_tf.training import resuming
from ecavg_tf.training.compiled import Compilation, CompiledModel
from ecavg_tf.training.resuming import Backup, drop_checkpoints
from ecavg_tf.training.trainer import KerasTrainer

pytestmark = pytest.mark.usefixtures("every_epoch_kept")
RNG = np.random.default_rng(0)
EXAMPLES = Examples(
    RNG.integers(0, 17, (50, 4, 4, 1), np.uint8), RNG.integers(0, 3, 50).astype(np.int64)
)
EPOCHS = 4
WHO = "edge-00"


class Run:
    """A process that trains, as far as a fit can tell."""

    def __init__(self, workdir: Path | None, **changes: Any) -> None:
        settings = EdgeConfig(
            epochs=EPOCHS,
            batch_size=16,
            optimizer="adam",
            schedule=Schedule.COSINE,
            weight_decay=0.01,
            **changes,
        )
        keras.utils.set_random_seed(1)
        layers = [keras.layers.Flatten(), keras.layers.BatchNormalization(),
                  keras.layers.Dropout(0.5), keras.layers.Dense(3, "softmax")]  # fmt: skip
        compiled = CompiledModel(
            keras.Sequential([keras.Input((4, 4, 1)), *layers]),
            Compilation.of(settings),
            input_shape=(4, 4, 1),
            logits=False,
        )
        self.killed_after = EPOCHS + 1
        self.epochs: list[int] = []
        self.notes: list[str] = []
        self.start: list[Array] = compiled.model.get_weights()
        folder = None if workdir is None else workdir / resuming.FOLDER
        self.trainer = KerasTrainer(
            compiled, settings, seed=3, listener=self.hear, checkpoints=folder
        )

    def hear(self, event: Event) -> None:
        if isinstance(event, Note):
            self.notes.append(event.text)
        if isinstance(event, EpochEnded):
            self.epochs.append(event.epoch)
            if event.epoch == self.killed_after:
                raise KeyboardInterrupt

    def fit(self, number: int = 1) -> str:
        return weights_sha256(self.trainer.fit(self.start, EXAMPLES, round_number=number, who=WHO))


def killed(workdir: Path, after: int, **changes: Any) -> None:
    run = Run(workdir, **changes)
    run.killed_after = after
    with pytest.raises(KeyboardInterrupt):
        run.fit()


@pytest.mark.parametrize("augment", [False, True])
@pytest.mark.parametrize("after", [2, EPOCHS])
def test_the_same_bits_and_no_finished_epoch_again(
    tmp_path: Path, after: int, augment: bool
) -> None:
    expected = Run(None, augment=augment).fit()
    killed(tmp_path, after, augment=augment)
    again = Run(tmp_path, augment=augment)
    assert again.fit() == expected
    assert again.epochs == list(range(after + 1, EPOCHS + 1))


def test_a_damaged_or_foreign_checkpoint_is_not_used(tmp_path: Path) -> None:
    killed(tmp_path, 2)
    expected = Run(None).fit(2)
    other = Run(tmp_path)
    assert other.fit(2) == expected  # of another round
    assert other.epochs == [1, 2, 3, 4]
    path = tmp_path / resuming.FOLDER / f"{WHO}.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    run = Run(tmp_path)
    assert run.fit(2) == expected
    assert run.epochs == [1, 2, 3, 4]
    assert run.notes == [
        f"{path} is damaged (its content does not match the hash that was written with it); "
        f"remove it; {WHO} trains from the beginning"
    ]


@pytest.mark.parametrize(("every", "synced"), [(60.0, 0), (0.0, EPOCHS)])
def test_the_disk_is_waited_for_after_seconds_of_work_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: float, synced: int
) -> None:
    waits: list[int] = []
    monkeypatch.setattr(os, "fsync", waits.append)
    monkeypatch.setattr(resuming, "EVERY_S", every)
    Run(tmp_path).fit()
    assert len(waits) == 2 * synced  # the file and its folder


def test_epochs_of_a_moment_are_not_kept_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resuming, "WORTH_S", 60.0)
    killed(tmp_path, 3)
    assert not list((tmp_path / resuming.FOLDER).glob("*"))
    again = Run(tmp_path)
    assert again.fit() == Run(None).fit()
    assert again.epochs == list(range(1, EPOCHS + 1))


def test_short_epochs_are_kept_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Epochs of 0.3 s: after two of them there is half a second's work to keep."""
    now = [0.0]
    monkeypatch.setattr(resuming, "WORTH_S", 0.5)
    monkeypatch.setattr(resuming.time, "monotonic", lambda: now[0])
    kept: list[int] = []
    checkpoint = Checkpoint(tmp_path / "edge-00.safetensors")
    backup = Backup(checkpoint, "key", lambda: State((np.zeros(1, np.float32),), (), 0.0))
    for epoch in range(5):
        now[0] += 0.3
        backup.on_epoch_end(epoch)
        found = checkpoint.load("key", State((np.zeros(1, np.float32),), (), 0.0))
        kept.append(0 if found is None else found[1])
    assert kept == [0, 2, 2, 4, 4]


def test_only_ones_own_checkpoints_are_dropped(tmp_path: Path) -> None:
    Run(tmp_path).fit()
    drop_checkpoints(tmp_path, ["edge-01"])
    assert len(list((tmp_path / resuming.FOLDER).iterdir())) == 1
    drop_checkpoints(tmp_path, ["edge-01", WHO])
    assert list(tmp_path.iterdir()) == []
