"""The state of training: one flipped bit in its file is never trained on."""

from pathlib import Path

import numpy as np
import pytest

from ecavg_tf.core.checkpoint import Checkpoint, State
from ecavg_tf.core.errors import WorkdirError
from ecavg_tf.core.messages.update_file import TensorFile, save_tensors

STATE = State((np.arange(6, dtype=np.float32).reshape(2, 3),), (np.full(3, 0.5, np.float32),), 4.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    Checkpoint(tmp_path / "learner.safetensors").save("key", 3, STATE)
    return tmp_path / "learner.safetensors"


def test_it_comes_back_as_it_was(path: Path) -> None:
    found = Checkpoint(path).load("key", STATE)
    assert found is not None
    state, epochs = found
    np.testing.assert_array_equal(state.weights[0], STATE.weights[0])
    np.testing.assert_array_equal(state.slots[0], STATE.slots[0])
    assert (state.step, epochs) == (4.0, 3)
    assert Checkpoint(path).load("another", STATE) is None


def test_every_flipped_bit_is_seen(path: Path) -> None:
    """In the key: it is another training's. In a sign that nothing reads: it does no harm."""
    whole, damaged = path.read_bytes(), 0
    for at in range(len(whole)):
        changed = bytearray(whole)
        changed[at] ^= 1
        path.write_bytes(changed)
        try:
            found = Checkpoint(path).load("key", STATE)
        except WorkdirError as error:
            assert str(error).endswith("; remove it")
            damaged += 1
            continue
        if found is not None:
            np.testing.assert_array_equal(found[0].weights[0], STATE.weights[0])
            np.testing.assert_array_equal(found[0].slots[0], STATE.slots[0])
            assert (found[0].step, found[1]) == (4.0, 3)
    assert damaged > 0.8 * len(whole)


def test_a_file_without_a_hash(path: Path) -> None:
    stored = TensorFile(path)
    arrays = {key: stored[key] for key in stored.keys}
    del stored.metadata["sha256"]
    save_tensors(path, arrays, stored.metadata)
    with pytest.raises(WorkdirError, match=r"is damaged \(.*\); remove it"):
        Checkpoint(path).load("key", STATE)
