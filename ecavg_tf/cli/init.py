"""``ecavg init``."""

from collections.abc import Sequence
from importlib import resources

from absl import flags

from ecavg_tf.cli.config_flag import parse
from ecavg_tf.core.errors import ConfigError, WorkdirError
from ecavg_tf.core.paths import user_path

HELP = """\
ecavg init DIR

Writes two files into DIR that run as they are and that you then change: config.py, with the
fields that most people change, and mine.py, with a function for the data and one for the model.
Files that are there already are never replaced.
"""
FILES = ("config.py", "mine.py")


def main(argv: Sequence[str]) -> int:
    """Writes the files, says what to type next."""
    if "--help" in argv or "-h" in argv:
        print(HELP, end="")
        return 0
    names = parse(flags.FlagValues(), argv)
    if len(names) != 1:
        raise ConfigError(f"say into which folder, for example: ecavg init mine; {len(names)} came")
    folder = user_path(names[0])
    there = [name for name in FILES if (folder / name).exists()]
    if there:
        raise WorkdirError(f"{folder / there[0]} is there already; give another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            text = (resources.files("ecavg_tf") / "skeleton" / name).read_text(encoding="utf-8")
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise WorkdirError(f"{folder} can't be written to ({error.strerror or error})") from error
    print(f"Wrote {' and '.join(str(folder / name) for name in FILES)}. They run as they are:\n")
    print(f"  cd {folder}\n  ecavg run --config=config.py --workdir=runs/first")
    return 0
