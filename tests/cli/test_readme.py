"""What README says works as it stands."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from absl import flags
from paths_for_tests import ROOT

from ecavg_tf.cli import COMMANDS, main
from ecavg_tf.cli.config_flag import parse_config
from ecavg_tf.config import Config, PartitionKind
from ecavg_tf.config.fields import flatten
from ecavg_tf.core import errors

README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [text for named, text in fenced if named == language]


def block(language: str, containing: str) -> str:
    (found,) = [text for text in blocks(language) if containing in text]
    return found


def python(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_own_model_and_data_from_the_command_line_and_from_python(tmp_path: Path) -> None:
    mine = block("python", "# mine.py")
    from_python = block("python", 'config.data.name = "mine:data"')
    for text in (mine, from_python):
        assert len([line for line in text.splitlines() if line.strip()]) < 15
    (tmp_path / "mine.py").write_text(mine)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    command = block("", "mine:data").replace("\\\n", " ").split()
    assert command[0] == "ecavg"
    assert "edge-01" in python(tmp_path, "-m", "ecavg_tf", *command[1:])
    (tmp_path / "script.py").write_text(from_python)
    printed = python(tmp_path, "script.py").splitlines()
    assert [line.split()[0] for line in printed] == ["edge-00", "edge-01", "edge-02"]


def test_the_config_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine_config.py").write_text(block("python", "# mine_config.py"))
    config = parse_config(flags.FlagValues(), [f"--config={tmp_path / 'mine_config.py'}"])
    assert config.partition.kind is PartitionKind.DIRICHLET


def test_the_pieces_on_their_own() -> None:
    exec(compile(block("python", "average_weights"), "README.md", "exec"), {})
    exec(compile(block("python", "export.to_tflite"), "README.md", "exec"), {})


def test_every_command_and_field_that_is_named_exists() -> None:
    fields = {name for name, _ in flatten(Config())}
    for field in re.findall(r"--config\.([\w.]+)", README):
        assert field in fields, field
    for field in re.findall(
        r"`((?:data|partition|model|edge|server|update|fleet|export)\.\w+)", README
    ):
        assert field in fields or field in (
            "edge.policy",
            "model.fit",
            "export.to_tflite",
            "export.min_agreement",
        ), field
    for command in re.findall(r"^ecavg (\w+)", README, re.MULTILINE):
        assert command in COMMANDS
    for path in re.findall(r"(configs/\w+\.py|benchmarks/\w+\.py|docs/[\w.-]+)", README):
        assert (ROOT / path).is_file(), path


def test_the_exit_codes_are_those_of_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)}
    raised = {
        kind.exit_code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.ECAvgError)
    }
    assert listed == raised | {0, 130}
    assert main(["--help"]) == 0
    helped = capsys.readouterr().out
    assert all(re.search(rf"\b{code} ", helped) for code in listed)


def test_no_placeholder_is_left() -> None:
    assert "<!--" not in README
