"""The config files that come with the program."""

from importlib import resources
from pathlib import Path


def shipped(room: str = "") -> dict[str, Path]:
    """The config files by name, in alphabetical order.

    Args:
        room: a folder of them: ``studies``; empty: configs of runs.
    """
    folder = Path(str(resources.files("ecavg_tf") / "shipped_configs" / room))
    return {file.stem: file for file in sorted(folder.glob("*.py"))}
