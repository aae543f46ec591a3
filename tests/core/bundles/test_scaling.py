"""What travels of a range that nobody declared: in bundles, in requests, to devices."""

import json
import zipfile
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from bundles_for_tests import INFO, made, told, trains

from ecavg_tf.core.bundles.bundle import Bundle, TensorSpec, read_bundle, write_bundle
from ecavg_tf.core.bundles.scaling import FeatureScaling
from ecavg_tf.core.bundles.training_bundle import read_training_bundle, write_training_bundle
from ecavg_tf.core.errors import DataError, ExportError
from ecavg_tf.core.fields import Fields
from ecavg_tf.core.messages.inputs import Inputs
from edge.device.local_data import load_local
from edge.predict import check_inputs

SCALING = FeatureScaling((0.5, 0.25), (-1.0, 0.0))
TABLE = Inputs("mine", (2,), "float32", (0.0, 9.0), ("cat", "dog"), False, ((0.0, 2.0), (1.0, 9.0)))


def table() -> Bundle:
    info = replace(
        INFO,
        inputs_dtype="float32",
        input=TensorSpec((1, 2), "int8", 1.0, -128),
        declared=False,
        feature_scaling=SCALING,
    )
    return Bundle(info, b"TFL3" * 100, np.zeros((3, 2), np.float32), made().golden_outputs)


def manifest(path: Path) -> dict[str, object]:
    with zipfile.ZipFile(path) as archive:
        found: dict[str, object] = json.loads(archive.read("bundle.json"))
    return found


def test_a_bundle_says_how_features_are_rescaled(tmp_path: Path) -> None:
    write_bundle(tmp_path / "table.zip", table())
    assert read_bundle(tmp_path / "table.zip").info == table().info


def test_bundles_of_pictures_say_no_more_than_before(tmp_path: Path) -> None:
    write_bundle(tmp_path / "picture.zip", made())
    write_training_bundle(tmp_path / "training.zip", trains())
    for name in ("picture.zip", "training.zip"):
        assert not {"declared", "feature_scaling", "feature_ranges"} & set(
            manifest(tmp_path / name)
        )


@pytest.mark.parametrize(
    ("scaling", "said"),
    [
        ({"scale": [1, 2, 3], "offset": [1, 2, 3]}, r"rescales 3 features, its input is \(1, 2\)"),
        ({"scale": [1, 2], "offset": [1]}, "feature_scaling.offset is .* as many numbers as scale"),
        ({"scale": [], "offset": []}, "as many numbers as scale has"),
        ({"scale": [1, "x"], "offset": [1, 2]}, r"feature_scaling\.scale\.1 is 'x'"),
        ({"scale": [1, 2]}, "feature_scaling.offset is missing"),
        ([1, 2], "feature_scaling is .*, expected an object"),
        ({"scale": [1, 2], "offset": [1, 2], "kind": "log"}, "feature_scaling.kind is unknown"),
    ],
)
def test_a_scaling_that_is_not_sound(tmp_path: Path, scaling: object, said: str) -> None:
    write_bundle(tmp_path / "table.zip", table())
    with pytest.raises(ExportError, match=said) as caught:
        read_bundle(told(tmp_path / "table.zip", feature_scaling=scaling))
    assert "\n" not in str(caught.value)


def test_a_training_bundle_says_each_features_range(tmp_path: Path) -> None:
    bundle = trains()
    info = replace(bundle.info, declared=False, feature_ranges=((0.0, 9.0),))  # of one channel
    write_training_bundle(tmp_path / "training.zip", replace(bundle, info=info))
    assert read_training_bundle(tmp_path / "training.zip").info == info
    two = told(tmp_path / "training.zip", feature_ranges=[[0, 9], [0, 9]])
    with pytest.raises(ExportError, match="golden arrays do not fit"):
        read_training_bundle(two)


def test_a_request_says_each_features_range() -> None:
    written = json.loads(json.dumps({"inputs": asdict(TABLE)}))
    assert Inputs.field(Fields(written), "inputs") == TABLE
    for name in ("declared", "feature_ranges"):  # as servers of older versions write them
        del written["inputs"][name]
    older = Inputs.field(Fields(written), "inputs")
    assert (older.declared, older.feature_ranges) == (True, ())


def test_only_a_declared_range_refuses(tmp_path: Path) -> None:
    far = np.array([[1, 5], [3, 900]])
    check_inputs(far, (2,), (0, 9), declared=False)
    with pytest.raises(DataError, match="hold values from 1 to 900, expected 0 to 9"):
        check_inputs(far, (2,), (0, 9))
    np.savez(tmp_path / "mine.npz", x_train=far, y_train=[0, 1])
    local = load_local(tmp_path / "mine.npz", TABLE, edge="north", guard_fraction=0, seed=0)
    np.testing.assert_array_equal(local.edge.train.inputs, far.astype(np.float32))
    assert local.note is None
