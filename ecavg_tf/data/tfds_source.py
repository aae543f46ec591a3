"""Any TFDS image-classification set, by its name."""

import os
import socket
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np

from ecavg_tf.config.checks import guess
from ecavg_tf.core.errors import DataError
from ecavg_tf.core.paths import user_path
from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import Dataset, DataSpec, Examples, split_off_test
from ecavg_tf.data.image_folder import resized

_USUAL = ("digits", "mnist", "fashion_mnist", "emnist", "cifar10", "cifar100")  # to guess from
_AT_ONCE = 1024  # rows, of images that are all of one shape


def load(name: str, data_dir: str, image_size: int, channels: int) -> Dataset:
    """Loads a set, downloading it where that is possible.

    The test set is split ``test``, or ``validation``, or a fixed stratified fifth of
    ``train``.

    Args:
        name: the TFDS name, such as ``cifar10``, ``mnist_corrupted/spatter`` or
            ``cifar10:3.0.2``.
        data_dir: a TFDS directory; empty: ``TFDS_DATA_DIR``, or TFDS' default.
        image_size: resize to this height and width; 0: as they are.
        channels: 1 or 3; 0: as they are.

    Raises:
        DataError: it is not prepared and can't be downloaded, or is of another kind.
    """
    tfds, builder = _prepared(name, data_dir)
    train = _examples(tfds, builder, "train", image_size, channels)
    held_out = _held_out(builder)
    if held_out is None:
        train, test = split_off_test(train, name)
    else:
        test = _examples(tfds, builder, held_out, image_size, channels)
    height, width, depth = train.inputs.shape[1:]
    spec = DataSpec(
        name,
        (height, width, depth),
        train.inputs.dtype.name,
        (0.0, 255.0),
        tuple(builder.info.features["label"].names),
    )
    return Dataset(spec, train, test)


def load_by_key(
    name: str, data_dir: str, image_size: int, channels: int, key: str
) -> dict[str, Any]:
    """Loads a set with a feature that names the edge of each example, such as a user's id.

    Args:
        name: as for ``load``; so are the directory, size and channels.
        data_dir: a TFDS directory.
        image_size: resize to this height and width; 0: as they are.
        channels: 1 or 3; 0: as they are.
        key: the feature.

    Returns:
        Arrays as an ``.npz`` file may have them, with ``KEY`` and ``KEY_test``.

    Raises:
        DataError: as for ``load``, or there is no such feature.
    """
    tfds, builder = _prepared(name, data_dir)
    features = sorted(builder.info.features.keys())
    if key not in features:
        raise DataError(
            f"TFDS data set {name!r} has no feature {key!r} (partition.key); it has "
            f"{', '.join(features)}"
        )
    names = list(builder.info.features["label"].names)
    arrays: dict[str, Any] = {"classes": np.array(names), "value_range": np.array([0.0, 255.0])}
    for split, part in (("train", "train"), ("test", _held_out(builder))):
        if part is not None:
            owners: list[Any] = []
            examples = _examples(tfds, builder, part, image_size, channels, (key, owners))
            arrays |= {f"x_{split}": examples.inputs, f"y_{split}": examples.labels}
            arrays[key if split == "train" else f"{key}_test"] = np.array(owners)
    return arrays


def _prepared(name: str, data_dir: str) -> tuple[Any, Any]:
    where = user_path(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets")
    if data_dir and not where.is_dir():
        raise DataError(f"data.data_dir {data_dir!r} is not a directory")
    import tensorflow_datasets as tfds  # 5 s to import, and only needed here

    builder = _builder(tfds, name, where)
    _prepare(builder, name, where)
    splits = set(builder.info.splits)
    if "train" not in splits:
        raise DataError(f"TFDS data set {name!r} has no split 'train', only {sorted(splits)}")
    return tfds, builder


def _held_out(builder: Any) -> str | None:
    """The split that serves as test set; None: there is none."""
    splits = set(builder.info.splits)
    return next((split for split in ("test", "validation") if split in splits), None)


def _builder(tfds: Any, name: str, where: Path) -> Any:
    try:
        builder = tfds.builder(name, data_dir=str(where))
    except (tfds.core.registered.DatasetNotFoundError, ValueError) as error:
        raise DataError(
            f"data.name {name!r} is neither 'digits', nor an .npz or .csv file, a folder or a "
            f"function (module:function), nor a TFDS data set known here or found in {where}"
            f"{guess(name, _USUAL)}"
        ) from error
    features = builder.info.features
    if not isinstance(features, tfds.features.FeaturesDict) or not {"image", "label"} <= set(
        features.keys()
    ):
        raise DataError(f"TFDS data set {name!r} is not one of images with one label each")
    return builder


def _prepare(builder: Any, name: str, where: Path) -> None:
    try:
        if not builder.is_prepared():
            _check_reachable(builder)
        builder.download_and_prepare()
    except Exception as error:  # TFDS raises whatever its downloaders raise
        first = (str(error).strip().splitlines() or [""])[0][:120]
        raise DataError(
            f"TFDS data set {name!r} is not prepared in {where} and can't be downloaded "
            f"({type(error).__name__}: {first}); prepare it where there is a network and point "
            "--config.data.data_dir or TFDS_DATA_DIR at it, bring an .npz, or use data.name=digits"
        ) from error


def _check_reachable(builder: Any) -> None:
    """Fails at once where there is no network; TFDS would retry for minutes.

    Raises:
        OSError: the host of a file that would be downloaded has no address.
    """
    if urllib.request.getproxies():
        return  # a proxy resolves names by itself
    hosts = {urllib.parse.urlparse(url).hostname for url in builder.url_infos}
    for host in sorted(host for host in hosts if host):
        socket.getaddrinfo(host, 443)


def _examples(
    tfds: Any,
    builder: Any,
    split: str,
    image_size: int,
    channels: int,
    kept: tuple[str, list[Any]] | None = None,
) -> Examples:
    """A split's examples; ``kept``: another feature, and the list that gets its values."""
    dataset = builder.as_dataset(split=split)
    wanted = ["image", "label", *([] if kept is None else [kept[0]])]
    alike = dataset.element_spec["image"].shape.is_fully_defined()
    images: list[Array] = []
    labels: list[int] = []
    rows = dataset.map(lambda row: {name: row[name] for name in wanted})
    # Row by row, TFDS spends more time in Python than on decoding.
    for few in tfds.as_numpy(rows.batch(_AT_ONCE if alike else 1)):
        images += [resized(image, image_size, channels) for image in few["image"]]
        labels += few["label"].tolist()
        if kept is not None:
            kept[1].extend(few[kept[0]])
    shapes = {image.shape for image in images}
    if len(shapes) > 1:
        raise DataError(
            f"TFDS data set {builder.name!r} has images of {len(shapes)} shapes, for example "
            f"{sorted(shapes)[:2]}; set data.image_size and data.channels to make them alike"
        )
    return Examples(np.stack(images), np.array(labels, np.int64))
