import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tflite_for_tests import convert, sequential

from ecavg_tf.core.errors import ExportError
from ecavg_tf.events import Event, Note
from export.micro.interpreter import Arena, MicroRun
from export.micro.literals import c_float, c_string
from export.micro.operators import resolver_call
from export.micro.sources import arena_with_margin, write_sources
from export.reading.flatmodel import read_flatmodel

layers = keras.layers
LABELS = ("cat", 'a "dog"\\', "Übung ??/ 5")


@pytest.fixture(scope="module")
def int8() -> bytes:
    model = sequential(
        (6, 6, 2),
        layers.Rescaling(1 / 255),
        layers.Conv2D(4, 3, activation="relu"),
        layers.DepthwiseConv2D(3, activation="relu"),
        layers.Flatten(),
        layers.Dense(3, "softmax"),
    )
    return convert(model, "int8")


@pytest.fixture(scope="module")
def run(int8: bytes) -> MicroRun:
    """As if it had been run: these tests need no tflite-micro."""
    draw = np.random.default_rng(0)
    inputs = draw.integers(-128, 128, (3, 6, 6, 2)).astype(np.int8)
    scores = np.array([[9, 9, 8], [-128, 127, 5], [0, 20, 19]], np.int8)
    digest = hashlib.sha256(int8).hexdigest()
    arena = Arena(5_000, 1_000, 2_000)
    return MicroRun(digest, read_flatmodel(int8), arena, inputs, scores, scores, scores)


@pytest.fixture(scope="module")
def written(int8: bytes, run: MicroRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("micro") / "sources"
    files = write_sources(folder, int8, LABELS, run)
    assert {path.name for path in files} == {
        "README.txt",
        "main.cc",
        "model_data.cc",
        "model_data.h",
        "ops.h",
    }
    assert sorted(folder.iterdir()) == list(files)
    return folder


def constant(header: str, name: str) -> str:
    found = re.search(rf"{name}(?:\[\])? = ([^;]+);", header)
    assert found, name
    return found[1]


def array(written: Path, declaration: str) -> list[int]:
    text = (written / "model_data.cc").read_text()
    found = re.search(rf"{re.escape(declaration)} = {{([^}}]*)}};", text)
    assert found, declaration
    return [int(value) for value in found[1].replace("\n", "").rstrip(",").split(",")]


def test_the_array_holds_the_files_bytes(written: Path, int8: bytes) -> None:
    assert bytes(array(written, "alignas(16) const unsigned char kModel[kModelSize]")) == int8


def test_the_self_test_has_the_clearest_image(written: Path, run: MicroRun) -> None:
    assert run.clearest == 1
    image = array(written, "const std::int8_t kGoldenImage[kInputSize]")
    assert image == run.inputs[1].reshape(-1).tolist()
    assert array(written, "const std::int8_t kGoldenScores[kOutputSize]") == [-128, 127, 5]


def test_the_header_states_sizes_and_scales(written: Path, int8: bytes) -> None:
    header = (written / "model_data.h").read_text()
    facts = read_flatmodel(int8)
    assert int(constant(header, "kModelSize")) == len(int8)
    assert int(constant(header, "kArenaSize")) == arena_with_margin(5_000)
    assert constant(header, "kInputShape") == "{1, 6, 6, 2}"
    assert int(constant(header, "kInputSize")) == 72
    assert int(constant(header, "kOutputSize")) == int(constant(header, "kLabelCount")) == 3
    for side, port in (("Input", facts.inputs[0]), ("Output", facts.outputs[0])):
        assert port.scale is not None
        literal = constant(header, f"k{side}Scale")
        assert np.float32(literal.rstrip("f")) == np.float32(port.scale)
        assert int(constant(header, f"k{side}ZeroPoint")) == port.zero_point


def test_every_operator_is_registered_once(written: Path, int8: bytes) -> None:
    text = (written / "ops.h").read_text()
    calls = re.findall(r"resolver\.(\w+)\(\)", text)
    names = {operator.name for operator in read_flatmodel(int8).operators}
    assert {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "SOFTMAX"} <= names
    assert sorted(calls) == sorted(resolver_call(name) for name in names)
    assert f"MicroMutableOpResolver<{len(names)}>" in text


def test_names_of_the_resolver() -> None:
    """As tflite-micro spells them, and not always as one would guess."""
    for name, call in {
        "ADD": "AddAdd",
        "AVERAGE_POOL_2D": "AddAveragePool2D",
        "BATCH_MATMUL": "AddBatchMatMul",
        "DEPTHWISE_CONV_2D": "AddDepthwiseConv2D",
        "L2_POOL_2D": "AddL2Pool2D",
        "PADV2": "AddPadV2",
        "RELU6": "AddRelu6",
        "REVERSE_V2": "AddReverseV2",
        "SPLIT_V": "AddSplitV",
        "UNIDIRECTIONAL_SEQUENCE_LSTM": "AddUnidirectionalSequenceLSTM",
    }.items():
        assert resolver_call(name) == call
    with pytest.raises(ExportError, match="no operator TILE"):
        resolver_call("TILE")


def test_the_readme_says_what_was_not_done(written: Path) -> None:
    text = (written / "README.txt").read_text()
    assert "NOT BUILT HERE" in text
    assert "5000 bytes" in text
    assert "on 3 examples" in text
    assert f"{arena_with_margin(5_000)} bytes" in text


def test_the_python_package_has_no_headers_as_the_readme_says() -> None:
    package = pytest.importorskip("tflite_micro", reason="the extra 'micro' is not installed")
    folder = Path(package.__file__).parent
    assert not [path for path in folder.rglob("*") if path.suffix in (".h", ".hpp", ".inc")]


def test_data_files_compile(written: Path, tmp_path: Path) -> None:
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no g++ on this machine")
    check = tmp_path / "check.cc"
    # The bytes behind the labels, as the compiler understands them.
    wanted = "".join(f"{{{', '.join(map(str, label.encode()))}}},\n" for label in LABELS)
    check.write_text(
        '#include "model_data.h"\n#include <cstring>\n'
        f"static const unsigned char wanted[][32] = {{{wanted}}};\n"
        "int main() {\n"
        "  for (std::size_t i = 0; i < ecavg::kLabelCount; ++i)\n"
        "    if (std::strcmp(ecavg::kLabels[i], (const char*)wanted[i])) return 1;\n"
        "  if (sizeof ecavg::kGoldenImage != 72 || ecavg::kGoldenScores[0] != -128) return 3;\n"
        "  return reinterpret_cast<std::uintptr_t>(ecavg::kModel) % 16 ? 2 : 0;\n}\n"
    )
    strict = ["-std=c++17", "-trigraphs", "-Wall", "-Wextra", "-Werror", f"-I{written}"]
    program = tmp_path / "check"
    subprocess.run(
        [compiler, *strict, str(check), str(written / "model_data.cc"), "-o", str(program)],
        check=True,
        timeout=60,
    )
    assert subprocess.run([str(program)], check=False, timeout=10).returncode == 0


def test_labels_must_be_as_many_as_scores(int8: bytes, run: MicroRun, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="2 labels came, and the model gives 3 scores"):
        write_sources(tmp_path, int8, LABELS[:2], run)
    assert list(tmp_path.iterdir()) == []


def test_a_run_of_another_file_is_refused(int8: bytes, run: MicroRun, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="was of another file"):
        write_sources(tmp_path, int8 + b"x", LABELS, run)
    assert list(tmp_path.iterdir()) == []


def test_a_filled_in_main_is_kept_and_told_of(int8: bytes, run: MicroRun, tmp_path: Path) -> None:
    told: list[Event] = []
    for _ in range(2):  # what is ours is written again, without a word
        write_sources(tmp_path, int8, LABELS, run, told.append)
    assert told == []
    main, header = tmp_path / "main.cc", tmp_path / "model_data.h"
    fresh, edited = header.read_text(), main.read_text().replace("Quantize(0.0f)", "camera[i]")
    main.write_text(edited)
    header.write_text("// Written by ecavg-tf. Of an earlier model.\n")
    write_sources(tmp_path, int8, LABELS, run, told.append)
    assert main.read_text() == edited
    assert header.read_text() == fresh
    assert told == [Note(f"{main} is kept as it is there; remove it for a fresh one")]


@pytest.mark.parametrize("name", ["model_data.h", "model_data.cc", "ops.h", "README.txt"])
def test_files_of_somebody_else_are_not_written_over(
    int8: bytes, run: MicroRun, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text("my own\n")
    with pytest.raises(ExportError, match=f"{name} is there, and its first line does not say"):
        write_sources(tmp_path, int8, LABELS, run)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["my own\n"]


def test_the_margin() -> None:
    assert arena_with_margin(1_000) == 2_032
    assert arena_with_margin(80_000) == 90_000
    assert arena_with_margin(80_001) % 16 == 0
    assert arena_with_margin(80_001) >= 90_001


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_float_literals_keep_their_bits(value: float) -> None:
    literal = c_float(value)
    assert re.fullmatch(r"-?\d+(\.\d+)?(e[+-]\d+)?f", literal)
    assert "." in literal or "e" in literal
    assert np.float32(literal[:-1]) == np.float32(value)


@given(st.text())
def test_string_literals_are_plain(text: str) -> None:
    literal = c_string(text)
    assert re.fullmatch(r'"([ -~]*)"', literal)
    raw = re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), literal[1:-1])
    assert raw.encode("latin-1") == text.encode("utf-8", "replace")
    assert "?" not in literal
