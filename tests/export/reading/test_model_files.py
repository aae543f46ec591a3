import io
import zipfile
from pathlib import Path

import h5py
import pytest

from ecavg_tf.cli import main
from ecavg_tf.core.errors import ModelError
from export.reading.model_files import check_model_file


def hdf5(**attributes: str) -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file.attrs.update(attributes)
    return stream.getvalue()


def keras_zip() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in ("config.json", "metadata.json", "model.weights.h5"):
            archive.writestr(name, "{}")
    return stream.getvalue()


_HDF5 = hdf5(model_config="{}")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("mine.h5", _HDF5, r"an HDF5 file.*load_model\('.*mine.h5'\).save\('.*mine.keras'\)"),
        ("mine.keras", _HDF5, r"under another name; call it .*mine.h5.*\.save\('.*new.keras'\)"),
        ("mine", _HDF5, r"an HDF5 file under another name.*load_model\('.*mine.h5'\)"),
        (
            "mine.h5",
            _HDF5[: len(_HDF5) // 2],
            "mine.h5 can't be opened as an HDF5 file .*: it is cut off, or another",
        ),
        ("mine.h5", b"text", "mine.h5 is no HDF5 file; save or copy it again"),
        ("mine.h5", hdf5(), "without a Keras model's architecture"),
        ("mine.h5", keras_zip(), "is a .keras file under another name; call it .*mine.keras"),
        ("mine.zip", keras_zip(), "is a .keras file under another name; call it .*mine.keras"),
        ("mine", keras_zip(), "is a .keras file under another name; call it .*mine.keras"),
        ("mine.weights.h5", _HDF5, "weights alone"),
        ("mine.tflite", b"1234TFL3", "a .tflite file already"),
        ("mine.onnx", b"x", "an ONNX model"),
        ("mine.pt", b"x", "a PyTorch model"),
        ("mine.keras", b"", "mine.keras is empty, so it is no Keras model; save or copy it again"),
        ("mine.keras", b"PK\3\4" + bytes(20), "is no zip file, or cut off"),
    ],
)
def test_other_models_are_told_with_what_to_do(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ModelError, match=said):
        check_model_file(path)


def test_a_saved_model_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "mine_saved"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"x")
    assert main(["export", str(folder), "--data=digits"]) == 7
    line = capsys.readouterr().err
    assert "is a SavedModel" in line and "model.save(" in line and line.count("\n") == 1


def test_a_folder_with_a_models_name(tmp_path: Path) -> None:
    (tmp_path / "mine.keras").mkdir()
    with pytest.raises(ModelError, match=r"mine.keras is a folder; give the file that model.save"):
        check_model_file(tmp_path / "mine.keras")


def test_what_may_be_a_run_or_a_keras_file_passes(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "whole.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    for name in ("whole.keras", "absent.keras", ""):
        check_model_file(tmp_path / name)
