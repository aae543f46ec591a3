"""Sources for a microcontroller that trains its head, as far as they can be tried without one."""

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import exports_for_tests as shared
import keras
import numpy as np
import pytest

from ecavg_tf.core.bundles.micro_head import HEAD_JSON, read_micro_head
from ecavg_tf.core.bundles.training_bundle import frozen_sha256
from ecavg_tf.core.errors import ExportError
from ecavg_tf.core.messages.device_lines import DeviceHead, head_lines, read_head_lines
from ecavg_tf.core.two_classes import class_columns
from ecavg_tf.data.dataset import Examples
from export.making.micro_head import MadeHead, make_micro_head
from export.micro.manifest import SOURCES, check_sources
from export.micro.proven_head import ProvenHead, prove_head
from export.micro.training_sources import write_training_sources

pytest.importorskip("tflite_micro", reason="the extra 'micro' is not installed")
DIGITS = shared.digits()
FEW = DIGITS.test.take(np.arange(40))
Both = tuple[MadeHead, ProvenHead]


def made_of(
    model: keras.Model, examples: Examples, classes: Sequence[str] = DIGITS.spec.classes
) -> Both:
    calibration = DIGITS.train.inputs[:100].reshape(-1, *model.input_shape[1:])
    spec = replace(DIGITS.spec, input_shape=model.input_shape[1:], classes=tuple(classes))
    made = make_micro_head(model, spec, calibration, {"edge": None}, 8)
    return made, prove_head(made, examples)


@pytest.fixture(scope="module")
def convolution() -> Both:
    return made_of(shared.model(), FEW)


@pytest.fixture(scope="module")
def alone() -> Both:
    """A head that takes raw values."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(10, activation="softmax")])
    return made_of(model, Examples(FEW.inputs.reshape(-1, 64), FEW.labels))


@pytest.fixture(scope="module")
def one_unit() -> Both:
    """Odd or even, by one sigmoid."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((64,)),
            layers.Rescaling(1 / 16),
            layers.Dense(9, activation="relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    examples = Examples(FEW.inputs.reshape(-1, 64), FEW.labels % 2)
    return made_of(model, examples, ("even", "odd"))


@pytest.fixture(scope="module", params=["convolution", "alone", "one_unit"])
def written(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, MadeHead, ProvenHead]:
    made, proven = request.getfixturevalue(request.param)
    folder = tmp_path_factory.mktemp("micro") / request.param
    write_training_sources(folder, made, proven)
    return folder, made, proven


def test_the_head_learns_from_what_the_backbone_gives(convolution: Both) -> None:
    made, proven = convolution
    assert proven.backbone is not None
    assert proven.features.dtype == np.int8
    assert proven.features.shape == (4, made.shape.features) == (4, 288)
    assert proven.difference < 1e-5
    assert proven.agreement >= 0.95
    facts = proven.backbone.facts
    assert (facts.inputs[0].dtype, facts.outputs[0].dtype) == ("int8", "int8")
    assert proven.steps.rows[1, 0] < proven.steps.rows[0, 0]  # the second loss is lower


def test_what_the_host_is_told(written: tuple[Path, MadeHead, ProvenHead]) -> None:
    folder, made, _ = written
    head = read_micro_head(folder / HEAD_JSON)
    assert head == made.info
    assert head.expected.kernel.shape == made.kernel.shape
    assert check_sources(folder / SOURCES) == ()
    if made.shape.features == 288:
        weights = shared.model().get_weights()
        assert head.held == (6, 7)
        assert head.frozen_sha256 == frozen_sha256(weights, (6, 7))


def test_files_are_written_again_and_those_of_others_stay(
    written: tuple[Path, MadeHead, ProvenHead], tmp_path: Path
) -> None:
    _, made, proven = written
    first = write_training_sources(tmp_path, made, proven)
    before = {path: path.read_bytes() for path in first}
    assert write_training_sources(tmp_path, made, proven) == first
    assert {path: path.read_bytes() for path in first} == before
    (tmp_path / "train.tflite").write_bytes(b"mine")
    with pytest.raises(ExportError, match=r"train\.tflite is there"):
        write_training_sources(tmp_path, made, proven)
    assert (tmp_path / "train.tflite").read_bytes() == b"mine"


def compiled(folder: Path, text: str, *sources: str) -> Path:
    """A program of a text and sources in a folder, with all warnings as errors."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no g++ on this machine")
    check = folder / "check.txt"  # no source of the folder's
    check.write_text(text)
    program = folder.parent / f"{folder.name}-program"
    strict = ["-std=c++17", "-Wall", "-Wextra", "-Werror", f"-I{folder}"]
    files = [str(folder / name) for name in sources]
    command = [compiler, *strict, *files, "-x", "c++", str(check), "-o", str(program)]
    subprocess.run(command, check=True, timeout=120)
    check.unlink()
    return program


LINES_THROUGH_CPP = """\
#include <cstdio>
#include "head.h"
int main() {
  static ecavg::Head head;
  ecavg::HeadReader reader;
  char line[ecavg::kLongestLine];
  ecavg::Start(head);
  while (std::fgets(line, sizeof line, stdin)) {
    const ecavg::HeadReader::Result result = reader.Feed(line, head);
    if (result == ecavg::HeadReader::kFault) return 1;
    if (result == ecavg::HeadReader::kDone) break;
  }
  ecavg::SendHead(head, [](const char* text) { std::puts(text); });
  for (std::size_t i = 0; i < ecavg::kGoldenRows; ++i) {
    float logits[ecavg::kHeadClasses];
    ecavg::Logits(head, ecavg::kGoldenFeatures + i * ecavg::kHeadFeatures, logits);
    for (float logit : logits) std::printf("%.9g ", static_cast<double>(logit));
    std::printf("%d\\n", static_cast<int>(
        ecavg::Best(head, ecavg::kGoldenFeatures + i * ecavg::kHeadFeatures)));
  }
  return 0;
}
"""


def test_lines_and_answers_of_the_device(written: tuple[Path, MadeHead, ProvenHead]) -> None:
    folder, made, proven = written
    program = compiled(folder, LINES_THROUGH_CPP, "train_data.cc")

    def through(text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(program)], input=text, capture_output=True, text=True, timeout=10, check=False
        )

    draw = np.random.default_rng(3)
    classes = made.shape.classes
    counts = tuple(draw.integers(0, 9, classes).tolist())
    other = DeviceHead(
        made.info.frozen, counts, made.kernel + draw.normal(size=made.kernel.shape).astype("f4"),
        made.bias - 1,
    )  # fmt: skip
    start = DeviceHead(made.info.frozen, (0,) * classes, made.kernel, made.bias)
    for text, head in (("", start), ("a log line\r\n" + head_lines(other), other)):
        answer = through(text)
        assert answer.returncode == 0
        assert answer.stdout.startswith(head_lines(head))
        again = read_head_lines(answer.stdout, made.info.expected)
        assert again.kernel.tobytes() == head.kernel.tobytes()
        x = proven.features.astype(np.float32)
        if proven.backbone is not None:
            port = proven.backbone.facts.outputs[0]
            assert port.scale is not None
            x = (x - port.zero_point) * np.float32(port.scale)
        expected = class_columns(x @ head.kernel + head.bias, logits=True)
        rows = answer.stdout.removeprefix(head_lines(head)).split("\n")[:4]
        found = np.array([row.split() for row in rows], float)
        # A softmax sees the difference of logits alone.
        logits, wanted = (each - each[:, :1] for each in (found[:, :-1], expected))
        np.testing.assert_allclose(logits, wanted, rtol=1e-4, atol=1e-4)
        assert found[:, -1].tolist() == expected.argmax(axis=1).tolist()
    lines = head_lines(other)
    for damaged in (
        lines.replace("ecavg-end ", "ecavg-end 0"),
        lines.replace(":0", ":1", 1),
        lines.replace(made.info.frozen, "0" * 16),
        re.sub(r":[0-9a-f]+\necavg-end", "ecavg-end", lines),
    ):
        assert damaged != lines
        assert through(damaged).returncode == 1


# What main.cc uses of tflite-micro: names and types alone, from its headers.
STUBS = {
    "micro_interpreter.h": """
#include <cstddef>
#include <cstdint>
enum TfLiteStatus { kTfLiteOk, kTfLiteError };
#define TF_LITE_ENSURE_STATUS(a) do { if ((a) != kTfLiteOk) return kTfLiteError; } while (0)
struct TfLiteTensor { union { float* f; std::int8_t* int8; } data; };
namespace tflite {
struct Model { std::uint32_t version() const; };
struct MicroOpResolver {};
struct MicroInterpreter {
  MicroInterpreter(const Model*, const MicroOpResolver&, std::uint8_t*, std::size_t);
  TfLiteStatus AllocateTensors();
  TfLiteStatus Invoke();
  TfLiteTensor* input(std::size_t);
  TfLiteTensor* output(std::size_t);
  std::size_t arena_used_bytes() const;
};
}
""",
    "micro_log.h": "void MicroPrintf(const char* format, ...);\n",
    "system_setup.h": "namespace tflite { void InitializeTarget(); }\n",
}


def test_main_is_sound_cpp(written: tuple[Path, MadeHead, ProvenHead], tmp_path: Path) -> None:
    """Against stand-ins that declare what it uses: the real headers are in no package."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no g++ on this machine")
    folder, *_ = written
    place = tmp_path / "tensorflow" / "lite"
    (place / "micro").mkdir(parents=True)
    (place / "schema").mkdir()
    for name, text in STUBS.items():
        (place / "micro" / name).write_text(f"#pragma once\n{text}")
    calls = re.findall(r"resolver\.(\w+)\(\)", (folder / "ops.h").read_text())
    adds = "".join(f"  TfLiteStatus {call}();\n" for call in calls)
    (place / "micro" / "micro_mutable_op_resolver.h").write_text(
        '#pragma once\n#include "tensorflow/lite/micro/micro_interpreter.h"\nnamespace tflite {\n'
        "template <unsigned> struct MicroMutableOpResolver : MicroOpResolver {\n" + adds + "};\n}\n"
    )
    (place / "schema" / "schema_generated.h").write_text(
        '#pragma once\n#include "tensorflow/lite/micro/micro_interpreter.h"\n'
        "#define TFLITE_SCHEMA_VERSION 3\n"
        "namespace tflite { const Model* GetModel(const void*); }\n"
    )
    strict = ["-std=c++17", "-fsyntax-only", "-Wall", "-Wextra", "-Werror"]
    command = [compiler, *strict, f"-I{tmp_path}", f"-I{folder}", str(folder / "main.cc")]
    subprocess.run(command, check=True, timeout=120)


def test_one_resolver_serves_both(convolution: Both, tmp_path: Path) -> None:
    made, proven = convolution
    write_training_sources(tmp_path, made, proven)
    assert proven.backbone is not None
    calls = re.findall(r"resolver\.(\w+)\(\)", (tmp_path / "ops.h").read_text())
    assert len(calls) == len(set(calls))
    assert {"AddConv2D", "AddFullyConnected", "AddLogSoftmax", "AddTranspose"} <= set(calls)
    assert "kLabels" in (tmp_path / "train_data.h").read_text()
    assert "kLabels" not in (tmp_path / "model_data.h").read_text()


def test_heads_that_no_microcontroller_trains() -> None:
    layers = keras.layers
    convolved = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Conv2D(10, 8, activation="softmax"), layers.Flatten()]
    )
    with pytest.raises(ExportError, match="does not end in a Dense layer"):
        made_of(convolved, FEW)
    regular = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(10, kernel_regularizer="l2")]
    )
    with pytest.raises(ExportError, match="has a kernel_regularizer"):
        made_of(regular, FEW)
    group = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(8, 3, activation="elu"),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    with pytest.raises(ExportError, match="no int8 form"):
        made_of(group, FEW)
    with pytest.raises(ExportError, match="no test examples"):
        prove_head(made_of(shared.model(), FEW)[0], FEW.take(np.arange(0)))


@pytest.mark.parametrize(("field", "value", "said"), [
    ("held", [6], "the kernel and the bias of a head"),
    ("held", [7, 6], "the kernel and the bias of a head"),
    ("classes", ["a", "b"], "the kernel and the bias of a head"),
    ("frozen_sha256", "x", "frozen_sha256"),
    ("schema_version", 2, "schema_version"),
    ("more", 1, "more is unknown"),
])  # fmt: skip
def test_a_damaged_head_json(
    convolution: Both, tmp_path: Path, field: str, value: object, said: str
) -> None:
    path = tmp_path / HEAD_JSON
    path.write_text(json.dumps({**convolution[0].info.to_json(), field: value}))
    with pytest.raises(ExportError, match=said):
        read_micro_head(path)
