"""What a shell completes, asked of a real bash."""

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from ecavg_tf.cli import COMMANDS, main
from ecavg_tf.cli.completion import script

ASK = """
source {script}
COMP_WORDS=({words}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
_ecavg
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("completion") / "ecavg.sh"
    path.write_text(script())
    return path


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ecavg", "ru"], ["run"]),
        (["ecavg", ""], list(COMMANDS)),
        (["ecavg", "run", "--work"], ["--workdir="]),
        (["ecavg", "run", "--config.edge.epo"], ["--config.edge.epochs="]),
        (["ecavg", "run", "--config", "=", "dig"], ["digits"]),
        (["ecavg", "export", "--form"], ["--formats="]),
        (["ecavg", "report", "ru"], [""]),  # a file's name, which bash completes itself
        (["ecavg", "nothing", "--"], [""]),
    ],
)
def test_what_bash_completes(source: Path, words: list[str], said: list[str]) -> None:
    asked = ASK.format(script=source, words=" ".join(map(shlex.quote, words)))
    told = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True)
    assert told.stdout.splitlines() == said
    assert told.stderr == ""


def test_only_shells_that_are_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bash"]) == 0
    assert capsys.readouterr().out == script()
    assert main(["completion", "zsh"]) == 0
    assert capsys.readouterr().out.startswith("autoload -Uz compinit bashcompinit")
    assert main(["completion", "fish"]) == 2
    assert "valid: bash, zsh" in capsys.readouterr().err
    assert main(["completion"]) == 2
    assert "ecavg completion bash or zsh" in capsys.readouterr().err
