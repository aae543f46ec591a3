"""``ecavg export --verify``."""

import sys
from collections.abc import Sequence
from pathlib import Path

from ecavg_tf.core.commands import one_line
from ecavg_tf.core.errors import ConfigError, ExportError, printable

_NAMED = 3


def verify_all(path: Path, key_file: str) -> int:
    """Verifies a file, or all of a folder, prints a line each and counts them.

    Args:
        path: a bundle, a plain model, a list of sources, or a folder.
        key_file: whose signature each must have.

    Returns:
        0, or the exit code of what is refused; the others are verified too.

    Raises:
        ECAvgError: there is no key, or no bundle.
    """
    from export.delivering.signing import load_public_key
    from export.delivering.verification import (
        Signed,
        check_model_of,
        check_plain,
        delivered_in,
        open_signed,
        uncovered,
    )

    key = load_public_key(key_file)
    files = delivered_in(path) if path.is_dir() else (path,)
    if not files:
        raise ConfigError(f"{path} holds no *.bundle.zip, and nothing else that could be signed")
    code, refused, sound = 0, 0, list[Signed]()
    for file in files:
        try:
            sound.append(signed := open_signed(file, key))
            said = f"{file}: whole, and signed by the owner of {key_file}: {signed.words}"
            print(printable(said))
            check_plain(signed)
            check_model_of(signed, sound)
        except ExportError as error:
            code, refused = error.exit_code, refused + 1
            print(f"REFUSED: {one_line(str(error))}", file=sys.stderr)
    if path.is_dir():
        _print_loose(path, uncovered(path, sound))
        print(_count(len(files) - refused, refused))
    return code


def _print_loose(path: Path, loose: Sequence[Path]) -> None:
    if loose:
        names = ", ".join(str(file.relative_to(path)) for file in loose[:_NAMED])
        plural = "s" if len(loose) > 1 else ""
        more = ", …" if len(loose) > _NAMED else ""
        said = f"Not covered by any signature: {len(loose)} file{plural} ({names}{more})."
        print(printable(said))


def _count(sound: int, refused: int) -> str:
    return f"{sound} file{'' if sound == 1 else 's'} sound, {refused} refused"
