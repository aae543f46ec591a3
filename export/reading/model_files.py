"""Model files of other kinds than ``.keras``: which one it is, and how it becomes one."""

import zipfile
from pathlib import Path

from ecavg_tf.core.errors import ModelError, brief

_H5 = (".h5", ".hdf5", ".hdf")
_HDF5 = b"\x89HDF\r\n\x1a\n"
_AGAIN = "save it as .keras first: "
_LOADED = "keras.models.load_model({path!r}).save({new!r})"
_OTHERS = {
    ".onnx": "an ONNX model",
    ".pt": "a PyTorch model",
    ".pth": "a PyTorch model",
    ".pb": "a frozen TensorFlow graph",
    ".json": "a model's architecture without weights",
    ".ckpt": "a checkpoint of weights",
    ".index": "a checkpoint of weights",
    ".safetensors": "a file of weights",
}


def check_model_file(path: Path) -> None:
    """Refuses a model of another kind, with the line of Python that makes a ``.keras`` file of it.

    Args:
        path: what was given for a ``.keras`` file or a run directory.

    Raises:
        ModelError: it is one of HDF5, a SavedModel, a ``.tflite`` or another program's file, or
            has the name of a ``.keras`` file alone.
    """
    if not path.exists():
        return
    new = str(path.with_suffix(".keras") if path.suffix != ".keras" else path.with_stem("new"))
    if path.is_dir():
        if (path / "saved_model.pb").is_file() or (path / "saved_model.pbtxt").is_file():
            raise ModelError(
                f"{path} is a SavedModel, which keeps no Keras layers: save the Keras model that "
                f"it was exported from with model.save({new!r}), and give that"
            )
        if path.suffix == ".keras":
            raise ModelError(
                f"{path} is a folder; give the file that model.save('NAME.keras') writes"
            )
        return
    if path.name.endswith(".weights.h5"):
        raise ModelError(
            f"{path} holds weights alone: build the model, call load_weights({str(path)!r}) and "
            "save it as .keras"
        )
    if path.suffix != ".keras" and _is_keras_zip(path):
        raise ModelError(f"{path} is a .keras file under another name; call it {new}")
    if _begins(path) == _HDF5 or path.suffix.lower() in _H5:
        raise ModelError(_of_hdf5(path, new))
    if path.suffix.lower() == ".tflite":
        raise ModelError(f"{path} is a .tflite file already; give the Keras model it is made of")
    if path.suffix.lower() in _OTHERS:
        raise ModelError(
            f"{path} looks like {_OTHERS[path.suffix.lower()]}; give a run directory, or a whole "
            "Keras model as model.save('NAME.keras') writes it"
        )
    if path.suffix == ".keras" and not zipfile.is_zipfile(path):
        what = "empty" if not path.stat().st_size else "no zip file, or cut off"
        raise ModelError(f"{path} is {what}, so it is no Keras model; save or copy it again")


def _is_keras_zip(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return {"config.json", "metadata.json"} <= set(archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def _of_hdf5(path: Path, new: str) -> str:
    """What to do with a file that is, or is called, an HDF5 file."""
    import h5py  # of Keras; where no such file comes, nobody waits for it

    try:
        with h5py.File(path) as file:
            whole = "model_config" in file.attrs
    except OSError as error:
        if _begins(path) != _HDF5:
            return f"{path} is no HDF5 file; save or copy it again"
        return (
            f"{path} can't be opened as an HDF5 file ({brief(error)}): it is cut off, or another "
            "program has it open"
        )
    if not whole:
        return (
            f"{path} is an HDF5 file without a Keras model's architecture: build the model, load "
            "the weights into it, and save it as .keras"
        )
    if path.suffix.lower() in _H5:
        return f"{path} is an HDF5 file; {_AGAIN}{_LOADED.format(path=str(path), new=new)}"
    h5 = path.with_suffix(".h5")
    line = _LOADED.format(path=str(h5), new=new)
    return f"{path} is an HDF5 file under another name; call it {h5}, and {_AGAIN}{line}"


def _begins(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(len(_HDF5))
    except OSError:
        return b""
