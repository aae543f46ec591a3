"""Models that a run saved: what is damaged, or no file, is named before HDF5 reads it."""

import os
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from ecavg_tf.core.errors import WorkdirError
from ecavg_tf.models.saving import load_weights, save_model


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])


def test_a_flipped_bit_is_found_by_its_checksum(model: keras.Model, tmp_path: Path) -> None:
    path = save_model(model, tmp_path, "global")
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo("model.weights.h5")
    content = bytearray(path.read_bytes())
    content[entry.header_offset + entry.compress_size // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(WorkdirError, match=r"global\.keras is damaged \(.*; take a copy of it"):
        load_weights(model, tmp_path, "global")


def test_a_pipe_in_place_of_a_model(model: keras.Model, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "global.keras")
    with pytest.raises(WorkdirError, match=r"global\.keras is damaged \(.*is no regular file"):
        load_weights(model, tmp_path, "global")


def test_a_sound_model_is_loaded(model: keras.Model, tmp_path: Path) -> None:
    save_model(model, tmp_path, "global")
    before = model.get_weights()
    model.set_weights([np.zeros_like(weight) for weight in before])
    load_weights(model, tmp_path, "global")
    for found, saved in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, saved)
