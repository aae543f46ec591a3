"""A folder of images by class."""

from collections import Counter
from pathlib import Path

import numpy as np

from ecavg_tf.core.errors import DataError
from ecavg_tf.core.pictures import SUFFIXES, counted, find_files, is_hidden, read_picture
from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import Dataset, DataSpec, Examples, split_off_test

_SPLITS = ("train", "test")
_SPLIT_WORDS = (*_SPLITS, "training", "testing", "val", "valid", "validation", "dev", "eval")


def load(folder: Path, image_size: int, channels: int) -> Dataset:
    """Loads ``FOLDER/train/CLASS/*.png`` and ``FOLDER/test/CLASS/*.png``.

    Without ``train`` and ``test``, ``FOLDER/CLASS/*.png`` is split, a fixed stratified
    fifth for the test. Classes are numbered in the order of their folders' names. Pictures
    in folders below a class folder are of that class. Pictures are read by the rules of
    ``ecavg_tf.core.pictures``, which are a device's, too.

    Args:
        folder: the folder.
        image_size: resize to this height and width; 0: as they are.
        channels: 1 (grey) or 3 (colour); 0: as they are.

    Returns:
        The data set; its notes say what was left out.

    Raises:
        DataError: no folder, an empty class, a picture that is refused, images that differ.
    """
    if not folder.is_dir():
        raise DataError(f"data.name: folder {str(folder)!r} is not there")
    divided = all((folder / split).is_dir() for split in _SPLITS)
    if not divided:
        _check_no_split(folder)
    notes = _beside(folder, divided=divided)
    classes = _classes(folder / "train" if divided else folder)
    if divided:
        train, test = (_read(folder / s, classes, image_size, channels, notes) for s in _SPLITS)
    else:
        train, test = split_off_test(_read(folder, classes, image_size, channels, notes), "folder")
    height, width, depth = train.inputs.shape[1:]
    spec = DataSpec(folder.name, (height, width, depth), "uint8", (0.0, 255.0), classes)
    return Dataset(spec, train, test, tuple(notes))


def _subfolders(folder: Path) -> tuple[str, ...]:
    return tuple(
        sorted(item.name for item in folder.iterdir() if item.is_dir() and not is_hidden(item.name))
    )


def _classes(folder: Path) -> tuple[str, ...]:
    names = _subfolders(folder)
    if len(names) < 2:
        raise DataError(f"{folder} has {len(names)} class folders; expected at least two")
    return names


def _check_no_split(folder: Path) -> None:
    """``train`` and ``val`` must not become two classes of that name."""
    splits = [
        name
        for name in _subfolders(folder)
        if name.lower() in _SPLIT_WORDS
        and _subfolders(folder / name)
        and not any(item.suffix.lower() in SUFFIXES for item in (folder / name).iterdir())
    ]
    if splits:
        missing = [name for name in _SPLITS if name not in splits]
        raise DataError(
            f"{folder} has {' and '.join(map(repr, splits))} without "
            f"{' and '.join(map(repr, missing))}; name the folders train/CLASS and test/CLASS, or "
            "give one folder a class and a fifth becomes the test set"
        )


def _beside(folder: Path, *, divided: bool) -> list[str]:
    """What lies beside the folders that are read, a line each."""
    notes = []
    loose = sum(f.is_file() and f.suffix.lower() in SUFFIXES for f in folder.iterdir())
    if loose:
        notes.append(f"{folder}: {loose} pictures are in no class folder and are left out")
    for name in set(_subfolders(folder)) - set(_SPLITS) if divided else ():
        count = len(find_files(folder / name).files)
        notes.append(
            f"{folder}: folder {name!r} with {count} pictures is left out; beside train and test "
            "nothing is read"
        )
    return sorted(notes)


def _read(
    folder: Path, classes: tuple[str, ...], image_size: int, channels: int, notes: list[str]
) -> Examples:
    if (there := _classes(folder)) != classes:
        odd = min(set(there) ^ set(classes))
        raise DataError(f"{folder}: class folder {odd!r} is not in both train and test")
    return read_classes(folder, classes, image_size, channels, notes)


def read_classes(
    folder: Path, classes: tuple[str, ...], image_size: int, channels: int, notes: list[str]
) -> Examples:
    """Reads ``FOLDER/CLASS/*.png`` of these classes, labelled by their order.

    Args:
        folder: the folder.
        classes: names of the class folders, one or more.
        image_size: resize to this height and width; 0: as they are.
        channels: 1 or 3; 0: as they are.
        notes: gets a line for what was left out.

    Raises:
        DataError: an empty class, a picture that is refused, images that differ.
    """
    inputs: list[Array] = []
    labels: list[int] = []
    first: Path | None = None
    for label, file in _files(folder, classes, notes):
        image = resized(read_picture(file, channels), image_size, 0)
        if first is not None and image.shape != inputs[0].shape:
            raise DataError(
                f"{file} is {image.shape}, {first} is {inputs[0].shape}; set "
                "data.image_size and data.channels to make them alike"
            )
        first = first or file
        inputs.append(image)
        labels.append(label)
    return Examples(np.stack(inputs), np.array(labels, np.int64))


def _files(folder: Path, classes: tuple[str, ...], notes: list[str]) -> list[tuple[int, Path]]:
    """All pictures with their labels; notes tell of those in deeper folders, and of others."""
    files: list[tuple[int, Path]] = []
    left_out: Counter[str] = Counter()
    for label, name in enumerate(classes):
        found = find_files(folder / name)
        if not found.files:
            others = f"; it has {counted(found.left_out)}" if found.left_out else ""
            raise DataError(
                f"class folder {folder / name} has no examples ({', '.join(SUFFIXES)}){others}"
            )
        files += [(label, file) for file in found.files]
        left_out += found.left_out
    deeper = sum(file.parent.parent != folder for _, file in files)
    if deeper:
        notes.append(
            f"{folder}: {deeper} pictures in folders below a class folder are of that class"
        )
    if left_out:
        notes.append(
            f"{folder}: {len(files)} pictures are read, others are left out: {counted(left_out)}"
        )
    return files


def resized(image: Array, image_size: int, channels: int) -> Array:
    """A uint8 image at another size and depth.

    Args:
        image: shape (height, width, channels), uint8.
        image_size: the new height and width; 0: as it is.
        channels: 1 or 3; 0: as it is.
    """
    if (not image_size or image.shape[:2] == (image_size, image_size)) and channels in (
        0,
        image.shape[2],
    ):
        return image
    import tensorflow as tf  # seconds to import, and only needed here

    if channels == 1 and image.shape[2] == 3:
        image = tf.image.rgb_to_grayscale(image)
    elif channels == 3 and image.shape[2] == 1:
        image = tf.image.grayscale_to_rgb(image)
    if image_size:
        scaled = tf.image.resize(image, (image_size, image_size), antialias=True)
        image = tf.cast(tf.clip_by_value(tf.round(scaled), 0, 255), tf.uint8)
    array: Array = np.asarray(image)
    return array
