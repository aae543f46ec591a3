"""Predicting on a device, from arrays and from files."""

import io
import json
import sys
from pathlib import Path

import exports_for_tests as made
import numpy as np
import pytest
from device_for_tests import export_bundles, keras_answers
from PIL import Image

from ecavg_tf.core.errors import DataError, InstallationError
from edge.cli import main
from edge.predict import Predictor
from edge.predicting.inputs import Wanted, load_inputs

TEST = made.digits().test.inputs[:5]
WANTED = Wanted((8, 8, 1), "uint8", (0.0, 16.0))


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return export_bundles(tmp_path_factory.mktemp("bundles"))


@pytest.mark.parametrize(
    ("kind", "tolerance"), [("float32", 1e-5), ("float16", 5e-3), ("dynamic", 0.1), ("int8", 0.1)]
)
def test_it_says_what_keras_says(bundles: dict[str, Path], kind: str, tolerance: float) -> None:
    found = Predictor(bundles[kind], check=False).predict(TEST)
    assert found.shape == (5, 10)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-2)
    np.testing.assert_allclose(found, keras_answers(TEST), atol=tolerance)


def test_any_dtype_in_the_value_range_is_taken(bundles: dict[str, Path]) -> None:
    predictor = Predictor(bundles["float32"], threads=1, check=False)
    before = TEST.copy()
    one = predictor.predict(TEST)
    np.testing.assert_array_equal(one, predictor.predict(TEST.astype(np.float64)))
    np.testing.assert_array_equal(TEST, before)
    assert predictor.predict(TEST[:0]).shape == (0, 10)


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        (np.zeros((5, 8, 8)), r"have shape \(5, 8, 8\), expected \(n, 8, 8, 1\)"),
        (np.zeros((8, 8, 1)), r"have shape \(8, 8, 1\)"),
        (np.full((1, 8, 8, 1), np.nan), "hold 64 values that are NaN or infinite"),
        (np.full((1, 8, 8, 1), 255), "hold values from 255 to 255, expected 0 to 16"),
        (np.full((1, 8, 8, 1), "a"), "expected numbers"),
    ],
)
def test_images_that_do_not_fit(bundles: dict[str, Path], inputs: np.ndarray, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        Predictor(bundles["float32"], check=False).predict(inputs)


def loaded(*sources: str, stdin: bytes = b"") -> list[tuple[str, np.ndarray]]:
    return list(load_inputs(sources, WANTED, io.BytesIO(stdin)))


def test_images_from_files(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=TEST)
    np.save(tmp_path / "b.npy", TEST[0])
    pixels = (TEST[1, :, :, 0] * 15).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "c.png")
    found = loaded(str(tmp_path))
    assert [Path(name).name for name, _ in found] == [
        *(f"a.npz[{n}]" for n in range(5)),
        "b.npy[0]",
        "c.png",
    ]
    np.testing.assert_array_equal(np.concatenate([image for _, image in found[:5]]), TEST)
    np.testing.assert_allclose(found[-1][1][0, :, :, 0], pixels / 255 * 16)
    raw = loaded("-", stdin=TEST.astype(np.uint8).tobytes())
    np.testing.assert_array_equal(np.concatenate([image for _, image in raw]), TEST)


def test_files_that_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(np.zeros((9, 8), np.uint8)).save(tmp_path / "high.png")
    (tmp_path / "text.png").write_text("no picture")
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}], object), allow_pickle=True)
    np.savez(tmp_path / "two.npz", a=TEST, b=TEST)
    (tmp_path / "empty").mkdir()
    for source, problem in {
        "high.png": "is 8 wide and 9 high, the model takes 8 and 8",
        "text.png": "is no picture that can be read",
        "objects.npy": "can't be read as numpy arrays",
        "two.npz": "holds the arrays a, b; name the images",
        "empty": "holds no .png",
        "nothing.png": "is not there",
    }.items():
        with pytest.raises(DataError, match=problem):
            loaded(str(tmp_path / source))
    with pytest.raises(DataError, match="gave 63 bytes; one example of shape"):
        loaded("-", stdin=bytes(63))
    for stdin, problem in {
        np.full(64, 0.5, np.float32).tobytes(): "256 bytes, read as 4 images of dtype uint8, hold",
        bytes([17] * 64): "64 bytes, read as 1 image of dtype uint8, hold values from 17 to 17",
    }.items():
        with pytest.raises(DataError, match=problem):
            loaded("-", stdin=stdin)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(InstallationError, match="pip install pillow"):
        loaded(str(tmp_path / "high.png"))


def test_the_command(
    bundles: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "a.npz", x=TEST)
    bundle = str(bundles["float32"])
    assert main(["predict", bundle, str(tmp_path), "--top=2", "--no-check"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 5
    assert main(["predict", bundle, str(tmp_path / "a.npz"), "--json", "--threads=1"]) == 0
    told = json.loads(capsys.readouterr().out)
    best = keras_answers(TEST).argmax(axis=1)
    assert [row["top"][0]["label"] for row in told["inputs"]] == [str(n) for n in best]
    assert main(["predict", bundle, str(tmp_path / "b.npz"), "--no-check"]) == 3
    assert capsys.readouterr().err.startswith("edge: ")
    for wrong in (["--top=0"], ["--threads=-1"], ["--what"]):
        with pytest.raises(SystemExit) as stopped:
            main(["predict", bundle, "a.npz", *wrong])
        assert stopped.value.code == 2


def test_no_image_at_all(
    bundles: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "none.npz", x=TEST[:0])
    words = ["predict", str(bundles["float32"]), str(tmp_path / "none.npz"), "--no-check"]
    assert main(words) == DataError.exit_code
    assert (
        "none.npz holds no example (shape (0, 8, 8, 1)); give at least one"
        in capsys.readouterr().err
    )


def test_images_that_may_have_been_rescaled(
    bundles: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = made.digits().test.inputs[:3]
    np.savez(tmp_path / "raw.npz", x=inputs)
    np.savez(tmp_path / "rescaled.npz", x=inputs / 16)
    assert main(["predict", str(bundles["int8"]), str(tmp_path / "raw.npz")]) == 0
    assert capsys.readouterr().err == ""
    assert main(["predict", str(bundles["int8"]), str(tmp_path / "rescaled.npz")]) == 0
    assert "no value is above 1, raw images go from 0 to 16" in capsys.readouterr().err


def test_grey_arrays_without_a_channel(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", TEST[0, :, :, 0])
    np.save(tmp_path / "several.npy", TEST[:3, :, :, 0])
    inputs = [
        image for _, image in loaded(*(str(tmp_path / f"{n}.npy") for n in ("one", "several")))
    ]
    np.testing.assert_array_equal(np.concatenate(inputs), TEST[[0, 0, 1, 2]])


def test_what_a_folder_holds_beside_images_is_told(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", TEST[0])
    for name in ("b.heic", "._a.png"):
        (tmp_path / name).write_bytes(b"")
    told: list[str] = []
    assert len(list(load_inputs([str(tmp_path)], WANTED, tell=told.append))) == 1
    assert told == [f"note: {tmp_path}: 1 files are read (left out: 1 .heic)"]
