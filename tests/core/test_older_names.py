"""Files of earlier versions, which call inputs images, are read."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ecavg_tf.core.exports import Exported, Parity
from ecavg_tf.core.messages.update_file import save_tensors
from ecavg_tf.core.older_names import with_names_of_today
from ecavg_tf.data.dataset import DataSpec
from ecavg_tf.data.pooled import read_pooled
from ecavg_tf.results import exports_from_json, to_json

SPEC = DataSpec("tiny", (2, 2, 1), "uint8", (0.0, 16.0), ("a", "b"))


def test_the_names() -> None:
    old = {"images_dtype": "uint8", "image_shape": [2, 2, 1], "classes": ["a"]}
    today = {"inputs_dtype": "uint8", "input_shape": [2, 2, 1], "classes": ["a"]}
    assert with_names_of_today(old) == today
    assert with_names_of_today(today) == today
    assert with_names_of_today({"images": 1, "inputs": 2}) == {"images": 1, "inputs": 2}


def test_the_rows_of_an_export() -> None:
    parity = Parity("24 test images", 24, 0.0, 0.0, 1.0, 1.0, 0, 1e-5, "probability")
    row = Exported("edge-00", 1, "0" * 64, "float32", "passed", (), parity=parity)
    (written,) = json.loads(json.dumps(to_json((row,))))
    written["parity"]["images"] = written["parity"].pop("inputs")
    (read,) = exports_from_json([written])
    assert asdict(read) == asdict(row)


def test_pooled_data(tmp_path: Path) -> None:
    images = np.arange(8, dtype=np.uint8).reshape(2, 2, 2, 1)
    arrays = {"images": images, "labels": np.array([0, 1], np.int64)}
    save_tensors(tmp_path / "old", arrays, {"edge": "edge-00"})
    read = read_pooled(tmp_path / "old", "edge-00", SPEC)
    np.testing.assert_array_equal(read.inputs, images)
