"""Keras' global settings: a machine's ``keras.json`` and ``KERAS_BACKEND`` reach every run.

Read without importing Keras, where it is not imported yet: with another backend the import
itself would fail.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from ecavg_tf.core.errors import InstallationError

_DEFAULTS = {"backend": "tensorflow", "floatx": "float32", "image_data_format": "channels_last"}


def keras_settings() -> dict[str, Any]:
    """Backend, float type, data format, dtype policy and limits, as they stand.

    Raises:
        InstallationError: Keras is not imported yet, and could not be, because of its file.
    """
    keras: Any = sys.modules.get("keras")
    if keras is None or not hasattr(keras, "config"):
        return _stored()
    return {
        "backend": keras.config.backend(),
        "floatx": keras.config.floatx(),
        "image_data_format": keras.config.image_data_format(),
        "dtype_policy": keras.config.dtype_policy().name,
        "epsilon": keras.config.epsilon(),
        "max_epochs": keras.config.max_epochs(),
        "max_steps_per_epoch": keras.config.max_steps_per_epoch(),
    }


def check_keras_settings() -> None:
    """Refuses settings under which a run would be another one, or none.

    Raises:
        InstallationError: names the setting, where it comes from, and what it must be.
    """
    found = keras_settings()
    if found["backend"] != "tensorflow":
        raise InstallationError(
            f"Keras' backend is {found['backend']!r} (environment variable KERAS_BACKEND, or "
            f"'backend' in {_file()}); ecavg-tf needs 'tensorflow': set KERAS_BACKEND=tensorflow"
        )
    if found["image_data_format"] != "channels_last":
        raise InstallationError(
            f"Keras' image_data_format is {found['image_data_format']!r} ('image_data_format' in "
            f"{_file()}, or keras.config.set_image_data_format); ecavg-tf's images have their "
            "channels last: set it to 'channels_last'"
        )
    if found["floatx"] not in ("float32", "float64"):
        raise InstallationError(
            f"Keras' floatx is {found['floatx']!r} ('floatx' in {_file()}, or "
            "keras.config.set_floatx); weights must be float32 or float64: set it to 'float32', "
            "and to compute in half precision use the dtype policy 'mixed_float16'"
        )
    if not isinstance(found.get("epsilon", 1e-7), float):
        raise InstallationError(
            f"Keras' epsilon is {found['epsilon']!r} ('epsilon' in {_file()}), which Keras can't "
            "read; write a number with a point, such as 1e-07, or take the line away"
        )
    for name in ("max_epochs", "max_steps_per_epoch"):
        if found.get(name) is not None:
            raise InstallationError(
                f"Keras' {name} is {found[name]} (environment variable KERAS_{name.upper()}, or "
                f"keras.config.set_{name}), which cuts every training short; take it away"
            )


def _file() -> Path:
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path("~", ".keras").expanduser()) / "keras.json"


def _stored() -> dict[str, Any]:
    """What Keras would take from the file and the environment."""
    try:
        stored = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError, RuntimeError):  # RuntimeError: there is no home folder
        stored = {}
    if not isinstance(stored, dict):
        raise InstallationError(
            f"{_file()} holds no settings, and Keras can't be imported with it; remove the file"
        )
    settings: dict[str, Any] = dict(_DEFAULTS)
    settings |= {name: str(stored[name]) for name in _DEFAULTS if name in stored}
    settings |= {name: stored[name] for name in ("epsilon",) if name in stored}
    settings["backend"] = os.environ.get("KERAS_BACKEND") or settings["backend"]
    return settings
