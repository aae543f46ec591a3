"""A sound update of a small template, and files that a foreign program may write."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecavg_tf.core.errors import UpdateRefused
from ecavg_tf.core.messages.update_file import (
    Update,
    UpdateInfo,
    check_update,
    write_update,
)
from ecavg_tf.core.template import Array, Role, Template, WeightSpec

TEMPLATE = Template(
    (
        WeightSpec("kernel", (2, 3), "float32", Role.TRAINABLE),
        WeightSpec("gain", (), "float32", Role.TRAINABLE),
        WeightSpec("moving_mean", (3,), "float32", Role.STATISTIC, omittable=True),
        WeightSpec("seed", (2,), "uint32", Role.STATE),
    )
)
EDGE, ROUND, CLASSES = "edge-07", 3, 3
INFO = UpdateInfo(
    round=ROUND,
    edge=EDGE,
    examples=6,
    class_counts=(1, 2, 3),
    template_sha256=TEMPLATE.sha256,
    metrics={"local": {"all": {"accuracy": 0.5, "loss": 1.25, "n": 10}}},
)


def sound_weights() -> dict[str, Array]:
    return {
        "kernel": np.arange(6, dtype=np.float32).reshape(2, 3),
        "gain": np.array(2.5, np.float32),
        "moving_mean": np.ones(3, np.float32),
        "seed": np.array([1, 2], np.uint32),
    }


def check(update: Update, template: Template = TEMPLATE) -> None:
    check_update(update, template, edge=EDGE, round_number=ROUND, num_classes=CLASSES)


def refusal(
    folder: Path, weights: dict[str, Array], info: UpdateInfo = INFO, template: Template = TEMPLATE
) -> str:
    """The text an update is refused with; an update that passes fails the test."""
    path = folder / "update.safetensors"
    write_update(path, info, weights)
    with pytest.raises(UpdateRefused) as caught:
        check(Update(path), template)
    assert caught.value.edge == EDGE
    assert str(caught.value) == f"{EDGE}: {caught.value.reason}"
    assert "\n" not in caught.value.reason
    return caught.value.reason


def foreign_file(
    path: Path, metadata: str, tensors: dict[str, tuple[str, list[int], bytes]] | None = None
) -> Path:
    """Writes a safetensors file byte by byte, as a foreign program may."""
    header: dict[str, Any] = {"__metadata__": {"ecavg": metadata}}
    body = b""
    for key, (dtype, shape, content) in (tensors or {}).items():
        offsets = [len(body), len(body) + len(content)]
        header[key] = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
        body += content
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)
    return path


def metadata(**changes: Any) -> dict[str, Any]:
    return {
        "round": ROUND,
        "edge": EDGE,
        "examples": 6,
        "class_counts": [1, 2, 3],
        "template_sha256": TEMPLATE.sha256,
        "metrics": {},
    } | changes
