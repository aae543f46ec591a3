"""Small bundles made by hand, and the same with something changed in them."""

import json
import zipfile
from pathlib import Path

import numpy as np

from ecavg_tf.core.bundles import archive as archives
from ecavg_tf.core.bundles import bundle as bundles
from ecavg_tf.core.bundles.bundle import Bundle, BundleInfo, TensorSpec
from ecavg_tf.core.bundles.training_bundle import OptimizerSpec, TrainingBundle, TrainingInfo
from ecavg_tf.core.template import Role, Template, WeightSpec

INFO = BundleInfo(
    format="int8",
    classes=("cat", "dog"),
    inputs_dtype="uint8",
    value_range=(0.0, 255.0),
    input=TensorSpec((1, 2, 2, 1), "int8", 1.0, -128),
    output=TensorSpec((1, 2), "int8", 0.1, 3),
    output_kind="logits",
    origin={"run": "r", "round": 1, "edge": "edge-00", "weights_sha256": "ab"},
    min_runtime="2.3.0",
    operators=(("FULLY_CONNECTED", 4, 1),),
    tolerance={"max_difference": 0.1, "label_agreement": 0.9},
)


def made() -> Bundle:
    inputs = np.arange(12, dtype=np.uint8).reshape(3, 2, 2, 1)
    answers = np.array([[0.25, 0.75], [0.5, 0.5], [1, 0]], np.float32)
    return Bundle(INFO, b"TFL3" * 100, inputs, answers)


def rewritten(path: Path, **changes: bytes | None) -> Path:
    """The bundle with members replaced, added or (None) left out; hashes as they were."""
    with zipfile.ZipFile(path) as archive:
        members: dict[str, bytes | None] = {name: archive.read(name) for name in archive.namelist()}
    members |= changes
    path.write_bytes(
        archives.deterministic_zip({name: c for name, c in members.items() if c is not None})
    )
    return path


def trains() -> TrainingBundle:
    weights = (
        WeightSpec("kernel", (4, 2), "float32", Role.TRAINABLE),
        WeightSpec("bias", (2,), "float32", Role.TRAINABLE),
    )
    info = TrainingInfo(
        trainable="head",
        classes=("cat", "dog"),
        inputs_dtype="uint8",
        value_range=(0.0, 255.0),
        input_shape=(2, 2, 1),
        feature_shape=(4,),
        frozen_layers=False,
        optimizer=OptimizerSpec("adam"),
        template=Template(weights),
        held=(0, 1),
        head=(0, 1),
        head_bias=1,
        frozen_sha256="0" * 64,
        origin={"run": "r", "round": 1, "weights_sha256": "ab" * 32},
        min_runtime="2.14.0",
        operators=(("FULLY_CONNECTED", 4, 1),),
        golden_learning_rate=1e-3,
        golden_steps=5,
        tolerance=2e-3,
    )
    inputs = np.arange(12, dtype=np.uint8).reshape(3, 2, 2, 1)
    return TrainingBundle(
        info, b"TFL3" * 100, inputs, np.array([0, 1, 1]), np.full((2, 3, 2), 0.5, np.float32)
    )


def told(path: Path, **fields: object) -> Path:
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read(bundles.MANIFEST))
    return rewritten(path, **{bundles.MANIFEST: json.dumps(manifest | fields).encode()})
