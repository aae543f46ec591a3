import importlib.util
import subprocess
import sys

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tflite_for_tests import convert, sequential

from ecavg_tf.core.errors import ConfigError
from export.micro.judge import RUNTIME_FLASH, RUNTIME_RAM, MicroVerdict, judge, parse_size
from export.micro.sources import arena_with_margin


@pytest.fixture(scope="module")
def verdict() -> MicroVerdict:
    if importlib.util.find_spec("tflite_micro") is None:
        pytest.skip("the extra 'micro' (tflite-micro) is not installed")
    model = sequential((16,), keras.layers.Dense(8, "relu"), keras.layers.Dense(3, "softmax"))
    inputs = np.random.default_rng(1).integers(0, 256, (10, 16))
    return judge(convert(model, "int8"), inputs, flash=1_000_000, ram=100_000)


def resized(verdict: MicroVerdict, flash: int, ram: int) -> MicroVerdict:
    return MicroVerdict(verdict.run, verdict.model_bytes, verdict.arena_bytes, flash, ram)


def test_needs_are_what_was_measured_and_the_allowances(verdict: MicroVerdict) -> None:
    assert verdict.arena_bytes == arena_with_margin(verdict.run.arena.needed)
    assert verdict.flash_needed == verdict.model_bytes + RUNTIME_FLASH
    assert verdict.ram_needed == verdict.arena_bytes + RUNTIME_RAM
    assert verdict.fits


def test_the_last_byte_decides(verdict: MicroVerdict) -> None:
    flash, ram = verdict.flash_needed, verdict.ram_needed
    assert resized(verdict, flash, ram).fits
    assert not resized(verdict, flash - 1, ram).fits
    assert not resized(verdict, flash, ram - 1).fits


def test_the_lines_name_what_lacks(verdict: MicroVerdict) -> None:
    assert verdict.lines()[0].startswith("yes: ")
    needed = verdict.flash_needed
    short = resized(verdict, needed - 1_234, verdict.ram_needed - 5).lines()
    assert short[0] == "no: flash lacks 1,234 bytes and RAM lacks 5 bytes"
    assert f"{needed:,} of {needed - 1_234:,}" in short[1]
    assert "allowance" in short[1]
    assert "allowance" in short[2]
    assert f"{verdict.run.arena.needed:,} measured" in short[2]


@given(st.integers(1, 10**9))
def test_sizes(number: int) -> None:
    assert parse_size(str(number)) == number
    for unit, factor in (("K", 1024), ("M", 1024**2)):
        for text in (unit, unit.lower(), f"{unit}B", f"{unit}iB"):
            assert parse_size(f"{number}{text}") == number * factor


@given(st.text(max_size=12))
def test_what_is_no_size_is_told(text: str) -> None:
    try:
        assert parse_size(text) > 0
    except ConfigError as error:
        assert repr(text) in str(error)
        assert "65536, 256K or 1M" in str(error)


@pytest.mark.parametrize("text", ["", "0", "0K", "-5", "1.5M", "1G", "K", "256 K", "١K", "1_000"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(ConfigError, match="no memory size"):
        parse_size(text)


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys, export.reading.flatmodel, export.micro.judge, export.micro.sources\n"
        "print(*{'tensorflow', 'keras', 'tflite_micro', 'ai_edge_litert.interpreter'}"
        " & set(sys.modules))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert printed.stdout.strip() == ""
