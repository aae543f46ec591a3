"""The environment manifest: what a run's bits depend on besides its config and seed."""

import os
import platform
import uuid
from importlib import metadata
from pathlib import Path
from typing import Any

from ecavg_tf.core.errors import WorkdirError
from ecavg_tf.core.fields import FieldError, Fields
from ecavg_tf.core.files import read_json
from ecavg_tf.keras_settings import keras_settings
from ecavg_tf.kernels import VARIABLE, onednn_in_force, users_choice

_VARIABLES = ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS")
_NO_DIFFERENCE = ("run_id", VARIABLE)  # "onednn" says what came of the variable
_PACKAGES = ("ecavg-tf", "tensorflow", "keras", "numpy", "safetensors", "tensorflow-datasets")


def describe() -> dict[str, Any]:
    """Versions, settings, threads and devices, and a fresh ``run_id``."""
    import tensorflow as tf

    return {
        "run_id": uuid.uuid4().hex,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": _usable_cpus(),
        "gpus": len(tf.config.list_physical_devices("GPU")),
        "inter_op_threads": tf.config.threading.get_inter_op_parallelism_threads(),
        "intra_op_threads": tf.config.threading.get_intra_op_parallelism_threads(),
        "onednn": onednn_in_force(),
        "variables": {
            VARIABLE: users_choice(),
            **{name: os.environ.get(name) for name in _VARIABLES},
        },
        "keras": keras_settings(),
        "packages": {name: _version(name) for name in _PACKAGES},
    }


def read(path: Path) -> dict[str, Any]:
    """The manifest that a run wrote.

    Raises:
        WorkdirError: it is damaged.
    """
    values = read_json(path)
    try:
        Fields(values).text("run_id")
    except FieldError as error:
        raise WorkdirError(
            f"{path} is damaged ({error}); restore it from a copy, or begin again in another "
            "--workdir"
        ) from error
    return values


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What changed since the run began, except its id: bits may differ from here on.

    What an older version of this program did not write down yet is passed over.
    """
    changed: list[str] = []
    for name, value in now.items():
        was = before.get(name)
        if isinstance(value, dict) and isinstance(was, dict):
            changed += [f"{name}: {line}" for line in differences(was, value)]
        elif name not in _NO_DIFFERENCE and name in before and was != value:
            changed.append(f"{name}: {_said(was)} → {_said(value)}")
    return changed


def _said(value: Any) -> str:
    return "not set" if value is None else str(value)


def _usable_cpus() -> int | None:
    """TensorFlow sizes its thread pools by these, not by what the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
