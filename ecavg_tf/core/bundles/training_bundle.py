"""The training bundle: a model that a device trains without TensorFlow, with all it needs.

Like ``core.bundle``, for another kind of model: its file has the signatures ``features``,
``train``, ``infer``, ``get_weights`` and ``set_weights``. The bundle says which weights of
the run's template the file trains and what the others must be.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.bundles.archive import (
    TRAINING_MARK,
    check_parts,
    deterministic_zip,
    identity,
    npy_bytes,
    read_array,
    read_members,
)
from ecavg_tf.core.bundles.bundle import (
    LABELS,
    LARGEST,
    LARGEST_GOLDEN,
    MANIFEST,
    MODEL,
    check_labels,
    columns_of,
    label_bytes,
)
from ecavg_tf.core.bundles.scaling import bounds_of, told
from ecavg_tf.core.errors import ExportError, brief
from ecavg_tf.core.fields import DTYPES, Fields, short
from ecavg_tf.core.files import load_json, open_regular, write_bytes
from ecavg_tf.core.older_names import with_names_of_today
from ecavg_tf.core.paths import user_path
from ecavg_tf.core.template import Array, Template, weights_sha256
from ecavg_tf.core.zips import open_zip

KIND = "training"
TRAINING_FILES = "training-*.bundle.zip"  # what a run calls them
SCHEMA_VERSION = 2
_READABLE = (1, 2)  # 1: with an open batch
BATCH = 32  # rows of a batch, as edge.batch_size is if nobody says otherwise
TRAINABLE = ("head", "dense")
OPTIMIZERS = ("sgd", "adam")
TOLERANCE = 2e-3  # what runtimes may differ by: what is written, and the most that is believed
_MOST_STEPS = 100  # a bundle must not keep a device busy with its own test
_LEFT_OUT = {"declared": True, "feature_ranges": [], "batch": None}  # where it is so
_GOLDEN = ("golden_inputs.npy", TRAINING_MARK, "golden_outputs.npy")
_PARTS = (MODEL, LABELS, *_GOLDEN)
_LARGEST_MANIFEST = 16 * 2**20  # a deep net's template


@dataclass(frozen=True)
class OptimizerSpec:
    """How the file trains; Keras' words and defaults.

    Attributes:
        name: ``sgd`` or ``adam``.
        momentum: of ``sgd``.
        beta_1: of ``adam``.
        beta_2: of ``adam``.
        epsilon: of ``adam``.
    """

    name: str
    momentum: float = 0.0
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7

    @property
    def slots(self) -> int:
        """How many variables it keeps beside each weight."""
        return {"sgd": 1 if self.momentum else 0, "adam": 2}[self.name]

    @property
    def words(self) -> str:
        """Its name for people, with what it can be told apart by."""
        return f"{self.name}, momentum {self.momentum:g}" if self.momentum else self.name


@dataclass(frozen=True)
class TrainingInfo:
    """What the manifest says, beside the parts' hashes.

    Attributes:
        trainable: ``head`` or ``dense``.
        classes: labels, in the order of the outputs.
        inputs_dtype: numpy's name of raw inputs' dtype.
        value_range: lowest and highest value of a raw input.
        input_shape: of one raw input.
        feature_shape: of what ``features`` gives for one example.
        frozen_layers: whether ``features`` holds weights, which makes it worth caching.
        optimizer: how it trains.
        template: the whole model's weights.
        held: positions in the template of the weights it trains, in the order in which the
            signatures number them (``weight_0``, …).
        head: positions of the last layer's weights.
        head_bias: position of what adds to the logits; None: there is none.
        frozen_sha256: hash of all other weights, in template order.
        origin: where the model comes from.
        min_runtime: oldest TFLite runtime that can run it; None when not known.
        operators: name, version and count of each operator.
        golden_learning_rate: of the golden steps.
        golden_steps: how many steps on the golden examples lie between the golden outputs.
        tolerance: largest absolute difference from a golden output.
        declared: whether values outside the range are refused.
        feature_ranges: of each feature or channel; empty: one range for all.
        columns: names of the inputs, where they are the columns of a table; None: they have none.
        batch: rows that every batch has; None: any number, in a file of an earlier version.
    """

    trainable: str
    classes: tuple[str, ...]
    inputs_dtype: str
    value_range: tuple[float, float]
    input_shape: tuple[int, ...]
    feature_shape: tuple[int, ...]
    frozen_layers: bool
    optimizer: OptimizerSpec
    template: Template
    held: tuple[int, ...]
    head: tuple[int, ...]
    head_bias: int | None
    frozen_sha256: str
    origin: Mapping[str, Any]
    min_runtime: str | None
    operators: tuple[tuple[str, int, int], ...]
    golden_learning_rate: float
    golden_steps: int
    tolerance: float
    declared: bool = True
    feature_ranges: tuple[tuple[float, float], ...] = ()
    columns: tuple[str, ...] | None = None
    batch: int | None = None

    @property
    def bounds(self) -> tuple[Any, Any]:
        """Lowest and highest value: two numbers, or an array each with one number a feature."""
        return bounds_of(self.value_range, self.feature_ranges)


@dataclass(frozen=True)
class TrainingBundle:
    """A training bundle that was read and verified.

    Attributes:
        info: the description.
        model: bytes of the ``.tflite``.
        golden_inputs: raw inputs, shape (k, …).
        golden_labels: their labels, shape (k,), int64.
        golden_outputs: probabilities before and after the golden steps, shape
            (2, k, classes), float32.
    """

    info: TrainingInfo
    model: bytes
    golden_inputs: Array
    golden_labels: NDArray[np.int64]
    golden_outputs: NDArray[np.float32]


def frozen_sha256(weights: Sequence[Array], held: Sequence[int]) -> str:
    """Hash of the weights that a training file does not train.

    Args:
        weights: of the whole model, in template order.
        held: positions of those that it trains.
    """
    trained = set(held)
    return weights_sha256([weight for at, weight in enumerate(weights) if at not in trained])


def training_file_name(frozen_sha256: str) -> str:
    """What a run calls the bundle of a model, by the hash of its frozen weights."""
    return TRAINING_FILES.replace("*", frozen_sha256[:16])


def write_training_bundle(path: Path, bundle: TrainingBundle) -> None:
    """Writes a training bundle, whole or not at all; same bundle, same bytes."""
    arrays: tuple[Array, ...] = (bundle.golden_inputs, bundle.golden_labels, bundle.golden_outputs)
    parts = {
        MODEL: bundle.model,
        LABELS: label_bytes(bundle.info.classes),
        **{name: npy_bytes(array) for name, array in zip(_GOLDEN, arrays, strict=True)},
    }
    manifest = {
        "kind": KIND,
        "schema_version": 1 if bundle.info.batch is None else SCHEMA_VERSION,
        **told(bundle.info, asdict(bundle.info)),
        "template": bundle.info.template.to_json(),
        "parts": {name: identity(content) for name, content in parts.items()},
    }
    text = json.dumps(manifest, indent=2, sort_keys=True, allow_nan=False) + "\n"
    write_bytes(path, deterministic_zip({MANIFEST: text.encode(), **parts}))


def read_training_bundle(path: str | Path) -> TrainingBundle:
    """Reads a training bundle and verifies every part.

    Raises:
        ExportError: it is missing, damaged, or another kind of bundle.
    """
    path = user_path(path)
    largest = {name: LARGEST.get(name, LARGEST_GOLDEN) for name in (MANIFEST, *_PARTS)}
    contents = read_members(path, {**largest, MANIFEST: _LARGEST_MANIFEST})
    info, parts = _manifest(path, contents.pop(MANIFEST))
    check_parts(path, contents, parts)
    check_labels(path, contents[LABELS], info.classes)
    inputs, labels, outputs = (read_array(path, name, contents[name]) for name in _GOLDEN)
    fits = (
        inputs.shape == (len(labels), *info.input_shape)
        and len(info.feature_ranges) in (0, info.input_shape[-1])
        and outputs.shape == (2, len(labels), len(info.classes))
        and labels.dtype == np.int64
        and len(labels) > 0
        and outputs.dtype == np.float32
        and bool(np.isfinite(outputs).all())
        and labels.min() >= 0
        and labels.max() < len(info.classes)
    )
    if not fits:
        raise ExportError(f"bundle {path}: its golden arrays do not fit its description")
    return TrainingBundle(info, contents[MODEL], inputs, labels, outputs)


def is_training_bundle(path: str | Path) -> bool:
    """Whether a file looks like a training bundle; what is no bundle at all does not."""
    try:
        with open_regular(user_path(path)) as stream, open_zip(stream) as archive:
            return TRAINING_MARK in archive.namelist()
    except Exception:  # zipfile raises many kinds
        return False


def _manifest(path: Path, content: bytes) -> tuple[TrainingInfo, Mapping[str, Any]]:
    try:
        fields = Fields(with_names_of_today(Fields.of(load_json(content)).values))
        kind, version = fields.values.get("kind"), fields.values.get("schema_version")
        if kind != KIND or version not in _READABLE:
            raise ExportError(
                f"bundle {path} is of kind {short(kind)} {short(version)}, expected {KIND} "
                f"{SCHEMA_VERSION}; make one with ecavg export --trainable"
            )
        fields.only(("kind", "schema_version", "parts", *TrainingInfo.__dataclass_fields__))
        return _info(fields), fields.inner("parts").values
    except ValueError as error:
        raise ExportError(f"bundle {path}: bundle.json is not sound: {brief(error)}") from error


def _info(fields: Fields) -> TrainingInfo:
    fields = Fields(_LEFT_OUT | dict(fields.values), fields.prefix)
    template = Template.from_json(fields.inner("template").values)
    count = len(template.weights)
    input_shape = fields.sizes("input_shape")
    return TrainingInfo(
        trainable=fields.choice("trainable", TRAINABLE),
        classes=fields.texts("classes"),
        inputs_dtype=fields.choice("inputs_dtype", DTYPES),
        value_range=fields.value_range("value_range"),
        input_shape=input_shape,
        feature_shape=fields.sizes("feature_shape"),
        frozen_layers=fields.flag("frozen_layers"),
        optimizer=_optimizer(fields.inner("optimizer")),
        template=template,
        held=fields.positions("held", count),
        head=fields.positions("head", count),
        head_bias=fields.maybe("head_bias", lambda each, name: each.whole(name, 0, count - 1)),
        frozen_sha256=fields.sha256("frozen_sha256"),
        origin=fields.inner("origin").values,
        min_runtime=fields.release("min_runtime"),
        operators=fields.operators("operators"),
        golden_learning_rate=fields.number("golden_learning_rate", 0, zero=False),
        golden_steps=fields.whole("golden_steps", 1, _MOST_STEPS),
        tolerance=fields.number("tolerance", 0, TOLERANCE),
        declared=fields.flag("declared"),
        feature_ranges=fields.each("feature_ranges", Fields.value_range),
        columns=columns_of(fields, input_shape),
        batch=fields.maybe("batch", lambda each, name: each.whole(name, 1, 2**16)),
    )


def _optimizer(fields: Fields) -> OptimizerSpec:
    fields.only(OptimizerSpec.__dataclass_fields__)
    return OptimizerSpec(
        name=fields.choice("name", OPTIMIZERS),
        momentum=fields.number("momentum", 0, 1),
        beta_1=fields.number("beta_1", 0, 1),
        beta_2=fields.number("beta_2", 0, 1),
        epsilon=fields.number("epsilon", 0, zero=False),
    )
