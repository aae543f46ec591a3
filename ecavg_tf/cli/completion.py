"""``ecavg completion``: a script that lets a shell complete commands, flags and config fields."""

import contextlib
import importlib
import io
import re
from collections.abc import Sequence

from ecavg_tf.config import Config
from ecavg_tf.config.checks import one_of
from ecavg_tf.config.fields import flatten
from ecavg_tf.config.shipped import shipped
from ecavg_tf.core.errors import ConfigError

HELP = """\
ecavg completion bash
ecavg completion zsh

Prints a script that completes commands, flags and config fields. For every new shell:

  echo 'eval "$(ecavg completion bash)"' >> ~/.bashrc
  echo 'eval "$(ecavg completion zsh)"' >> ~/.zshrc
"""
SHELLS = ("bash", "zsh")
_FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9_-]*=?")
_SCRIPT = """\
_ecavg() {
    local candidates word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}"
    local named="${COMP_WORDS[COMP_CWORD-2]}"
    if [ "$COMP_CWORD" -eq 1 ]; then
        candidates="%(commands)s"
    elif [ "$before" = "=" ] && [ "$named" = "--config" ] || [ "$before" = "--config" ]; then
        candidates="%(configs)s"
    else
        case "${COMP_WORDS[1]}" in
%(cases)s
        esac
    fi
    # A word that is no flag is a file's name, where only flags are known: the shell completes it.
    [ -z "${candidates##--*}" ] && [ -n "${word##-*}" ] && candidates=""
    COMPREPLY=($(compgen -W "$candidates" -- "$word"))
    case "${COMPREPLY[0]}" in *=) compopt -o nospace 2>/dev/null ;; esac
}
complete -o default -F _ecavg ecavg
"""
_ZSH = "autoload -Uz compinit bashcompinit && compinit && bashcompinit\n"


def main(argv: Sequence[str]) -> int:
    """Prints the script."""
    if "--help" in argv or "-h" in argv:
        print(HELP, end="")
        return 0
    if len(argv) != 1:
        raise ConfigError(f"say for which shell: ecavg completion {' or '.join(SHELLS)}")
    one_of("the shell", argv[0], SHELLS)
    print((_ZSH if argv[0] == "zsh" else "") + script(), end="")
    return 0


def script() -> str:
    """The script for bash, which zsh understands after ``bashcompinit``."""
    from ecavg_tf.cli import COMMANDS

    fields = [f"--config.{name}=" for name, _ in flatten(Config())]
    cases = []
    for command in COMMANDS:
        words = [*_flags(command), *(fields if command in ("run", "edge") else ())]
        cases.append(f'        {command}) candidates="{" ".join(words)}" ;;')
    return _SCRIPT % {
        "commands": " ".join(COMMANDS),
        "configs": " ".join(shipped()),
        "cases": "\n".join(cases),
    }


def _flags(command: str) -> list[str]:
    """The flags that a command's own help names."""
    from ecavg_tf.cli import DEVICE_COMMANDS

    told = io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.suppress(SystemExit):
        if command in DEVICE_COMMANDS:
            importlib.import_module("edge.cli").main([command, "--help"], "ecavg")
        else:
            importlib.import_module(f"ecavg_tf.cli.{command}").main(["--help"])
    # What a field is for names other commands' flags, too.
    usage = told.getvalue().split("\nFields", 1)[0]
    found = dict.fromkeys(_FLAG.findall(usage))
    plain = [flag for flag in found if not (f"{flag}=" in found or flag.startswith("--config."))]
    return [*plain, "--help"] if "--help" not in plain else plain
