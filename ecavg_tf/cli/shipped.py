"""The config files that come with the program, by name."""

import ast
from pathlib import Path

from ecavg_tf.config.checks import guess
from ecavg_tf.config.shipped import shipped
from ecavg_tf.core.errors import ConfigError


def shipped_file(name: str, room: str = "") -> Path:
    """One of them; see ``shipped``.

    Raises:
        ConfigError: there is none of that name.
    """
    files = shipped(room)
    if name not in files:
        raise ConfigError(
            f"there is no config {name!r}{guess(name, files)}; 'ecavg configs' lists those that "
            "come with the program, and a file of yours is given with its path"
        )
    return files[name]


def first_line(file: Path) -> str:
    """The first line of a config file's docstring; the file is not run."""
    doc = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return doc.partition("\n")[0]
