"""A model that is to be exported, with its examples, and the key that its files are known by."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.config import Limits
from ecavg_tf.core.bundles.scaling import told
from ecavg_tf.core.files import canonical_json
from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import DataSpec
from export.making.calibration import Calibration
from export.proving.seen import NOTHING, Drawn
from export.quantizing.tuning import Tuning

_PACKAGES = ("tensorflow", "ai-edge-litert", "ecavg-tf")


@dataclass(frozen=True)
class Subject:
    """A model that is to be exported.

    Attributes:
        name: an edge's name, ``global``, or a file's.
        weights_sha256: hash of its weights.
        origin: run, round, edge, weights_sha256: what is written into the file.
        calibration: int8's examples; None: ``no_calibration`` says why.
        no_calibration: why there are no calibration examples.
        inputs: parity examples, raw, shape (n, …).
        labels: their labels, shape (n,), or None.
        words: what the parity examples are.
        round: whose model it is.
        seen: training examples to compare on as well, where test examples are too few.
        tuning: how int8 may be tuned where it does not pass as it is; None: not at all.
    """

    name: str
    weights_sha256: str
    origin: Mapping[str, Any]
    calibration: Calibration | None
    inputs: Array
    labels: NDArray[np.int64] | None
    words: str
    tuning: Tuning | None = None
    no_calibration: str = "no calibration examples"
    round: int | None = None
    seen: Drawn = NOTHING


def key_of(subject: Subject, spec: DataSpec, limits: Limits, *, logits: bool) -> str:
    """A hash of all that a file depends on besides its format: same key, same files."""
    calibration, tuning = subject.calibration, subject.tuning
    facts = {
        "weights": subject.weights_sha256,
        "origin": dict(subject.origin),
        "limits": {item.name: getattr(limits, item.name) for item in fields(Limits)},
        "spec": told(spec, asdict(spec)),
        "logits": logits,
        "calibration": None if calibration is None else _hash(calibration.inputs),
        "inputs": _hash(subject.inputs),
        "labels": None if subject.labels is None else _hash(subject.labels),
        "seen": [None if each is None else _hash(each.inputs) for each in subject.seen],
        "tuning": None if tuning is None else [_hash(tuning.inputs), tuning.epochs, tuning.seed],
        **({"asked": True} if tuning is not None and tuning.asked else {}),
        "packages": {name: metadata.version(name) for name in _PACKAGES},
    }
    return hashlib.sha256(canonical_json(facts).encode()).hexdigest()


def _hash(inputs: Array) -> str:
    return hashlib.sha256(np.ascontiguousarray(inputs).tobytes()).hexdigest()
