"""A file that keeps nothing takes the steps that Keras takes."""

import math
import shutil
import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest

from ecavg_tf.core.errors import ConfigError
from export.making.converting_process import first_stateless
from export.making.stateless import HeadShape, convert_stateless
from export.micro.training import train_in_micro
from export.reading.flatmodel import read_flatmodel

Arrays = tuple[np.ndarray, ...]
RATE, STEPS, BATCHES = 0.05, 50, 7


def test_one_step_by_hand() -> None:
    """Two rows count, the third does not; with zero weights every probability is a half.

    d logits of a row is (p - y) / 2 rows: (-1/4, 1/4) for class 0, (1/4, -1/4) for class 1.
    The kernel's gradient is the sum over rows of x times that: x = (4, 8) and (2, 0) give
    (-1 + 1/2, 1 - 1/2) and (-2, 2); the bias' is zero. The rate is 1/2.
    """
    content = convert_stateless(HeadShape(2, 2, 3))
    x = np.array([[[4, 8], [2, 0], [77, -99]]], np.float32)
    y = np.array([[[1, 0], [0, 1], [0, 0]]], np.float32)
    start = [np.zeros((2, 2), np.float32), np.zeros(2, np.float32)]
    (row,) = first_stateless(content, x, y, start, steps=1, rate=0.5)
    expected = [math.log(2), 0.25, -0.25, 1.0, -1.0, 0.0, 0.0]
    np.testing.assert_allclose(row, expected, atol=1e-7)
    assert not start[0].any()


def test_one_step_of_two_classes_by_hand() -> None:
    """One unit: p of the second class is a half at 0; its logit's gradient is p - y, here -1/2."""
    content = convert_stateless(HeadShape(3, 1, 2))
    x = np.array([[[2, 4, 6], [5, 5, 5]]], np.float32)
    y = np.array([[[0, 1], [0, 0]]], np.float32)
    start = [np.zeros((3, 1), np.float32), np.zeros(1, np.float32)]
    (row,) = first_stateless(content, x, y, start, steps=1, rate=0.5)
    np.testing.assert_allclose(row, [math.log(2), 0.5, 1.0, 1.5, 0.25], atol=1e-7)


def test_a_batch_without_a_row_that_counts_changes_nothing() -> None:
    content = convert_stateless(HeadShape(2, 3, 2))
    draw = np.random.default_rng(0)
    weights = [draw.normal(size=shape).astype(np.float32) for shape in ((2, 3), (3,))]
    x = draw.normal(size=(1, 2, 2)).astype(np.float32)
    (row,) = first_stateless(content, x, np.zeros((1, 2, 3), "f4"), weights, steps=1, rate=1.0)
    assert row[0] == 0
    np.testing.assert_array_equal(row[1:], np.concatenate([w.reshape(-1) for w in weights]))


def test_the_file_depends_on_shapes_alone_and_runs_everywhere() -> None:
    content = convert_stateless(HeadShape(128, 10, 16))
    assert convert_stateless(HeadShape(128, 10, 16)) == content
    facts = read_flatmodel(content)
    assert facts.parameters < 10
    assert facts.min_runtime == "1.14.0"
    assert not [each.name for each in facts.operators if each.name.startswith(("CUSTOM", "FLEX"))]


def test_a_batch_that_is_none() -> None:
    for batch in (0, 1025):
        with pytest.raises(ConfigError, match=rf"{batch} rows a step; expected 1 to 1024"):
            HeadShape(4, 3, batch)


def batches(shape: HeadShape) -> Arrays:
    """Batches of which some have masked rows, and where to start from."""
    draw = np.random.default_rng(1)
    x = draw.normal(size=(BATCHES, shape.batch, shape.features)).astype(np.float32)
    labels = draw.integers(0, shape.classes, (BATCHES, shape.batch))
    y = np.eye(shape.classes, dtype=np.float32)[labels]
    for number in range(BATCHES):
        y[number, shape.batch - number :] = 0  # a last batch may be short
    kernel = draw.normal(0, 0.1, (shape.features, shape.units)).astype(np.float32)
    return x, y, kernel, np.zeros(shape.units, np.float32)


def steps_of_keras(shape: HeadShape, given: Arrays) -> np.ndarray:
    """Rows as those of ``stateless_steps``, by ``train_on_batch`` on the rows that count."""
    x, y, kernel, bias = given
    one = shape.units == 1
    model = keras.Sequential(
        [
            keras.Input((shape.features,)),
            keras.layers.Dense(shape.units, activation="sigmoid" if one else "softmax"),
        ]
    )
    model.set_weights([kernel, bias])
    kind = "binary_crossentropy" if one else "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.SGD(RATE), kind)
    rows = []
    for step in range(STEPS):
        real = y[step % BATCHES].any(axis=1)
        labels = y[step % BATCHES][real].argmax(axis=1)
        loss = model.train_on_batch(x[step % BATCHES][real], labels)
        rows.append(np.concatenate([[loss], *(w.reshape(-1) for w in model.get_weights())]))
    return np.stack(rows)


SHAPES = [HeadShape(128, 10, 16), HeadShape(20, 1, 8)]


@pytest.mark.parametrize("shape", SHAPES)
def test_50_steps_are_those_of_keras(shape: HeadShape) -> None:
    given = batches(shape)
    x, y, *weights = given
    content = convert_stateless(shape)
    expected = steps_of_keras(shape, given)
    found = first_stateless(content, x, y, weights, steps=STEPS, rate=RATE)
    assert np.abs(found - expected)[:, 1:].max() <= 1e-6
    pytest.importorskip("tflite_micro", reason="the extra 'micro' is not installed")
    micro = train_in_micro(content, x, y, weights, steps=STEPS, rate=RATE)
    print(f"{shape}: arena {micro.arena.needed:,} bytes in tflite-micro")
    assert np.abs(micro.rows - expected)[:, 1:].max() <= 1e-6
    assert np.abs(micro.rows - found).max() <= 1e-5  # the loss is larger than the weights
    assert np.abs(expected[-1, 1:] - expected[0, 1:]).max() > 0.01  # they went somewhere


OLD_RUNTIME = """\
import sys
import numpy as np
from tflite_runtime.interpreter import Interpreter

folder, steps, rate = sys.argv[1], int(sys.argv[2]), np.float32(sys.argv[3])
given = np.load(folder + "/given.npz")
step = Interpreter(folder + "/train.tflite", num_threads=1).get_signature_runner("train")
kernel, bias, rows = given["kernel"], given["bias"], []
for number in range(steps):
    x, y = (given[name][number % len(given[name])] for name in "xy")
    found = step(x=x, y=y, kernel=kernel, bias=bias, learning_rate=rate)
    kernel, bias = found["new_kernel"], found["new_bias"]
    rows.append(np.concatenate([found["loss"].reshape(-1), kernel.reshape(-1), bias]))
np.save(folder + "/rows.npy", np.stack(rows))
"""


@pytest.fixture(scope="module")
def old_runtime(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python with tflite-runtime 2.14.0, as .ci/run makes one."""
    python = shutil.which("python3.11")
    if python is None:
        pytest.skip("no python3.11 here, the last for which there is a tflite-runtime")
    place = tmp_path_factory.mktemp("old") / "venv"
    wanted = ["numpy<2", "tflite-runtime==2.14.0"]
    made = subprocess.run([python, "-m", "venv", str(place)], capture_output=True, text=True)
    if made.returncode == 0:
        pip = [str(place / "bin" / "pip"), "install", "--quiet", *wanted]
        made = subprocess.run(pip, capture_output=True, text=True, timeout=300)
    if made.returncode != 0:
        pytest.skip(f"tflite-runtime can't be installed: {made.stderr.strip()[-200:]}")
    return str(place / "bin" / "python")


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_50_steps_in_the_old_runtime(shape: HeadShape, old_runtime: str, tmp_path: Path) -> None:
    given = batches(shape)
    np.savez(tmp_path / "given.npz", **dict(zip(("x", "y", "kernel", "bias"), given, strict=True)))
    (tmp_path / "train.tflite").write_bytes(convert_stateless(shape))
    command = [old_runtime, "-c", OLD_RUNTIME, str(tmp_path), str(STEPS), str(RATE)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    found = np.load(tmp_path / "rows.npy")
    assert np.abs(found - steps_of_keras(shape, given))[:, 1:].max() <= 1e-6
