"""``ecavg configs``."""

from collections.abc import Sequence

from absl import flags

from ecavg_tf.cli.config_flag import parse
from ecavg_tf.cli.shipped import first_line, shipped_file
from ecavg_tf.config.shipped import shipped
from ecavg_tf.core.errors import ConfigError

HELP = """\
ecavg configs [NAME]

Lists the config files that come with the program. With a NAME it prints that file, to be
read or to be changed:

  ecavg run --config=digits --workdir=runs/digits
  ecavg configs digits > mine.py
"""


def main(argv: Sequence[str]) -> int:
    """Lists the files, or prints one."""
    if "--help" in argv or "-h" in argv:
        print(HELP, end="")
        return 0
    names = parse(flags.FlagValues(), argv)
    if len(names) > 1:
        raise ConfigError(f"give one name, or none; {len(names)} came: {', '.join(names)}")
    if names:
        print(shipped_file(names[0]).read_text(encoding="utf-8"), end="")
        return 0
    files = shipped()
    width = max(map(len, files))
    for name, file in files.items():
        print(f"{name:{width}s}  {first_line(file)}")
    print("\nTo run one: ecavg run --config=NAME --workdir=runs/NAME")
    return 0
