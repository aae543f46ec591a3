"""How values are written in C++."""

import math

from ecavg_tf.core.errors import ExportError
from export.reading.flatmodel import Port


def elements(port: Port) -> int:
    """Values of an input or an output."""
    return math.prod(port.shape)


def c_float(value: float | None) -> str:
    """A float32 literal that reads back as the same bits.

    Raises:
        ExportError: it is missing or not finite.
    """
    if value is None or not math.isfinite(value):
        raise ExportError(f"the file's scale is {value}; convert the model again")
    text = f"{value:.9g}"
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"


def c_string(text: str) -> str:
    """A string literal of UTF-8 bytes, safe whatever the text holds.

    Bytes outside letters, digits and plain signs are octal: three digits end the escape
    for certain, which hexadecimal does not, and no trigraph can form.
    """
    plain = frozenset(range(0x20, 0x7F)) - frozenset(b'"\\?')
    raw = text.encode("utf-8", "replace")
    return '"' + "".join(chr(byte) if byte in plain else f"\\{byte:03o}" for byte in raw) + '"'
