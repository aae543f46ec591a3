"""Data that users bring, sound and unsound."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ecavg_tf.config import DataConfig
from ecavg_tf.core.errors import DataError
from ecavg_tf.data.dataset import Dataset
from ecavg_tf.data.sources import load_data

RNG = np.random.default_rng(0)


def load(name: str, **options: Any) -> Dataset:
    return load_data(DataConfig(name=name, **options), seed=0)


def arrays(**changes: Any) -> dict[str, Any]:
    good = {
        "x_train": RNG.integers(0, 256, (20, 6, 6, 3), np.uint8),
        "y_train": np.arange(20) % 4,
        "x_test": RNG.integers(0, 256, (8, 6, 6, 3), np.uint8),
        "y_test": np.arange(8) % 4,
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def npz(folder: Path, **changes: Any) -> str:
    path = folder / "mine.npz"
    np.savez(path, **arrays(**changes))
    return str(path)


def test_digits_are_embedded_and_split_the_same_way_for_every_seed() -> None:
    first, second = (load_data(DataConfig(), seed) for seed in (0, 1))
    assert (len(first.train), len(first.test)) == (1438, 359)
    assert first.spec.value_range == (0.0, 16.0)
    np.testing.assert_array_equal(first.test.labels, second.test.labels)


def test_limits_are_stratified_and_seeded() -> None:
    limited = load("digits", train_examples=100, test_examples=50)
    assert limited.train.class_counts(10) == (10,) * 10
    again = load("digits", train_examples=100, test_examples=50)
    np.testing.assert_array_equal(limited.train.inputs, again.train.inputs)


def test_npz_with_names_and_a_range(tmp_path: Path) -> None:
    path = npz(tmp_path, classes=np.array(["ant", "bee", "cat", "dog"]), value_range=[0, 300])
    dataset = load(path)
    assert dataset.spec.classes == ("ant", "bee", "cat", "dog")
    assert dataset.spec.value_range == (0.0, 300.0)
    assert dataset.spec.input_shape == (6, 6, 3)


def test_npz_of_grey_floats_with_column_labels(tmp_path: Path) -> None:
    dataset = load(
        npz(
            tmp_path,
            x_train=RNG.random((20, 6, 6)),
            x_test=RNG.random((8, 6, 6)),
            y_train=(np.arange(20) % 4)[:, np.newaxis],
        )
    )
    assert dataset.spec.input_shape == (6, 6, 1)
    assert dataset.spec.dtype == "float32"
    assert dataset.train.labels.shape == (20,)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"y_test": None}, "no array 'y_test'"),
        (
            {"y_train": np.arange(20) - 1},
            "label -1 of example 0 is below 0; number the classes from 0: .*numpy.unique",
        ),
        (
            {"classes": np.array(["a", "b"])},
            "label 2 of example 2 is out of range, expected 0 to 1",
        ),
        ({"y_train": np.arange(20) / 2}, "expected whole numbers"),
        (
            {"x_train": np.full((20, 6, 6, 3), np.nan, np.float32)},
            "example 0 holds NaN or",
        ),
        ({"x_test": np.zeros((8, 5, 6, 3), np.uint8)}, r"inputs are uint8\(5, 6, 3\)"),
        ({"x_test": np.zeros((8, 6, 6, 1), np.uint8)}, r"inputs are uint8\(6, 6, 1\)"),
        ({"x_train": np.zeros((20, 6), np.uint8)}, r"uint8\(6, 6, 3\), expected uint8\(6,\)"),
        ({"x_train": np.zeros(20), "x_test": np.zeros(8)}, r"shape \(20,\); expected \(n, feat"),
        (
            {"x_test": np.full((8, 6, 6, 3), 301.0), "x_train": np.zeros((20, 6, 6, 3))}
            | {"value_range": [0, 300]},
            "301",
        ),
        ({"x_train": np.zeros((0, 6, 6, 3), np.uint8), "y_train": np.zeros(0, int)}, "0 examples"),
        ({"y_train": np.zeros(19, int)}, "20 examples and 19 labels"),
        ({"value_range": [5, 5]}, "value range"),
    ],
)
def test_npz_that_is_wrong(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        load(npz(tmp_path, **changes))
    assert "\n" not in str(caught.value)


def test_pickles_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "evil.npz"
    np.savez(path, **arrays(x_train=np.array([{"a": 1}], dtype=object)))
    with pytest.raises(DataError, match="pickle"):
        load(str(path))
    path.write_bytes(b"garbage")
    with pytest.raises(DataError, match="can't be read as numpy arrays"):
        load(str(path))


def picture(path: Path, size: tuple[int, int] = (6, 6), mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    depth = {"RGB": 3, "L": 1}[mode]
    pixels = RNG.integers(0, 256, (*size, depth), np.uint8)
    Image.fromarray(pixels.squeeze() if mode == "L" else pixels).save(path)


def folder(root: Path) -> Path:
    for name in ("cat", "ant"):
        for number in range(10):
            picture(root / name / f"{number}.png")
    return root


def test_a_folder_of_classes(tmp_path: Path) -> None:
    dataset = load(str(folder(tmp_path / "photos")))
    assert dataset.spec.classes == ("ant", "cat")
    assert (len(dataset.train), len(dataset.test)) == (16, 4)
    assert dataset.test.class_counts(2) == (2, 2)


def test_a_folder_with_its_own_split_keeps_pixels(tmp_path: Path) -> None:
    for split in ("train", "test"):
        folder(tmp_path / split)
    dataset = load(str(tmp_path))
    stored = np.asarray(Image.open(tmp_path / "train" / "ant" / "0.png"))
    np.testing.assert_array_equal(dataset.train.inputs[0], stored)
    assert (len(dataset.train), len(dataset.test)) == (20, 20)


def test_mixed_sizes_and_channels_and_their_cure(tmp_path: Path) -> None:
    root = folder(tmp_path / "photos")
    picture(root / "cat" / "odd.png", (9, 5))
    with pytest.raises(DataError, match=r"odd.png is \(9, 5, 3\).*data.image_size"):
        load(str(root))
    assert load(str(root), image_size=6).spec.input_shape == (6, 6, 3)
    picture(root / "cat" / "odd.png", mode="L")
    with pytest.raises(DataError, match=r"odd.png is \(6, 6, 1\).*data.channels"):
        load(str(root))
    assert load(str(root), channels=1).spec.input_shape == (6, 6, 1)


def test_broken_folders(tmp_path: Path) -> None:
    root = folder(tmp_path / "photos")
    (root / "cat" / "torn.jpg").write_bytes(b"\xff\xd8\xff no picture")
    with pytest.raises(DataError, match=r"torn.jpg is no picture that can be read"):
        load(str(root))
    (root / "cat" / "torn.jpg").unlink()
    (root / "bee").mkdir()
    with pytest.raises(DataError, match="bee has no examples"):
        load(str(root))
    with pytest.raises(DataError, match="is not there"):
        load(str(tmp_path / "nothing"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="0 class folders"):
        load(str(tmp_path / "empty"))


def test_what_a_folder_holds_is_used_or_said(tmp_path: Path) -> None:
    root = folder(tmp_path / "photos")
    picture(root / "cat" / "day 1" / "deep.webp")
    picture(root / "cat" / "day 1" / ".hidden.png")
    picture(root / "__MACOSX" / "cat" / "0.png")
    picture(root / "loose.png")
    for name in ("._0.png", "Thumbs.db", "a.heic", "b.HEIC", "readme"):
        (root / "cat" / name).write_bytes(b"no picture")
    dataset = load(str(root), image_size=6)
    assert len(dataset.train) + len(dataset.test) == 21
    assert dataset.notes == (
        f"{root}: 1 pictures are in no class folder and are left out",
        f"{root}: 1 pictures in folders below a class folder are of that class",
        f"{root}: 21 pictures are read, others are left out: 2 .heic, 1 .db, 1 without a suffix",
    )
    (root / "dog").mkdir()
    (root / "dog" / "a.heic").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"dog has no examples .*; it has 1 \.heic"):
        load(str(root))


def test_splits_are_no_classes(tmp_path: Path) -> None:
    for split in ("train", "val"):
        folder(tmp_path / split)
    with pytest.raises(DataError, match="has 'train' and 'val' without 'test'; name the folders"):
        load(str(tmp_path))
    folder(tmp_path / "test")
    (note,) = load(str(tmp_path)).notes
    assert note.endswith(
        "'val' with 20 pictures is left out; beside train and test nothing is read"
    )
    for split, name in {"train": "Train", "test": "Testing"}.items():
        (tmp_path / split).rename(tmp_path / name)
    with pytest.raises(
        DataError, match="'Testing' and 'Train' and 'val' without 'train' and 'test'"
    ):
        load(str(tmp_path))
    vehicles = folder(tmp_path / "vehicles")
    (vehicles / "cat").rename(vehicles / "train")
    assert load(str(vehicles)).spec.classes == ("ant", "train")


def keras_style() -> Any:
    given = arrays()
    return (given["x_train"], given["y_train"]), (given["x_test"], given["y_test"])


def own_dataset() -> Dataset:
    return load("digits")


def number() -> int:
    return 3


def failing() -> None:
    raise OSError("disk on fire")


def test_functions() -> None:
    assert load(f"{__name__}:keras_style").spec.num_classes == 4
    assert load(f"{__name__}:own_dataset").spec.name == "digits"
    with pytest.raises(DataError, match=r"returned int; expected an ecavg_tf\.Dataset"):
        load(f"{__name__}:number")
    with pytest.raises(DataError, match="OSError: disk on fire"):
        load(f"{__name__}:failing")


@pytest.mark.slow
def test_tfds_sets(tfds_dir: str) -> None:
    for name, shape, classes in (("mnist", (28, 28, 1), 10), ("cifar100", (32, 32, 3), 100)):
        dataset = load(name, data_dir=tfds_dir, train_examples=200, test_examples=100)
        assert dataset.spec.input_shape == shape
        assert dataset.spec.num_classes == classes
        assert len(dataset.train) == 200


@pytest.mark.parametrize(
    ("name", "data_dir", "said"),
    [
        ("nosuchset", "", "neither 'digits'"),
        ("mnist", "/nowhere", "data.data_dir '/nowhere' is not a directory"),
    ],
)
def test_tfds_sets_that_are_not_there(name: str, data_dir: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        load(name, data_dir=data_dir)
