"""The weights of a head as lines of text, as a microcontroller prints and reads them.

    ecavg-head 1 0123456789abcdef 128 10 10
    :3f80000000000000…
    ecavg-end 1c291ca3

The first line tells the format's version, the first 16 digits of the hash of the layers that the
device does not train, and how many features, units and classes there are. Each line after a colon
holds up to eight numbers of 32 bits, eight hexadecimal digits each: how many examples of each
class the head was trained on, then the kernel row by row, then the bias, as float32. The last line
has the CRC-32 of their bytes, little-endian. Other lines (what a firmware logs) are passed over.
"""

import math
import re
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

VERSION = 1
_WORDS = 8  # a line
_BEGIN = re.compile(r"ecavg-head (\d{1,4}) ([0-9a-f]{16}) (\d{1,9}) (\d{1,9}) (\d{1,9})")
_END = re.compile(r"ecavg-end ([0-9a-f]{8})")
_LINE = re.compile(rf":((?:[0-9a-f]{{8}}){{1,{_WORDS}}})")
_AGAIN = "let the device print it again"


@dataclass(frozen=True)
class DeviceHead:
    """A head, with where it belongs.

    Attributes:
        frozen: first 16 hexadecimal digits of the hash of the model's other layers.
        class_counts: how many examples of each class it was trained on; zeros: unknown.
        kernel: shape (features, units), float32.
        bias: shape (units,), float32.
    """

    frozen: str
    class_counts: tuple[int, ...]
    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]


def head_lines(head: DeviceHead) -> str:
    """A head as text, every line ended."""
    words = np.concatenate(
        [
            np.asarray(head.class_counts, "<u4"),
            *(np.asarray(w, "<f4").reshape(-1).view("<u4") for w in (head.kernel, head.bias)),
        ]
    )
    features, units = head.kernel.shape
    lines = [f"ecavg-head {VERSION} {head.frozen} {features} {units} {len(head.class_counts)}"]
    for at in range(0, len(words), _WORDS):
        lines.append(":" + "".join(f"{word:08x}" for word in words[at : at + _WORDS].tolist()))
    lines.append(f"ecavg-end {zlib.crc32(words.tobytes()):08x}")
    return "\n".join(lines) + "\n"


def read_head_lines(text: str, expected: DeviceHead) -> DeviceHead:
    """Reads the last head in a text.

    Args:
        text: what the device printed.
        expected: a head of the model that it must be of; its numbers don't matter.

    Raises:
        ValueError: there is none, it is cut short or damaged, or is of another model.
    """
    lines = [line.strip() for line in text.splitlines()]
    begins = [at for at, line in enumerate(lines) if line.startswith("ecavg-head")]
    if not begins:
        raise ValueError("no line begins with ecavg-head; capture all that the device prints")
    _check_model(lines[begins[-1]], expected)
    words, crc = _payload(lines[begins[-1] + 1 :])
    kernel, bias = expected.kernel, expected.bias
    classes = len(expected.class_counts)
    wanted = classes + kernel.size + bias.size
    if len(words) != wanted:
        raise ValueError(f"it has {len(words)} numbers, expected {wanted}: {_AGAIN}")
    if zlib.crc32(words.tobytes()) != crc:
        raise ValueError(f"its checksum is not that of its numbers: {_AGAIN}")
    values = words[classes:].view("<f4").astype(np.float32)
    if not np.isfinite(values).all():
        raise ValueError("a weight is NaN or infinite; lower the learning rate on the device")
    return DeviceHead(
        expected.frozen,
        tuple(words[:classes].tolist()),
        values[: kernel.size].reshape(kernel.shape),
        values[kernel.size :],
    )


def _check_model(line: str, expected: DeviceHead) -> None:
    found = _BEGIN.fullmatch(line)
    if found is None:
        raise ValueError(f"its first line is damaged: {_AGAIN}")
    version, frozen, *sizes = found.groups()
    if int(version) != VERSION:
        raise ValueError(f"it is of version {version}, this program reads {VERSION}")
    wanted = [*expected.kernel.shape, len(expected.class_counts)]
    if [int(size) for size in sizes] != wanted:
        raise ValueError(
            f"it has {', '.join(sizes)} features, units and classes, expected "
            f"{', '.join(map(str, wanted))}: the device has another model"
        )
    if frozen != expected.frozen:
        raise ValueError(
            f"the device's other layers are {frozen}, expected {expected.frozen}: it has the "
            "backbone of another model; build its firmware from this model's sources"
        )


def _payload(lines: list[str]) -> tuple[NDArray[np.uint32], int]:
    """The numbers up to the end's line, and the checksum that it tells."""
    digits: list[str] = []
    for line in lines:
        if line.startswith(":"):
            found = _LINE.fullmatch(line)
            if found is None:
                raise ValueError(f"its line {len(digits) + 2} is damaged: {_AGAIN}")
            digits.append(found[1])
        elif line.startswith("ecavg-end"):
            end = _END.fullmatch(line)
            if end is None:
                raise ValueError(f"its last line is damaged: {_AGAIN}")
            raw = bytes.fromhex("".join(digits))
            return np.frombuffer(raw, ">u4").astype("<u4"), int(end[1], 16)
    raise ValueError(f"it is cut short, no line begins with ecavg-end: {_AGAIN}")


def empty_head(frozen: str, shape: tuple[int, int], classes: int) -> DeviceHead:
    """A head of zeros, to tell which model is expected."""
    assert math.prod(shape) > 0
    return DeviceHead(frozen, (0,) * classes, np.zeros(shape, "f4"), np.zeros(shape[1], "f4"))
