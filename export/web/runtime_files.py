"""LiteRT.js as it comes with this package: unpacked, and compared with its hashes."""

import hashlib
import json
import lzma
from pathlib import Path

from ecavg_tf.core.errors import InstallationError, brief

FOLDER = Path(__file__).parent / "runtime"
LIST = "runtime.json"
_PLAIN = ("LICENSE", "README.txt")
_CURE = "install ecavg-tf again"


def runtime_files(folder: Path = FOLDER) -> dict[str, bytes]:
    """The files that a page needs to run models, by their names.

    Args:
        folder: where they lie, each compressed as ``NAME.xz``, with the list of their hashes.

    Raises:
        InstallationError: one is missing or damaged.
    """
    try:
        listed = json.loads((folder / LIST).read_bytes())["files"]
        files = {name: (folder / name).read_bytes() for name in _PLAIN}
        for name, expected in listed.items():
            content = lzma.decompress((folder / f"{name}.xz").read_bytes())
            if hashlib.sha256(content).hexdigest() != expected["sha256"]:
                raise ValueError(f"{name} has another SHA-256 than {LIST} lists")
            files[name] = content
    except (OSError, ValueError, KeyError, lzma.LZMAError) as error:
        raise InstallationError(f"LiteRT.js in {folder} is damaged: {brief(error)}; {_CURE}") from (
            error
        )
    return files
