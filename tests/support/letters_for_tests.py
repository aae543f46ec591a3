"""A letter of a small template, and what answers it."""

from pathlib import Path

import numpy as np

from ecavg_tf.core.messages.letter import Letter
from ecavg_tf.core.messages.mailbox import EXCHANGE, Answer, Mailbox
from ecavg_tf.core.template import Array, Role, Template, WeightSpec

TEMPLATE = Template(
    (
        WeightSpec("kernel", (2, 3), "float32", Role.TRAINABLE),
        WeightSpec("scale", (), "float32", Role.TRAINABLE),
        WeightSpec("seed", (2,), "uint32", Role.STATE),
    )
)


def weights(value: float = 1.0) -> list[Array]:
    kernel = np.full((3, 2), value, np.float32)
    kernel[2, 0] = 7
    return [kernel.T, np.array(value, np.float32), np.array([1, 2], np.uint32)]


def letter(round_number: int = 1, kind: str = EXCHANGE) -> Letter:
    return Letter(kind, round_number, "run-a", TEMPLATE, weights())


def answered(box: Mailbox, tmp_path: Path, round_number: int = 1) -> Answer | None:
    """Answers an exchange with an update of some bytes, and reads the answer."""
    update = tmp_path / "my-update.safetensors"
    update.write_bytes(b"update of some bytes")
    box.reply(letter(round_number), {"seconds": {"pretrain": 1.5}}, update=update)
    return box.answer(round_number, EXCHANGE)
