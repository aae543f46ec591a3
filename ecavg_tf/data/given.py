"""Data that a script gives as arrays: kept in the run directory, where a resumed run finds it."""

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ecavg_tf.config import Config
from ecavg_tf.core.errors import ConfigError, DataError, WorkdirError, disk_errors
from ecavg_tf.core.files import atomic_path
from ecavg_tf.core.numpy_files import read_arrays
from ecavg_tf.core.paths import user_path
from ecavg_tf.core.template import Array
from ecavg_tf.data.arrays import dataset_of
from ecavg_tf.data.dataset import Dataset
from ecavg_tf.data.edge_sources import sources_of

GIVEN = "data"  # in the run directory: data.npz, or data/EDGE.npz
_NAMED_BY_DEFAULT = Config().data.name


def with_given_data(config: Config, workdir: str | Path, data: Any) -> Config:
    """Keeps the data in the run directory; the config that names it there.

    A run reads its data again when it is resumed or exported, and edges in processes of their
    own read it, too: arrays in the memory of one process would not do.

    Args:
        config: whose ``data.name`` is left at its default.
        workdir: the run directory.
        data: a ``Dataset``, or ``((x_train, y_train), (x_test, y_test))``; for edges with data of
            their own, a mapping from an edge's name to one of these, or to arrays named as in an
            ``.npz`` file; or a function without arguments that returns one of them.

    Raises:
        ConfigError: the config names other data.
        DataError: the data is something else.
        WorkdirError: the run directory keeps other data.
    """
    if config.data.name != _NAMED_BY_DEFAULT:
        raise ConfigError(
            f"data.name is {config.data.name!r}, and data is given, too; leave one of them out"
        )
    given = data() if callable(data) else data
    folder = user_path(workdir)
    changed = copy.deepcopy(config)
    if isinstance(given, Mapping):
        files = {name: _arrays(f"data: edge {name!r}", source.names, source.read)
                 for name, source in sources_of("data", given).items()}  # fmt: skip
        changed.data.name = str(folder / GIVEN)
        if {item.stem for item in (folder / GIVEN).glob("*.npz")} - set(files):
            raise _other_data(folder / GIVEN)
        for name, arrays in files.items():
            _keep(folder / GIVEN / f"{name}.npz", arrays)
    else:
        changed.data.name = str(folder / f"{GIVEN}.npz")
        _keep(folder / f"{GIVEN}.npz", _arrays_of(dataset_of("data", given, "data is")))
    return changed


def _arrays_of(dataset: Dataset) -> dict[str, Array]:
    spec = dataset.spec
    arrays = {
        "x_train": dataset.train.inputs,
        "y_train": dataset.train.labels,
        "x_test": dataset.test.inputs,
        "y_test": dataset.test.labels,
        "classes": np.array(spec.classes),
    }
    if spec.declared:
        arrays["value_range"] = np.array(spec.value_range)
    if spec.columns is not None:
        arrays["columns"] = np.array(spec.columns)
    return arrays


def _arrays(where: str, names: frozenset[str], read: Callable[[str], Any]) -> dict[str, Array]:
    arrays = {name: np.asarray(read(name)) for name in sorted(names)}
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise DataError(
                f"{where}: {name} has dtype {array.dtype}; give numbers, and texts as np.array(…)"
            )
    return arrays


def _keep(path: Path, arrays: Mapping[str, Any]) -> None:
    if path.exists():
        _check_same(path, arrays)
        return
    with disk_errors(path.parent), atomic_path(path) as temporary:
        np.savez(temporary, **arrays)


def _check_same(path: Path, arrays: Mapping[str, Array]) -> None:
    kept = read_arrays(path)
    same = kept.keys() == arrays.keys() and all(
        kept[name].dtype == array.dtype and np.array_equal(kept[name], array)
        for name, array in arrays.items()
    )
    if not same:
        raise _other_data(path)


def _other_data(path: Path) -> WorkdirError:
    return WorkdirError(
        f"{path} keeps other data than is given; give the same data, or another workdir"
    )
