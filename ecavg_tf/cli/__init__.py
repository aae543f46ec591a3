"""The command line: ``main`` parses, then calls one function."""

import importlib
import sys
from collections.abc import Sequence
from importlib import metadata

from ecavg_tf.core.commands import exit_code_of
from ecavg_tf.core.errors import ConfigError, InstallationError
from ecavg_tf.core.stderr import without_retracing_warnings

COMMANDS = {
    "run": "run training rounds, or resume them",
    "study": "compare averaging with its controls, over seeds and settings",
    "configs": "list the configs that come with the program",
    "completion": "let the shell complete commands, flags and config fields",
    "init": "write a config and functions of your own to begin with",
    "edge": "serve edges of a run that is elsewhere, through an exchange folder",
    "certs": "make the certificates and keys of a server and its edges",
    "serve": "let edges on other machines connect to this one",
    "join": "serve a run across a network, with data of this machine",
    "web": "let browser tabs take part in a run, through its exchange folder",
    "export": "make verified .tflite files of a run's models, or of a .keras file",
    "demo": "try a bundle's model in a web browser",
    "check": "does a bundle run right on this machine?",
    "predict": "label pictures, tables or arrays with a bundle",
    "train": "train a bundle on local data, or serve a run with it, without TensorFlow",
    "report": "print the tables of a run again",
}
DEVICE_COMMANDS = ("check", "predict", "train", "join")  # those of ``python -m edge``

HELP = """\
ecavg: edges train a Keras model, the server averages and fine-tunes, edges take it over.

  ecavg run --config=digits --workdir=runs/digits
  ecavg report runs/digits

Commands:
{commands}

'ecavg COMMAND --help' tells the flags of a command, 'ecavg --version' the version.
Exit codes: 0 done, 1 a bug, 2 flags or config, 3 data, 4 run directory or output,
5 a round failed, 6 installation, 7 model, 8 export, 9 too few examples prove a file;
interrupted: 129 by SIGHUP, 130 by Ctrl-C, 143 by SIGTERM.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        argv: arguments without the program's name; None: those of the process.

    Returns:
        The exit code.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    without_retracing_warnings()
    return exit_code_of(lambda: _dispatch(arguments), "ecavg")


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("--help", "-h", "help", "--helpfull"):
        listed = "\n".join(f"  {name:10s} {text}" for name, text in COMMANDS.items())
        print(HELP.format(commands=listed), end="")
        return 0 if arguments else ConfigError.exit_code
    command, *rest = arguments
    if command == "--version":
        print(f"ecavg {metadata.version('ecavg-tf')}")
        return 0
    if command not in COMMANDS:
        from ecavg_tf.config.checks import guess

        raise ConfigError(
            f"no command {command!r}; valid: {', '.join(COMMANDS)}{guess(command, COMMANDS)}"
        )
    from ecavg_tf.core.paths import check_current_folder
    from ecavg_tf.ownership import check_packages

    check_current_folder()
    check_packages()
    try:
        if command in DEVICE_COMMANDS:
            from edge.cli import main as device_main

            return device_main(arguments, "ecavg")
        code: int = importlib.import_module(f"ecavg_tf.cli.{command}").main(rest)
    except ModuleNotFoundError as error:
        from ecavg_tf.keras_settings import check_keras_settings

        check_keras_settings()  # of another backend, that package would be missing
        raise InstallationError(
            f"'ecavg {command}' needs the package {error.name}: install ecavg-tf with its "
            "dependencies; a device without TensorFlow has 'ecavg check', 'predict' and 'train'"
        ) from error
    return code
