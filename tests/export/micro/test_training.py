"""A stateless training file in tflite-micro: how small its arena may be, and what is refused."""

import keras
import numpy as np
import pytest
from tflite_for_tests import convert, sequential

from ecavg_tf.core.errors import ExportError
from export.making.stateless import HeadShape, convert_stateless
from export.micro.interpreter import ARENA_STEP
from export.micro.process import MicroProcess
from export.micro.training import require_stateless, train_in_micro

pytest.importorskip("tflite_micro", reason="the extra 'micro' is not installed")
SHAPE = HeadShape(6, 3, 2)


@pytest.fixture(scope="module")
def content() -> bytes:
    return convert_stateless(SHAPE)


def given() -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(1, 2, 6)).astype(np.float32)
    y = np.eye(3, dtype=np.float32)[None, :2]
    return x, y, [np.zeros((6, 3), np.float32), np.zeros(3, np.float32)]


def test_the_arena_is_the_smallest(content: bytes) -> None:
    x, y, weights = given()
    found = train_in_micro(content, x, y, weights, steps=2, rate=0.1)
    needed = found.arena.needed
    assert found.rows.shape == (2, 1 + 18 + 3)
    assert found.rows[0, 0] == pytest.approx(np.log(3), abs=1e-6)
    with MicroProcess(content, ports=5) as process:
        assert process.works(needed)
        assert not process.works(needed - ARENA_STEP)
        assert not process.works(64)  # this little crashes the interpreter
        assert process.works(needed)


def test_arrays_must_fit(content: bytes) -> None:
    x, y, weights = given()
    with pytest.raises(ExportError, match=r"x has shape \(2, 5\), the file takes \(2, 6\)"):
        train_in_micro(content, x[..., :5], y, weights, steps=1, rate=0.1)
    with pytest.raises(ExportError, match=r"kernel has shape \(3, 6\), the file takes \(6, 3\)"):
        train_in_micro(content, x, y, [weights[0].T, weights[1]], steps=1, rate=0.1)


def test_files_that_do_not_train(content: bytes) -> None:

    layers = keras.layers
    model = sequential((6,), layers.Dense(3, "softmax"))
    with pytest.raises(ExportError, match=r"the file.s inputs are .*make one with ecavg export"):
        require_stateless(convert(model, "int8"))
    with pytest.raises(ExportError, match="damaged or cut short"):
        require_stateless(content[:-300])
