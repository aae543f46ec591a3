"""An export is found again only where model, examples and files are what they were."""

import json
from dataclasses import replace
from pathlib import Path

import exports_for_tests as made
import keras
import numpy as np
import pytest

from ecavg_tf.config import Limits
from ecavg_tf.core.bundles.bundle import read_bundle
from ecavg_tf.core.errors import ExportError, UnprovedError
from ecavg_tf.core.exports import Exported, ProvedAs, Verdict
from ecavg_tf.core.files import file_sha256
from ecavg_tf.core.template import weights_sha256
from ecavg_tf.events import Event, Listener, Note, silent
from export.delivering.earlier_files import RECORD, file_names, intact
from export.exporter import Exporter
from export.jobs.run import raise_if_failed
from export.making.formats import Variant
from export.proving.seen import gather
from export.subject import Subject


def net(activation: str) -> keras.Model:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Flatten(),
            layers.Rescaling(1 / 16),
            layers.Dense(16, activation=activation),
            layers.Dense(10, activation="softmax"),
        ]
    )


def exported(
    model: keras.Model,
    folder: Path,
    variant: Variant = Variant.FLOAT32,
    listener: Listener = silent,
    fresh: bool = False,
) -> Exported:
    digits = made.digits()
    subject = Subject(
        name="edge-00",
        weights_sha256=weights_sha256(model.get_weights()),
        origin={"edge": "edge-00"},
        calibration=None,
        inputs=digits.test.inputs[:240],
        labels=None,
        words="test examples",
    )
    exporter = Exporter(model, digits.spec, False, latency_s=0.0, fresh=fresh, listener=listener)
    (row,) = exporter.export(subject, (variant,), folder / "edge-00")
    assert row.status == "passed", row.reasons
    return row


@pytest.mark.slow
def test_too_few_examples_deliver_a_file_only_if_that_is_accepted(tmp_path: Path) -> None:
    digits, model = made.digits(), net("relu")
    subject = Subject(
        name="edge-00",
        weights_sha256=weights_sha256(model.get_weights()),
        origin={"edge": "edge-00"},
        calibration=None,
        inputs=digits.test.inputs[:24],
        labels=digits.test.labels[:24],
        words="24 test examples",
    )
    variants, folder = (Variant.MASTER, Variant.FLOAT32), tmp_path / "edge-00"

    def export(limits: Limits, subject: Subject) -> tuple[Exported, ...]:
        return Exporter(model, digits.spec, False, limits, 0.0).export(subject, variants, folder)

    rows = export(Limits(), subject)
    assert [(row.status, row.bundle, row.delivered) for row in rows] == [
        ("undecided", None, False)
    ] * 2
    assert rows[1].file == "edge-00/float32.unproved.tflite"
    assert "24 examples, 149 needed to show" in rows[1].reasons[0]
    assert export(Limits(), subject) == rows  # found again
    with pytest.raises(UnprovedError, match=r"24 examples, 149 needed.*accept_unproved=true"):
        raise_if_failed(rows)

    accepted = export(Limits(accept_unproved=True), subject)
    assert [(row.status, row.file) for row in accepted] == [
        ("undecided", "edge-00/float32-batch.tflite"),
        ("undecided", "edge-00/float32.tflite"),
    ]
    raise_if_failed(accepted)
    assert not (folder / "float32.unproved.tflite").exists()
    info = read_bundle(tmp_path / str(accepted[1].bundle)).info
    assert (info.verdict, info.proved_as) == (Verdict.UNDECIDED, ProvedAs.FLOAT)

    train = digits.train.inputs
    drawn = gather([("pooled", train)], train[:9], subject.inputs, 0)
    proved = export(Limits(), replace(subject, seen=drawn))
    assert [row.status for row in proved] == ["passed"] * 2
    assert proved[1].parity is not None
    assert proved[1].parity.claims[0].examples == "24 test examples and 1000 pooled"


@pytest.mark.slow
def test_another_function_of_the_same_weights_is_made_anew(tmp_path: Path) -> None:
    relu, tanh = net("relu"), net("tanh")
    assert weights_sha256(relu.get_weights()) == weights_sha256(tanh.get_weights())
    first = exported(relu, tmp_path)
    second = exported(tanh, tmp_path)
    assert first.sha256 != second.sha256
    bundle = read_bundle(tmp_path / str(second.bundle))
    expected = tanh.predict(bundle.golden_inputs.astype("float32"), verbose=0)
    np.testing.assert_allclose(bundle.golden_outputs, expected, atol=1e-5)


def test_the_same_model_built_again_is_found(tmp_path: Path) -> None:
    first = exported(net("relu"), tmp_path)
    file = tmp_path / str(first.file)
    before = file.stat().st_mtime_ns
    assert exported(net("relu"), tmp_path) == first
    assert file.stat().st_mtime_ns == before


@pytest.mark.slow
def test_a_damaged_record_finds_nothing_and_owns_nothing(tmp_path: Path) -> None:
    model = net("relu")
    first = exported(model, tmp_path)
    file = tmp_path / str(first.file)
    for content in ("{}", '{"key": 1}', "[]", '{"names": [[]]}', "no json"):
        (tmp_path / "edge-00" / RECORD).write_text(content)
        with pytest.raises(ExportError, match=r"float32\.tflite is there, and .*--out"):
            exported(model, tmp_path)
        assert file.exists()
    for name in file_names(Variant.FLOAT32):
        (file.parent / name).unlink(missing_ok=True)
    again = exported(model, tmp_path)
    assert again.file == first.file and intact(tmp_path, again)


def doctored(folder: Path, **fields: object) -> None:
    """Rewrites the one row of a record, as whoever can write to the folder could."""
    path = folder / "edge-00" / RECORD
    record = json.loads(path.read_text())
    record["files"][0].update(fields)
    path.write_text(json.dumps(record))


@pytest.mark.slow
def test_a_record_names_no_file_elsewhere(tmp_path: Path) -> None:
    model, folder = net("relu"), tmp_path / "shared"
    first = exported(model, folder)
    victim = tmp_path / "victim" / "other.bundle.zip"
    victim.parent.mkdir()
    victim.write_bytes(b"of another")
    for fields in (
        {"bundle": "../victim/other.bundle.zip", "bundle_sha256": file_sha256(victim)},
        {"file": "../victim/other.bundle.zip", "sha256": file_sha256(victim)},
        {"file": str(victim), "sha256": file_sha256(victim)},
        {"model": "edge-01"},
        {"status": "skipped"},
        {"bundle": None},
    ):
        doctored(folder, **fields)
        again = exported(model, folder)
        assert replace(again, cost=None) == replace(first, cost=None)  # latencies differ
    assert victim.read_bytes() == b"of another"


@pytest.mark.slow
def test_who_signs_gets_nothing_that_a_record_says_was_made(tmp_path: Path) -> None:
    model = net("relu")
    first = exported(model, tmp_path)
    bundle = tmp_path / str(first.bundle)
    bundle.write_bytes(b"labels reversed")
    doctored(tmp_path, bundle_sha256=file_sha256(bundle))
    assert exported(model, tmp_path).bundle_sha256 != first.bundle_sha256  # by its own record
    again = exported(model, tmp_path, fresh=True)
    assert again.bundle_sha256 == first.bundle_sha256 == file_sha256(bundle)


@pytest.mark.slow
def test_formats_made_before_stay_beside_a_fresh_one(tmp_path: Path) -> None:
    model = net("relu")
    first = exported(model, tmp_path, Variant.FLOAT16)
    exported(model, tmp_path, fresh=True)
    assert intact(tmp_path, first)
    assert exported(model, tmp_path, Variant.FLOAT16) == first


@pytest.mark.slow
def test_a_users_own_file_is_neither_removed_nor_written_over(tmp_path: Path) -> None:
    exported(net("relu"), tmp_path)
    mine = tmp_path / "edge-00" / "float16.tflite"
    mine.write_bytes(b"mine")
    exported(net("tanh"), tmp_path)  # another key
    assert mine.read_bytes() == b"mine"
    with pytest.raises(ExportError, match=r"float16\.tflite is there, and .*--out"):
        exported(net("tanh"), tmp_path, Variant.FLOAT16)
    assert mine.read_bytes() == b"mine"


@pytest.mark.slow
def test_files_of_another_model_are_removed_and_told_of(tmp_path: Path) -> None:
    exported(net("relu"), tmp_path)
    exported(net("relu"), tmp_path, Variant.FLOAT16)
    events: list[Event] = []
    exported(net("tanh"), tmp_path, listener=events.append)
    assert not (tmp_path / "edge-00" / "float16.tflite").exists()
    (note,) = events
    assert isinstance(note, Note)
    assert "removed float16.bundle.zip, float16.tflite: of an earlier export" in note.text
    exported(net("tanh"), tmp_path, listener=events.append)
    assert len(events) == 1


@pytest.mark.slow
def test_an_interrupted_export_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    whole = exported(net("relu"), tmp_path / "whole")
    monkeypatch.setattr("export.exporter.bundle_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        exported(net("relu"), tmp_path)
    assert (tmp_path / "edge-00" / "float32.tflite").exists()
    monkeypatch.undo()
    again = exported(net("relu"), tmp_path)
    assert (again.sha256, again.bundle) == (whole.sha256, whole.bundle)


@pytest.mark.slow
def test_a_damaged_format_is_still_ours_after_another_was_made(tmp_path: Path) -> None:
    model = net("relu")
    exported(model, tmp_path)
    half = exported(model, tmp_path, Variant.FLOAT16)
    (tmp_path / str(half.file)).write_bytes(b"damaged")
    exported(model, tmp_path, Variant.DYNAMIC)
    assert exported(model, tmp_path, Variant.FLOAT16).sha256 == half.sha256
