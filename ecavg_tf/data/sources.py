"""Where data sets come from. A new source is a function here and a line in ``load_data``."""

import os
from pathlib import Path

import numpy as np

from ecavg_tf.config import DataConfig
from ecavg_tf.core.errors import DataError
from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import Dataset, DataSpec, Examples, stratified

EMBEDDED = "digits"


def load_data(config: DataConfig, seed: int) -> Dataset:
    """Loads a data set by its name, and draws its stratified limits.

    Args:
        config: name, directory and limits.
        seed: seeds the draw; the digits' own train/test split is fixed.

    Raises:
        DataError: it is not there, not an image-classification set, or too small.
    """
    dataset = _digits() if config.name == EMBEDDED else _tfds(config.name, config.data_dir)
    return Dataset(
        dataset.spec,
        _limited("train", dataset.train, config.train_examples, seed),
        _limited("test", dataset.test, config.test_examples, seed),
    )


def _limited(split: str, examples: Examples, limit: int, seed: int) -> Examples:
    if limit == 0 or limit == len(examples):
        return examples
    if limit > len(examples):
        raise DataError(
            f"data.{split}_examples is {limit}, the data set has {len(examples)}; 0 means all"
        )
    return examples.take(stratified(examples.labels, limit, seed, "limit", split))


def _digits() -> Dataset:
    """scikit-learn's 1,797 digits (8×8, values 0..16), a fixed stratified fifth as test."""
    from sklearn.datasets import load_digits  # 1 s to import: not at the top

    bunch = load_digits()
    images = bunch.images[..., np.newaxis].astype(np.uint8)
    labels = bunch.target.astype(np.int64)
    test = stratified(labels, len(labels) // 5, 0, "digits-test")
    train = np.setdiff1d(np.arange(len(labels)), test)
    everything = Examples(images, labels)
    spec = DataSpec("digits", (8, 8, 1), "uint8", (0.0, 16.0), tuple("0123456789"))
    return Dataset(spec, everything.take(train), everything.take(test))


def _tfds(name: str, data_dir: str) -> Dataset:
    """A TFDS image-classification set with splits ``train`` and ``test``."""
    looked = data_dir or os.environ.get("TFDS_DATA_DIR", "") or "~/tensorflow_datasets"
    where = str(Path(looked).expanduser())
    if data_dir and not Path(where).is_dir():
        raise DataError(f"data.data_dir {data_dir!r} is not a directory")
    import tensorflow_datasets as tfds  # 5 s to import, and only needed here

    try:
        builder = tfds.builder(name, data_dir=where)
    except tfds.core.registered.DatasetNotFoundError as error:
        raise DataError(
            f"data.name {name!r} is neither {EMBEDDED!r} nor a TFDS data set found in {where}"
        ) from error
    features = builder.info.features
    if not isinstance(features, tfds.features.FeaturesDict) or not {"image", "label"} <= set(
        features.keys()
    ):
        raise DataError(f"TFDS data set {name!r} is not one of images with one label each")
    try:
        builder.download_and_prepare()
        splits = {
            split: _arrays(tfds.as_numpy(builder.as_dataset(split=split, batch_size=-1)))
            for split in ("train", "test")
        }
    except Exception as error:  # TFDS raises whatever its downloader raises
        cause = str(error).strip().splitlines()
        raise DataError(
            f"TFDS data set {name!r} is not prepared in {where} and could not be downloaded "
            f"({type(error).__name__}: {cause[0][:120] if cause else ''}); prepare it elsewhere "
            "and point --config.data.data_dir or TFDS_DATA_DIR at it, or use data.name=digits"
        ) from error
    shape = tuple(int(size) for size in splits["train"].images.shape[1:])
    spec = DataSpec(
        name,
        (shape[0], shape[1], shape[2]),
        splits["train"].images.dtype.name,
        (0.0, 255.0),
        tuple(features["label"].names),
    )
    return Dataset(spec, splits["train"], splits["test"])


def _arrays(batch: dict[str, Array]) -> Examples:
    return Examples(batch["image"], batch["label"].astype(np.int64))
