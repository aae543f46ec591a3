"""Paths as users write them."""

import os
from pathlib import Path

from ecavg_tf.core.errors import ConfigError, WorkdirError


def user_path(given: str | Path) -> Path:
    """A path that a user gave: ``~`` and ``~name`` are home folders, as in a shell.

    Everything that takes a path from outside calls this, so that ``--workdir=~/x``, which no
    shell expands, and ``run(config, "~/x")`` never make a folder named ``~``.

    Raises:
        ConfigError: nobody knows where that home folder is.
    """
    path = Path(given)
    try:
        return path.expanduser()
    except RuntimeError as error:
        user = path.parts[0]
        if user != "~" and path.exists():  # a file whose own name begins so
            return path
        cure = "set HOME, or write the path out" if user == "~" else f"a file is ./{path}"
        raise ConfigError(f"{path}: the home folder {user} is not known; {cure}") from error


def check_current_folder() -> None:
    """Makes sure that relative paths still lead somewhere.

    Raises:
        WorkdirError: the current folder was removed.
    """
    try:
        os.getcwd()  # noqa: PTH109  # said in the system's own word
    except FileNotFoundError as error:
        raise WorkdirError(
            "the current folder was removed while this shell or program was in it; change into "
            "one that exists (cd)"
        ) from error
