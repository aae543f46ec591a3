"""Bad input gets one clear line, a documented exit code, and leaves nothing behind."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from paths_for_tests import ROOT

from ecavg_tf.cli import main

DIGITS = f"--config={ROOT / 'configs' / 'two_edges.py'}"


def failure(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str]:
    """Runs a command that must fail with one line on standard error."""
    code = main(argv)
    printed = capsys.readouterr()
    lines = printed.err.strip().splitlines()
    assert len(lines) == 1, printed.err
    assert lines[0].startswith("ecavg: ")
    assert "Traceback" not in printed.out
    return code, lines[0]


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--config.edge.epoch=3", "did you mean 'edge.epochs'?"),
        ("--config.egde.epochs=3", "no config field 'egde.epochs'"),
        ("--config.partition.kind=iidd", "iid"),
        ("--config.edge.epochs=0", "edge.epochs is 0; it must be at least 1"),
        ("--config.edge.epochs=-1", "edge.epochs is -1"),
        ("--config.edge.epochs=three", "edge.epochs=three: expected a whole number, got 'three'"),
        ("--config.edge.learning_rate=fast", "expected a number, got 'fast'"),
        ("--config.edge.optimizer=adem", "did you mean 'adam'?"),
        ("--config.rounds=0", "rounds is 0"),
        ("--config.partition.num_edges=0", "partition.num_edges is 0"),
        ("--config.edge.learning_rate=nan", "edge.learning_rate is nan"),
        ("--config.server.learning_rate=-1", "server.learning_rate is -1"),
        ("--config.partition.guard_fraction=1", "below 1"),
        ("--config.model.init=share", "did you mean 'shared'?"),
        ("--config.update.policy=replaced", "did you mean 'replace'?"),
        ("--config.server.combine=mean", "valid: average, auto, soup, start"),
        ("--config.fleet.kind=folder", "--config.fleet.folder=DIR"),
        ("--config.edges_per_round=3", "partition.num_edges is 2"),
        ("--configg.edge.epochs=1", "configg"),
        ("stray", "'stray' is no flag"),
    ],
)
def test_bad_flags_and_fields(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, flag: str, said: str
) -> None:
    workdir = tmp_path / "run"
    code, line = failure(capsys, "run", DIGITS, f"--workdir={workdir}", flag)
    assert code == 2
    assert said in line
    assert not workdir.exists()


def test_an_edge_of_a_keras_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "mine.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    code, line = failure(capsys, "export", str(tmp_path / "mine.keras"), "--edge=edge-00")
    assert code == 2
    assert "--edge is for a run, and" in line


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--config.partition.num_edges=11", "11 edges, 10 classes"),
        ("--config.data.train_examples=5000", "the data set has 1438"),
        ("--config.data.name=nothing.npz", "'nothing.npz' is not there"),
        ("--config.data.name=./nowhere", "is not there"),
    ],
)
def test_bad_data(capsys: pytest.CaptureFixture[str], tmp_path: Path, flag: str, said: str) -> None:
    workdir = tmp_path / "run"
    code, line = failure(capsys, "run", DIGITS, f"--workdir={workdir}", flag)
    assert code == 3
    assert said in line
    assert not workdir.exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "is not there"),
        ("x = 1\n", "get_config()"),
        ("def get_config():\n    return {}\n", "returned dict"),
        ("def get_config():\n    return None\n", "returned NoneType"),
        (
            "def get_config():\n    raise RuntimeError('boom')\n",
            "fails in line 2: RuntimeError: boom",
        ),
        ("def get_config():\n    return 1 / 0\n", "fails in line 2: ZeroDivisionError"),
        ("def get_config(:\n", "SyntaxError"),
        ("import nosuchmodule\ndef get_config(): ...\n", "nosuchmodule"),
        ("def get_config():\n    raise ValueError('odd')\n", "odd"),
    ],
)
def test_bad_config_files(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: str | None, said: str
) -> None:
    path = tmp_path / "conf.py"
    if content is not None:
        path.write_text(content)
    code, line = failure(capsys, "run", f"--config={path}", f"--workdir={tmp_path / 'run'}")
    assert code == 2
    assert said in line


def test_a_config_that_assigns_the_wrong_type_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "conf.py"
    path.write_text(
        "from ecavg_tf.config import Config\n"
        "def get_config():\n"
        "    config = Config()\n    config.edge.epochs = '3'\n    return config\n"
    )
    code, line = failure(capsys, "run", f"--config={path}", f"--workdir={tmp_path / 'run'}")
    assert code == 2
    assert "edge.epochs is '3'; expected int" in line


def test_missing_flags(capsys: pytest.CaptureFixture[str]) -> None:
    assert failure(capsys, "run", DIGITS) == (
        2,
        "ecavg: say where the run goes: --workdir=runs/NAME",
    )
    assert failure(capsys, "run")[0] == 2
    assert failure(capsys, "report")[0] == 2
    code, line = failure(capsys, "rum")
    assert code == 2
    assert "did you mean 'run'?" in line


def test_overrides_may_come_before_the_config(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, line = failure(
        capsys, "run", "--config.rounds=0", "--workdir", str(tmp_path / "run"), DIGITS
    )
    assert code == 2
    assert "rounds is 0" in line


def test_a_directory_with_other_files_is_left_alone(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    code, line = failure(capsys, "run", DIGITS, f"--workdir={tmp_path}")
    assert code == 4
    assert "thesis.tex" in line
    assert [item.name for item in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_report_of_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, line = failure(capsys, "report", str(tmp_path))
    assert code == 4
    assert "results.json is not there" in line
    (tmp_path / "results.json").write_text('{"schema_version": 1, "rounds": 3}')
    code, line = failure(capsys, "report", str(tmp_path))
    assert code == 4
    assert "damaged" in line


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux' /proc")
def test_a_directory_that_nobody_can_write(capsys: pytest.CaptureFixture[str]) -> None:
    code, line = failure(capsys, "run", DIGITS, "--workdir=/proc/ecavg-run")
    assert code == 4
    assert "can't be written" in line


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write everywhere")
def test_a_read_only_directory(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o555)
    code, line = failure(capsys, "run", DIGITS, f"--workdir={folder / 'run'}")
    assert code == 4
    assert "can't be written" in line
    assert list(folder.iterdir()) == []


def test_a_foreign_export_module_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "export.py").write_text("raise SystemExit('imported!')\n")
    done = subprocess.run(
        [sys.executable, "-m", "ecavg_tf", "run", DIGITS, "--workdir=run"],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 6
    assert str(tmp_path / "export.py") in done.stderr
    assert not (tmp_path / "run").exists()


def test_help_lists_every_field(capsys: pytest.CaptureFixture[str]) -> None:
    from ecavg_tf.config import Config
    from ecavg_tf.config.fields import flatten

    assert main(["--help"]) == 0
    assert "ecavg run" in capsys.readouterr().out
    assert main(["run", "--help"]) == 0
    text = capsys.readouterr().out
    for name, _ in flatten(Config()):
        described = text.partition(f"--config.{name}=")[2].splitlines()
        assert len(described) > 1, name
        assert described[1].strip(), f"{name} is not described"
    for command in ("report", "edge"):
        assert main([command, "--help"]) == 0


@pytest.mark.parametrize("words", [["report", "run"], ["run", DIGITS, "--workdir=run"]])
def test_a_removed_current_folder(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    code, line = failure(capsys, *words)
    assert code == 4
    assert "the current folder was removed" in line
