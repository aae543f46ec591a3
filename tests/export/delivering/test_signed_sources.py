"""A microcontroller's sources are signed by the list of their hashes."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from bundles_for_tests import made
from keys_for_tests import keys

from ecavg_tf.cli import main
from ecavg_tf.core.bundles.bundle import write_bundle
from ecavg_tf.core.errors import ExportError
from export.delivering.signing import load_private_key, sign
from export.micro.manifest import SOURCES, Manifest, check_sources, manifest_text, read_manifest

pytest.importorskip("cryptography")

NAMES = ("README.txt", "main.cc", "model_data.cc", "model_data.h", "ops.h")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """Signed sources of the model in the signed int8 bundle one folder above."""
    secret, _ = keys(tmp_path)
    key, folder = load_private_key(secret), tmp_path / "exports" / "edge-00"
    write_bundle(folder / "int8.bundle.zip", made())
    sign(folder / "int8.bundle.zip", key)
    micro = folder / "micro"
    micro.mkdir()
    for name in NAMES:
        (micro / name).write_text(name)
    files = {name: sha256(name.encode()) for name in NAMES}
    manifest = Manifest(sha256(made().model), made().info.origin, files)
    (micro / SOURCES).write_text(manifest_text(manifest))
    assert read_manifest(micro / SOURCES) == manifest
    sign(micro / SOURCES, key)
    return micro


def verified(sources: Path) -> int:
    return main(
        ["export", f"--verify={sources.parents[2] / 'key.pub.pem'}", str(sources.parents[1])]
    )


def test_sources_with_their_origin(sources: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verified(sources) == 0
    _, said, count = capsys.readouterr().out.splitlines()
    assert f"{SOURCES}: whole, and signed by the owner of" in said
    assert "run r, round 1, edge edge-00, sources for a microcontroller, weights" in said
    assert count == "2 files sound, 0 refused"


@pytest.mark.parametrize("name", ["README.txt", "model_data.cc", "model_data.h", "ops.h"])
def test_a_source_that_was_changed_or_is_gone(
    sources: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with (sources / name).open("a") as stream:
        stream.write("// more")
    assert verified(sources) == 8
    assert f"{name} is not what was written" in capsys.readouterr().err
    (sources / name).unlink()
    assert verified(sources) == 8
    assert f"{name} can't be read: No such file" in capsys.readouterr().err


def test_main_may_be_changed_and_is_told_of(
    sources: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (sources / "main.cc").write_text("mine")
    (sources / "camera.cc").write_text("mine")
    assert verified(sources) == 0
    said = capsys.readouterr().out
    loose = "(edge-00/micro/camera.cc, edge-00/micro/main.cc)"
    assert f"Not covered by any signature: 2 files {loose}." in said
    (sources / "main.cc").unlink()
    assert check_sources(sources / SOURCES) == ("camera.cc",)


def test_a_list_that_was_changed_or_is_not_signed(
    sources: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = sources / SOURCES
    fields = json.loads(path.read_text())
    (sources / "ops.h").write_text("other")
    fields["files"]["ops.h"] = sha256(b"other")
    path.write_text(json.dumps(fields))
    assert verified(sources) == 8
    assert f"{SOURCES} was changed, or another key signed it" in capsys.readouterr().err
    (sources / f"{SOURCES}.sig").unlink()
    assert verified(sources) == 8
    assert f"{SOURCES} is not signed" in capsys.readouterr().err
    path.unlink()  # as an earlier version left them
    assert verified(sources) == 8
    assert f"{SOURCES} can't be read: No such file" in capsys.readouterr().err


def test_sources_of_another_model(sources: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key, path = load_private_key(sources.parents[2] / "key.pem"), sources / SOURCES
    other = replace(read_manifest(path), model_sha256=sha256(b"another"))
    path.write_text(manifest_text(other))
    sign(path, key)
    assert verified(sources) == 8
    assert "holds sources of another model than" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../x", "a/b", "..", ""])
def test_a_list_names_files_beside_it(sources: Path, name: str) -> None:
    path = sources / SOURCES
    listed = read_manifest(path)
    path.write_text(manifest_text(replace(listed, files={**listed.files, name: sha256(b"")})))
    with pytest.raises(ExportError, match="which is no file beside it"):
        check_sources(path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"files": {}}', '{"about": 1e999}'])
def test_what_is_no_list(text: str, tmp_path: Path) -> None:
    (tmp_path / SOURCES).write_text(text)
    with pytest.raises(ExportError, match=r"sources\.json is no list of sources"):
        read_manifest(tmp_path / SOURCES)


def test_models_beside_sources_are_covered_by_their_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As those of a microcontroller that trains its head, beside which lies no bundle."""
    secret, public = keys(tmp_path)
    folder = tmp_path / "exports" / "micro-head"
    folder.mkdir(parents=True)
    for name in ("train.tflite", "backbone.tflite"):
        (folder / name).write_bytes(name.encode())
    listed = {"train.tflite": sha256(b"train.tflite")}
    origin = {"run": None, "round": None, "edge": None, "weights_sha256": "a"}
    (folder / SOURCES).write_text(manifest_text(Manifest(sha256(b"m"), origin, listed)))
    sign(folder / SOURCES, load_private_key(secret))
    words = ["export", f"--verify={public}", str(tmp_path / "exports")]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "Not covered by any signature: 1 file (micro-head/backbone.tflite)" in printed
    (folder / "train.tflite").write_bytes(b"another")
    assert main(words) == 8
    assert "train.tflite is not what was written" in capsys.readouterr().err
