import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecavg_tf.core.messages.device_lines import (
    DeviceHead,
    empty_head,
    head_lines,
    read_head_lines,
)

FROZEN = "0123456789abcdef"
HEAD = DeviceHead(
    FROZEN, (3, 1), np.array([[1, -2], [0.5, 0], [8, -0.0]], "f4"), np.array([0, 1], "f4")
)
EXPECTED = empty_head(FROZEN, (3, 2), 2)


def test_lines_by_hand() -> None:
    """1.0 is 3f800000, -2.0 c0000000, 0.5 3f000000, 8.0 41000000, -0.0 80000000."""
    numbers = "00000003 00000001 3f800000 c0000000 3f000000 00000000 41000000 80000000 "
    numbers += "00000000 3f800000"
    words = numbers.split()
    crc = zlib.crc32(b"".join(bytes.fromhex(word)[::-1] for word in words))
    lines = head_lines(HEAD).splitlines()
    assert lines == [
        f"ecavg-head 1 {FROZEN} 3 2 2",
        ":" + "".join(words[:8]),
        ":" + "".join(words[8:]),
        f"ecavg-end {crc:08x}",
    ]


def same(one: DeviceHead, other: DeviceHead) -> bool:
    return (
        (one.frozen, one.class_counts) == (other.frozen, other.class_counts)
        and one.kernel.tobytes() == other.kernel.tobytes()
        and one.bias.tobytes() == other.bias.tobytes()
        and one.kernel.shape == other.kernel.shape
    )


def test_the_last_head_counts_and_other_lines_are_passed_over() -> None:
    first = replace(HEAD, bias=np.array([9, 9], "f4"))
    text = f"arena: 1 of 2\r\n{head_lines(first)}epoch 1\n" + head_lines(HEAD).replace(
        "\n", "\r\nnoise of the firmware\r\n"
    )
    assert same(read_head_lines(text, EXPECTED), HEAD)


@given(st.integers(1, 20), st.integers(1, 5), st.integers(0, 2**32))
def test_what_is_written_is_read(features: int, units: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    classes = max(2, units)
    head = DeviceHead(
        FROZEN,
        tuple(draw.integers(0, 2**32, classes).tolist()),
        draw.normal(size=(features, units)).astype(np.float32),
        draw.normal(size=units).astype(np.float32),
    )
    assert same(
        read_head_lines(head_lines(head), empty_head(FROZEN, (features, units), classes)), head
    )


LINES = head_lines(HEAD)


@pytest.mark.parametrize(("text", "said"), [
    ("", "no line begins with ecavg-head"),
    (LINES[: LINES.index("ecavg-end")], "cut short"),
    (LINES.replace(":00000000", ":00000001"), "checksum is not that of its numbers"),
    (LINES.replace(":00000000", ":0000000g"), "its line 3 is damaged"),
    (LINES.replace(":00000000", ":0000"), "its line 3 is damaged"),
    (LINES.replace(":000000003f800000\n", ""), "it has 8 numbers, expected 10"),
    (LINES.replace("ecavg-end ", "ecavg-end x"), "its last line is damaged"),
    (LINES.replace("head 1", "head 2"), "version 2, this program reads 1"),
    (LINES.replace(" 3 2 2", " 4 2 2"), "4, 2, 2 features, units and classes, expected 3, 2, 2"),
    (LINES.replace("0123", "0124"), "backbone of another model"),
    (LINES.replace("ecavg-head 1", "ecavg-head"), "its first line is damaged"),
    (head_lines(replace(HEAD, bias=np.array([np.nan, 0], "f4"))), "NaN or infinite"),
])  # fmt: skip
def test_lines_that_are_none(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_head_lines(text, EXPECTED)
