"""From a run to files that a device could take."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from export_runs_for_tests import small

import export
from ecavg_tf.cli import main
from ecavg_tf.core.bundles.bundle import read_bundle
from ecavg_tf.core.errors import ExportError
from ecavg_tf.core.files import file_sha256
from ecavg_tf.data.federated import federated_data
from ecavg_tf.events import Event, Note, silent
from ecavg_tf.results import load_results
from ecavg_tf.rounds.loop import run
from ecavg_tf.task import Task
from export.jobs.run import export_edges, export_run
from export.proving.interpreter import LiteModel
from export.reading.metadata import read_description


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "run"
    run(small(), folder)
    return folder


@pytest.fixture
def workdir(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def test_a_run_ends_with_files_for_every_edge_and_the_server(finished: Path) -> None:
    results = load_results(finished)
    assert results.status == "finished"
    assert [(row.model, row.variant) for row in results.exports] == [
        (model, variant)
        for model in ("edge-00", "edge-01", "global")
        for variant in ("float32-batch", "float32", "int8")
    ]
    for row in results.exports:
        assert row.status == "passed", row.reasons
        assert row.file is not None and row.parity is not None and row.cost is not None
        path = finished / "exports" / row.file
        assert file_sha256(path) == row.sha256
        assert path.stat().st_size == row.size_bytes
        assert len(row.cost.latencies) == 4
    sources = {row.model: row.calibration for row in results.exports if row.variant == "int8"}
    assert "own training examples of edge-00" in (sources["edge-00"] or "")
    assert "pooled training examples" in (sources["edge-01"] or "")  # it does not consent
    parity = results.exports[0].parity
    assert parity is not None and "edge-00's 5 classes" in parity.inputs


def test_the_bundle_tests_itself(finished: Path) -> None:
    bundle = read_bundle(finished / "exports" / "edge-01" / "int8.bundle.zip")
    accepted = load_results(finished).rounds[-1].edges[1].accepted
    assert accepted is not None
    assert bundle.info.origin["weights_sha256"] == accepted.weights_sha256
    assert bundle.info.origin["edge"] == "edge-01"
    assert bundle.golden_inputs.dtype == np.uint8
    lite = LiteModel(bundle.model, logits=bundle.info.output_kind == "logits")
    np.testing.assert_array_equal(lite.probabilities(bundle.golden_inputs), bundle.golden_outputs)
    assert read_description(bundle.model).classes == tuple("0123456789")


def bytes_of(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.suffix in (".tflite", ".zip"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(found)}


@pytest.mark.slow
def test_exporting_twice_gives_identical_bytes(finished: Path, tmp_path: Path) -> None:
    export_run(finished, out=tmp_path / "again")
    again = bytes_of(tmp_path / "again")
    assert again == bytes_of(finished / "exports")
    assert len(again) == 15


@pytest.mark.slow
def test_a_finished_run_exports_again_only_what_changed(workdir: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (workdir / "exports").rglob("*.tflite")}
    config = small()
    run(config, workdir)  # nothing to do
    config.export = replace(config.export, latency_s=0.002)  # no other files
    run(config, workdir)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    damaged = workdir / "exports" / "global" / "int8.tflite"
    content = damaged.read_bytes()
    damaged.write_bytes(content[:-1])
    export_run(workdir)
    assert damaged.read_bytes() == content
    export_run(workdir, formats="float32")
    assert load_results(workdir).config == json.loads((workdir / "config.json").read_text())


@pytest.mark.slow
def test_results_tell_of_no_file_that_is_gone(workdir: Path) -> None:
    """Other limits are another key: the int8 files of before are removed and not made again."""
    other = replace(small().export, max_accuracy_loss=0.5, formats="float32")
    export_run(workdir, settings=other, edges=["edge-00"])
    assert not (workdir / "exports" / "edge-00" / "int8.tflite").exists()
    (workdir / "exports" / "global" / "int8.bundle.zip").write_bytes(b"another")
    export_run(workdir, settings=other, edges=["edge-00"])
    assert {(row.model, row.variant) for row in load_results(workdir).exports} == {
        ("edge-00", "float32-batch"),
        ("edge-00", "float32"),
        ("edge-01", "float32-batch"),
        ("edge-01", "float32"),
        ("edge-01", "int8"),
        ("global", "float32-batch"),
        ("global", "float32"),
    }


@pytest.mark.slow
def test_a_failing_gate_keeps_the_file_aside(
    workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = replace(small().export, min_agreement_int8=1.0, max_accuracy_loss=0.0)
    hard = replace(settings, formats="float32,int8", max_difference=0.0)
    rows = export_run(workdir, settings=hard, edges=["edge-00"])
    folder = workdir / "exports" / "edge-00"
    assert rows[0].failed
    assert "at most 0 is allowed" in rows[0].reasons[0]
    assert (folder / "float32.failed-gate.tflite").exists()
    assert not (folder / "float32.tflite").exists()
    assert not (folder / "float32.bundle.zip").exists()
    results = load_results(workdir)
    assert [row.failed for row in results.exports if row.variant == "float32"].count(True) == 1
    assert main(["export", str(workdir), "--edge=edge-00", "--formats=float32"]) == 0
    assert (folder / "float32.tflite").exists()
    assert not (folder / "float32.failed-gate.tflite").exists()
    assert "edge-00" in capsys.readouterr().out


@pytest.mark.slow
def test_a_run_whose_gate_fails_ends_with_8(
    workdir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config.py"
    file.write_text(
        "from export_runs_for_tests import small\ndef get_config():\n    return small()\n"
    )
    arguments = ["run", f"--config={file}", f"--workdir={workdir}"]
    assert main([*arguments, "--config.export.max_difference=0.0"]) == 8
    printed = capsys.readouterr()
    assert "edge-00, float32-batch: a probability differs by" in printed.err
    assert "kept aside as edge-00/float32-batch.failed-gate.tflite" in printed.err
    assert load_results(workdir).status == "finished"


@pytest.mark.slow
def test_an_edge_at_home_calibrates_on_its_own_images_without_consent(workdir: Path) -> None:
    config, home = small(), workdir / "edges"
    data = federated_data(config)
    rows = export_edges(home, Task(config, data.spec, home, silent), data, ["edge-01"])
    assert [row.status for row in rows] == ["passed"] * 3
    assert "own training examples of edge-01" in (rows[2].calibration or "")
    assert (home / "exports" / "edge-01" / "int8.bundle.zip").exists()


@pytest.mark.slow
def test_edges_without_a_model_are_told_of(workdir: Path) -> None:
    for pattern in ("finish-*.json", "accepted*", "reply-*.json"):
        for file in (workdir / "edges" / "edge-01").glob(pattern):
            file.unlink()
    said = Note("edge-01 has accepted no model: none is exported")
    told: list[Event] = []
    rows = export_run(workdir, formats="float32", listener=told.append)
    assert said in told
    assert {row.model for row in rows} == {"edge-00", "global"}
    told.clear()
    export_run(workdir, formats="float32", edges=["global"], listener=told.append)
    assert said not in told
    shutil.rmtree(workdir / "edges")
    export_run(workdir, formats="float32", listener=told.append)
    assert any(isinstance(note, Note) and "on their own machines" in note.text for note in told)


def test_without_pooled_data_int8_is_skipped_with_the_reason(workdir: Path) -> None:
    shutil.rmtree(workdir / "pooled")
    (skipped,) = export_run(workdir, formats="int8", edges=["global"])
    assert skipped.status == "skipped"
    assert "no edge pools its data" in skipped.reasons[0]


@pytest.mark.slow
def test_a_keras_file_with_and_without_data(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.keras"
    shutil.copy(finished / "edges" / "edge-00" / "accepted.keras", file)
    assert main(["export", str(file), "--formats=float32,int8", "--value-range=0,16"]) == 0
    printed = capsys.readouterr().out
    assert "give --data=NAME" in printed
    assert (tmp_path / "mine-export" / "mine" / "float32.tflite").exists()
    assert not (tmp_path / "mine-export" / "mine" / "int8.tflite").exists()
    out = tmp_path / "out"
    assert main(["export", str(file), "--formats=int8", "--data=digits", f"--out={out}"]) == 0
    assert "training examples of digits" in capsys.readouterr().out
    assert (out / "mine" / "int8.bundle.zip").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["{tmp}/nothing"], 4, "nothing is not a run directory"),
        (["{tmp}/nothing.keras"], 7, "nothing.keras is not there"),
        ([], 2, "give one run directory or .keras file"),
        (["{run}", "--formats=int4"], 2, "did you mean 'int8'"),
        (["{run}", "--edge=edge-07"], 2, "valid: edge-00, edge-01, global"),
        (["{run}", "--sign={tmp}/no.pem"], 8, "no.pem can't be read"),
        (["{run}", "--value-range=5"], 2, "expected LOW,HIGH"),
    ],
)
def test_errors_are_one_line(
    finished: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    filled = [text.format(tmp=tmp_path, run=finished) for text in arguments]
    assert main(["export", *filled]) == code
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.count("\n") == 1


def conv() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            keras.layers.Conv2D(3, 3),
            keras.layers.Flatten(),
            keras.layers.Dense(4),
        ]
    )


def test_to_tflite_takes_any_model() -> None:
    keras.utils.set_random_seed(3)
    inputs = np.random.default_rng(0).uniform(size=(50, 6, 6, 1)).astype("float32")
    files = export.to_tflite(conv(), inputs, "float32,int8", output="logits")
    assert list(files) == ["float32-batch", "float32", "int8"]
    assert {file.output_kind for file in files.values()} == {"logits"}
    assert files["int8"].input.dtype == "int8"
    regression = keras.Sequential([keras.Input((5,)), keras.layers.Dense(1)])
    vectors = np.random.default_rng(0).normal(size=(50, 5)).astype("float32")
    (file,) = export.to_tflite(regression, vectors, ["dynamic"]).values()
    assert file.output_kind == "values"


def test_to_tflite_refuses_what_it_cannot_prove() -> None:
    with pytest.raises(ExportError, match="int8 needs calibration"):
        export.to_tflite(conv(), formats="int8")
    half = keras.layers.Dense(4, dtype="float16", name="half")
    with pytest.raises(ExportError, match="'half' has weights in float16"):
        export.to_tflite(keras.Sequential([keras.Input((5,)), half]), formats="float32")


def test_importing_the_package_is_light_and_names_its_functions() -> None:
    assert "to_tflite" in dir(export)
    with pytest.raises(AttributeError):
        _ = export.nothing
