"""A device refuses what it can't run right; the runtime here is ai-edge-litert."""

import subprocess
import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from bundles_for_tests import told, trains
from device_for_tests import export_bundles
from paths_for_tests import SUPPORT

from ecavg_tf.core.bundles.bundle import Bundle, BundleInfo, read_bundle, write_bundle
from ecavg_tf.core.bundles.training_bundle import write_training_bundle
from ecavg_tf.core.errors import ExportError, InstallationError
from edge.cli import main
from edge.device import runtime
from edge.device.check import check_bundle
from edge.device.child import ask_child


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return export_bundles(tmp_path_factory.mktemp("bundles"))


def changed(bundles: dict[str, Path], folder: Path, **fields: object) -> Path:
    """The float32 bundle with other contents, and hashes that fit them."""
    bundle = read_bundle(bundles["float32"])
    own = {name: value for name, value in fields.items() if name in Bundle.__dataclass_fields__}
    told = {
        name: value for name, value in fields.items() if name in BundleInfo.__dataclass_fields__
    }
    path = folder / "changed.zip"
    write_bundle(path, replace(bundle, info=replace(bundle.info, **told), **own))  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("kind", ["float32", "float16", "dynamic", "int8"])
def test_a_sound_bundle_is_taken(bundles: dict[str, Path], kind: str) -> None:
    checked = check_bundle(bundles[kind])
    assert checked.inputs == 32
    assert checked.agreement == 1.0
    assert checked.difference < 1e-3
    assert checked.runtime.name == "ai-edge-litert"


def test_one_flipped_bit(bundles: dict[str, Path], tmp_path: Path) -> None:
    content = bytearray(bundles["float32"].read_bytes())
    at = content.index(b"TFL3") + 2000
    content[at] ^= 1
    (tmp_path / "flipped.zip").write_bytes(content)
    with pytest.raises(ExportError, match=r"model.tflite is damaged .* get it again"):
        check_bundle(tmp_path / "flipped.zip")


def test_a_model_that_needs_a_newer_runtime(bundles: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(
        ExportError, match=r"needs TensorFlow Lite 9\.1\.0, ai-edge-litert .* newer"
    ):
        check_bundle(changed(bundles, tmp_path, min_runtime="9.1.0"))
    with pytest.raises(ExportError, match="expected a release such as"):
        check_bundle(changed(bundles, tmp_path, min_runtime="two"))


def test_a_silent_wrong_answer_is_refused(bundles: dict[str, Path], tmp_path: Path) -> None:
    outputs = np.roll(read_bundle(bundles["float32"]).golden_outputs, 1, axis=1)
    with pytest.raises(ExportError, match=r"runs wrong in ai-edge-litert .* don't use it here"):
        check_bundle(changed(bundles, tmp_path, golden_outputs=outputs))


def test_a_model_that_is_none(bundles: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"ai-edge-litert .* refuses the model"):
        check_bundle(changed(bundles, tmp_path, model=b"nothing like a flatbuffer"))


def test_a_flex_operator(bundles: dict[str, Path], tmp_path: Path) -> None:
    class Holder(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((1, 8, 8, 1))])
        def serve(self, image: tf.Tensor) -> tf.Tensor:
            return tf.linalg.diag_part(tf.linalg.inv(image[0, :, :, 0] + tf.eye(8)))[None]

    holder = Holder()
    signature = holder.serve.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([signature], holder)
    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.TFLITE_BUILTINS,
        tf.lite.OpsSet.SELECT_TF_OPS,
    ]
    model = converter.convert()
    with pytest.raises(ExportError, match="Flex operators, which no runtime from pip has"):
        check_bundle(changed(bundles, tmp_path, model=model))
    operators = (("CUSTOM:FlexMatrixInverse", 1, 1),)
    with pytest.raises(ExportError, match="uses CUSTOM:FlexMatrixInverse, which no runtime"):
        check_bundle(changed(bundles, tmp_path, operators=operators))


def test_a_crash_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(SUPPORT))
    with pytest.raises(ExportError, match=r"it crashes the runtime \(killed by signal 6\)"):
        ask_child("crash_for_tests", [], what="it")
    with pytest.raises(ExportError, match=r"it crashes the runtime \(exit code 3\)"):
        ask_child("crash_for_tests", ["exit"], what="it")
    with pytest.raises(ExportError, match=r"\(killed by signal 9, as the system does when memory"):
        ask_child("crash_for_tests", ["killed"], what="it")
    with pytest.raises(ExportError, match="did not answer within"):
        ask_child("edge.device.replay", ["nothing.zip"], what="it", timeout_s=0.01)


def test_a_child_that_finds_no_memory_leaves_all_as_it_was(
    bundles: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(SUPPORT))
    monkeypatch.setattr(
        "edge.device.check.ask_child",
        lambda _, __, what: ask_child("crash_for_tests", ["memory"], what=what),
    )
    bundle = tmp_path / "a.bundle.zip"
    bundle.write_bytes(bundles["float32"].read_bytes())
    with pytest.raises(ExportError, match=r"crashes the runtime \(exit code 1\); don't use it"):
        check_bundle(bundle)
    assert bundle.read_bytes() == bundles["float32"].read_bytes()
    assert list(tmp_path.iterdir()) == [bundle]
    monkeypatch.undo()
    assert check_bundle(bundle).inputs > 0


@pytest.mark.skipif(sys.platform != "linux", reason="the score that the system goes by is Linux'")
def test_where_memory_runs_out_the_child_ends_first() -> None:
    code = "from ecavg_tf.core.children import ends_first; ends_first(); "
    code += "print(open('/proc/self/oom_score_adj').read())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) == 1000


def test_the_runtime_that_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert runtime.find_runtime().name == "ai-edge-litert"
    found = runtime.util.find_spec
    old = {"tflite_runtime"}
    monkeypatch.setattr(
        runtime.util, "find_spec", lambda name: True if name in old else found("nothing_there")
    )
    monkeypatch.setattr(metadata, "version", lambda name: "2.14.0" if "tflite" in name else None)
    monkeypatch.setattr(np, "__version__", "2.1.0")
    with pytest.raises(InstallationError, match=r"numpy 2\.1\.0; .* pip install 'numpy<2'"):
        runtime.find_runtime()
    monkeypatch.setattr(np, "__version__", "1.26.4")
    assert runtime.find_runtime().release == (2, 14, 0)
    old.clear()
    with pytest.raises(InstallationError, match="no TFLite runtime is installed; pip install"):
        runtime.find_runtime()


def test_the_command_answers_with_a_line_and_a_code(
    bundles: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = changed(bundles, tmp_path, min_runtime="9.1.0")
    assert main(["check", str(bad), str(bundles["int8"])]) == 8
    printed = capsys.readouterr()
    assert printed.err.startswith("REFUSED: bundle ")
    assert len(printed.err.splitlines()) == 1
    assert "int8.bundle.zip: sound (int8 in ai-edge-litert" in printed.out
    assert "; proved as the float model, quantized" in printed.out
    assert main(["check", "nothing.zip", "--json"]) == 8
    assert '"sound": false' in capsys.readouterr().out


@pytest.mark.parametrize("program", ["edge", "ecavg"])
def test_one_bad_bundle_stops_nothing(
    bundles: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], program: str
) -> None:
    from ecavg_tf.cli import main as ecavg

    write_training_bundle(tmp_path / "training.zip", trains())
    hostile = told(tmp_path / "training.zip", value_range=[0, 10**400])
    words = ["check", str(hostile), str(tmp_path), str(bundles["float32"]), "nothing.zip"]
    assert (main if program == "edge" else ecavg)(words) == 8
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 1 and "float32.bundle.zip: sound" in printed.out
    refused = printed.err.splitlines()
    assert [line.split()[:2] for line in refused[:2]] == [["REFUSED:", "bundle"]] * 2
    assert refused[2:] == ["bundle nothing.zip is not there"]  # a mistyped name is no verdict
    assert "value_range is 1000000" in refused[0]


def test_ecavg_has_the_same_commands(
    bundles: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    from ecavg_tf.cli import main as ecavg

    assert ecavg(["check", str(bundles["float32"])]) == 0
    assert "sound" in capsys.readouterr().out
    assert sys.modules["edge.cli"] is not None
