"""The config that a run directory holds, and which of its fields may change when it goes on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ecavg_tf.config import Config, LevelFor, with_fields
from ecavg_tf.config.fields import EXPORT, flatten, flatten_dict, to_dict
from ecavg_tf.core.errors import ConfigError, WorkdirError
from ecavg_tf.core.fields import short
from ecavg_tf.core.files import read_json
from ecavg_tf.core.paths import user_path

NO_PART_OF_THE_ALGORITHM = (
    EXPORT,
    "baseline.",
    "fleet.quorum",
    "fleet.wait_for",
    "fleet.timeout_s",
    "fleet.edge_timeout_s",
    "fleet.folder",
    "fleet.edge_keys",
    "edge.steps_per_execution",
    "server.steps_per_execution",
    "fleet.server",
    "fleet.workers",
    "tensorboard",
    "keep_rounds",
    "keep_updates",
)


def check_continues(path: Path, stored: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """Whether a run goes on under a config: only what is no part of the algorithm may differ.

    Args:
        path: the run directory, for an error.
        stored: the config that the directory holds, nested.
        config: the config that is to go on, nested.

    Raises:
        WorkdirError: names the first field that may not differ.
    """
    for section, defaults in to_dict(Config()).items():
        if isinstance(defaults, dict) and not isinstance(stored.get(section, {}), dict):
            raise WorkdirError(
                f"{path / 'config.json'} is damaged ({section} is {short(stored[section])}, "
                "expected an object); restore it from a copy, or use another --workdir"
            )
    # A run of an older version lacks fields that have come since: they had their defaults.
    before = dict(flatten(Config())) | flatten_dict(dict(stored))
    now = flatten_dict(dict(config))
    changed = [name for name in before.keys() | now.keys() if before.get(name) != now.get(name)]
    for name in sorted(changed):
        if name == "rounds":
            _check_rounds(path, before, now)
        elif not name.startswith(NO_PART_OF_THE_ALGORITHM):
            raise WorkdirError(
                f"{path} holds a run with {name}={before.get(name)!r}, this one has "
                f"{now.get(name)!r}; use the same config to resume, or another --workdir"
            )


def _check_rounds(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """More rounds are the same run for longer, unless its decisions were promised a share."""
    if now["rounds"] < before["rounds"]:
        raise WorkdirError(
            f"{path} holds a run with rounds={before['rounds']}, this one has {now['rounds']}; "
            "rounds may only grow"
        )
    if now["update.level_for"] != LevelFor.DECISION.value:
        raise WorkdirError(
            f"{path} holds a run with rounds={before['rounds']}, and "
            f"update.level_for={now['update.level_for']} divides update.level over these; with "
            f"{now['rounds']} the earlier decisions would break that promise: use another --workdir"
        )


def stored_config(path: Path) -> Config:
    """The config of a run directory.

    Raises:
        WorkdirError: it is not a run directory.
        ConfigError: another version of this program wrote it.
    """
    path = user_path(path)
    if not (path / "config.json").exists():
        raise WorkdirError(f"{path} is not a run directory; give one that 'ecavg run' has made")
    try:
        return with_fields(Config(), flatten_dict(read_json(path / "config.json")))
    except (ValueError, TypeError, AttributeError, ConfigError) as error:
        raise ConfigError(
            f"another version of this program wrote {path / 'config.json'}: {error}"
        ) from error
