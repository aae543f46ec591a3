"""Where data sets come from. A new source is a function here and a case in ``load_data``."""

from pathlib import Path

import numpy as np

from ecavg_tf.config import DataConfig
from ecavg_tf.core.class_names import alike_of
from ecavg_tf.core.errors import DataError
from ecavg_tf.core.paths import user_path
from ecavg_tf.data import arrays, image_folder, tables, tfds_source
from ecavg_tf.data.checks import check_dataset, shape_note
from ecavg_tf.data.dataset import Dataset, DataSpec, Examples, split_off_test, stratified
from ecavg_tf.data.edge_sources import is_run_directory
from ecavg_tf.data.labels import classes_without_examples
from ecavg_tf.forked import check_not_forked
from ecavg_tf.plugins import is_plugin

EMBEDDED = "digits"


def load_data(config: DataConfig, seed: int) -> Dataset:
    """Loads a data set by its name, checks it, and draws its stratified limits.

    Args:
        config: name, directory and limits.
        seed: seeds the draw; a data set's own train/test split does not depend on it.

    Raises:
        DataError: it is not there, not a set of inputs with classes, or too small.
        ConfigError: a user's function is not there.
    """
    check_not_forked()
    return limited(_load(config), config, seed)


def limited(dataset: Dataset, config: DataConfig, seed: int) -> Dataset:
    """Checks a data set and draws its stratified limits, as ``load_data`` does.

    Raises:
        DataError: it is not a set of inputs with classes, or too small.
    """
    dataset = check_dataset(dataset)
    train = _limited("train", dataset.train, config.train_examples, seed)
    test = _limited("test", dataset.test, config.test_examples, seed)
    spec = dataset.spec
    alike = alike_of(spec.classes)
    found = (
        shape_note(spec),
        classes_without_examples(spec, train),
        None if alike is None else f"data set {spec.name!r}: {alike}",
    )
    notes = (*dataset.notes, *(note for note in found if note is not None))
    return Dataset(dataset.spec, train, test, notes)


def is_folder(name: str) -> bool:
    """Whether ``data.name`` means a folder; a run directory may bear the name of a TFDS set."""
    if name.startswith((".", "/", "~")):
        return True
    return Path(name).is_dir() and not is_run_directory(Path(name))


def _load(config: DataConfig) -> Dataset:
    name = config.name
    if name == EMBEDDED:
        return _digits()
    if name.endswith(".npz"):
        return arrays.load_npz(user_path(name))
    if is_plugin(name):
        return arrays.load_from_function(name)
    if tables.parts_of(user_path(name)):
        return tables.load_tables(user_path(name), config.label_column)
    if is_folder(name):
        return image_folder.load(user_path(name), config.image_size, config.channels)
    return tfds_source.load(name, config.data_dir, config.image_size, config.channels)


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
    everything = Examples(
        bunch.images[..., np.newaxis].astype(np.uint8), bunch.target.astype(np.int64)
    )
    train, test = split_off_test(everything, EMBEDDED)
    spec = DataSpec(EMBEDDED, (8, 8, 1), "uint8", (0.0, 16.0), tuple("0123456789"))
    return Dataset(spec, train, test)
