"""Reading a training bundle: what it says of itself is not believed blindly."""

import json
import zipfile
from pathlib import Path

import pytest
from bundles_for_tests import rewritten, told, trains

from ecavg_tf.core.bundles import bundle as bundles
from ecavg_tf.core.bundles.archive import identity
from ecavg_tf.core.bundles.training_bundle import (
    is_training_bundle,
    read_training_bundle,
    write_training_bundle,
)
from ecavg_tf.core.errors import ExportError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_training_bundle(tmp_path / "t.zip", trains())
    return tmp_path / "t.zip"


def test_what_is_written_is_read(path: Path) -> None:
    assert is_training_bundle(path)
    assert read_training_bundle(path).info == trains().info
    assert read_training_bundle(told(path, head_bias=None)).info.head_bias is None


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("trainable", "all", "head or dense"),
        ("tolerance", 1e9, r"a number from 0 to 0\.002"),
        ("tolerance", {"max_difference": 1}, "a number from 0"),
        ("golden_steps", 10**9, "a whole number from 1 to 100"),
        ("golden_steps", 0, "a whole number from 1"),
        ("golden_steps", 5.0, "a whole number from 1"),
        ("golden_learning_rate", 0, "a number above 0"),
        ("golden_learning_rate", "fast", "a number above 0"),
        ("head_bias", 2, "a whole number from 0 to 1"),
        ("head_bias", -1, "a whole number from 0 to 1"),
        ("head_bias", True, "a whole number from 0 to 1"),
        ("held", [0, 2], "different positions from 0 to 1"),
        ("held", [0, 0], "different positions from 0 to 1"),
        ("min_runtime", "new", r"a release such as 2\.14\.0"),
        ("frozen_sha256", "none", "64 hexadecimal digits"),
        ("frozen_layers", 0, "true or false"),
        ("input_shape", [2, 2, 0], "a list of sizes"),
        ("optimizer", "adam", "an object"),
        ("template", None, "an object"),
    ],
)
def test_a_field_that_is_not_what_it_must_be(
    path: Path, name: str, value: object, expected: str
) -> None:
    with pytest.raises(ExportError, match=rf"not sound: {name} is .*expected {expected}"):
        read_training_bundle(told(path, **{name: value}))


def test_an_unknown_optimizer(path: Path) -> None:
    optimizer = {"name": "lion", "momentum": 0, "beta_1": 0.9, "beta_2": 0.9, "epsilon": 1e-7}
    with pytest.raises(ExportError, match=r"optimizer\.name is 'lion', expected sgd or adam"):
        read_training_bundle(told(path, optimizer=optimizer))


def test_labels_that_are_not_the_classes(path: Path) -> None:
    swapped = b"dog\ncat\n"
    with zipfile.ZipFile(path) as archive:
        parts = json.loads(archive.read(bundles.MANIFEST))["parts"]
    changed = told(path, parts=parts | {"labels.txt": identity(swapped)})
    with pytest.raises(ExportError, match=r"labels\.txt and the classes of bundle\.json differ"):
        read_training_bundle(rewritten(changed, **{"labels.txt": swapped}))
