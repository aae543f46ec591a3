"""A folder of images by class."""

from pathlib import Path

import numpy as np

from ecavg_tf.core.errors import DataError
from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import Dataset, DataSpec, Examples, split_off_test

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif")


def load(folder: Path, image_size: int, channels: int) -> Dataset:
    """Loads ``FOLDER/train/CLASS/*.png`` and ``FOLDER/test/CLASS/*.png``.

    Without ``train`` and ``test``, ``FOLDER/CLASS/*.png`` is split, a fixed stratified
    fifth for the test. Classes are numbered in the order of their folders' names.

    Args:
        folder: the folder.
        image_size: resize to this height and width; 0: as they are.
        channels: 1 (grey) or 3 (colour); 0: as they are.

    Raises:
        DataError: no folder, an empty class, a corrupt image, images that differ.
    """
    if not folder.is_dir():
        raise DataError(f"data.name: folder {str(folder)!r} is not there")
    divided = (folder / "train").is_dir() and (folder / "test").is_dir()
    classes = _subfolders(folder / "train" if divided else folder)
    if divided:
        train, test = (_read(folder / s, classes, image_size, channels) for s in ("train", "test"))
    else:
        train, test = split_off_test(_read(folder, classes, image_size, channels), "folder")
    height, width, depth = train.images.shape[1:]
    spec = DataSpec(folder.name, (height, width, depth), "uint8", (0.0, 255.0), classes)
    return Dataset(spec, train, test)


def _subfolders(folder: Path) -> tuple[str, ...]:
    names = sorted(item.name for item in folder.iterdir() if item.is_dir() and item.name[0] != ".")
    if len(names) < 2:
        raise DataError(f"{folder} has {len(names)} class folders; expected one folder a class")
    return tuple(names)


def _read(folder: Path, classes: tuple[str, ...], image_size: int, channels: int) -> Examples:
    if (found := _subfolders(folder)) != classes:
        odd = min(set(found) ^ set(classes))
        raise DataError(f"{folder}: class folder {odd!r} is not in both train and test")
    images: list[Array] = []
    labels: list[int] = []
    first: Path | None = None
    for label, name in enumerate(classes):
        files = sorted(f for f in (folder / name).iterdir() if f.suffix.lower() in SUFFIXES)
        if not files:
            raise DataError(f"class folder {folder / name} has no images ({', '.join(SUFFIXES)})")
        for file in files:
            image = _decode(file, image_size, channels)
            if first is not None and image.shape != images[0].shape:
                raise DataError(
                    f"{file} is {image.shape}, {first} is {images[0].shape}; set "
                    "data.image_size and data.channels to make them alike"
                )
            first = first or file
            images.append(image)
            labels.append(label)
    return Examples(np.stack(images), np.array(labels, np.int64))


def _decode(file: Path, image_size: int, channels: int) -> Array:
    import tensorflow as tf  # seconds to import, and only needed here

    try:
        image = tf.io.decode_image(file.read_bytes(), channels=channels, expand_animations=False)
    except (tf.errors.InvalidArgumentError, OSError) as error:
        raise DataError(f"{file} can't be read as an image; mend or remove it") from error
    return resized(image.numpy(), image_size, 0)


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
