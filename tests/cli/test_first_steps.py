"""A newcomer's commands: the configs that come along, a skeleton of one's own, mistyped words."""

import runpy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import ecavg_tf
from ecavg_tf.cli import main
from ecavg_tf.cli.help import fields_help
from ecavg_tf.cli.shipped import first_line
from ecavg_tf.config import Config
from ecavg_tf.config.checks import validated
from ecavg_tf.config.shipped import shipped
from ecavg_tf.events import Event


def said(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str]:
    code = main(argv)
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def test_configs_lists_every_shipped_file(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = said(capsys, "configs")
    files = sorted(Path("configs").glob("*.py"))
    assert code == 0 and len(files) >= 6
    for file in files:
        assert f"{file.stem} " in text and first_line(file) in text
        assert first_line(file), f"{file} has no docstring"


def test_a_shipped_config_is_found_by_name_in_an_empty_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code, text = said(capsys, "configs", "digits")
    assert (code, text) == (0, shipped()["digits"].read_text())
    (tmp_path / "digits").mkdir()  # a run directory of that name is no config
    code, text = said(capsys, "run", "--config=digits")
    assert (code, text) == (2, "ecavg: say where the run goes: --workdir=runs/NAME\n")


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (("run", "--config=digit"), "no config 'digit' (did you mean 'digits'?)"),
        (("configs", "mnist_mpl"), "no config 'mnist_mpl' (did you mean 'mnist_mlp'?)"),
        (("configs", "a", "b"), "2 came: a, b"),
        (("run", "--config=no/such.py"), "'no/such.py' is not there; 'ecavg configs' lists"),
        (("run", "--config=digits", "--workdr=x"), "(did you mean '--workdir'?)"),
        (
            ("run", "--config=digits", "--epochs=3"),
            "--config.edge.epochs=3 or --config.server.epochs=3",
        ),
        (("run", "--config=digits", "--rounds=2"), "is written --config.rounds=2"),
        (("init",), "say into which folder"),
        (("inti", "x"), "no command 'inti'"),
    ],
)
def test_mistyped_words_get_the_right_one(
    argv: tuple[str, ...], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = said(capsys, *argv)
    assert code == 2
    assert expected in text and text.count("\n") == 1


def test_init_writes_what_runs_and_never_replaces(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "mine"
    code, text = said(capsys, "init", str(folder))
    assert code == 0 and f"cd {folder}" in text
    config = runpy.run_path(str(folder / "config.py"))["get_config"]()
    assert isinstance(config, Config)
    assert validated(config).data.name == "mine:data"
    (x_train, y_train), (x_test, y_test) = runpy.run_path(str(folder / "mine.py"))["data"]()
    assert x_train.shape[1:] == x_test.shape[1:] == (8, 8, 1)
    assert (len(y_train), len(y_test)) == (len(x_train), len(x_test))
    assert x_train.min() >= 0 and x_train.max() <= 1 and x_train.dtype == np.float32
    (folder / "mine.py").write_text("x = 1\n")
    (folder / "config.py").unlink()
    code, text = said(capsys, "init", str(folder))
    assert code == 4 and "mine.py is there already" in text
    assert (folder / "mine.py").read_text() == "x = 1\n"
    assert not (folder / "config.py").exists()


@pytest.mark.slow
def test_the_skeleton_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["init", str(tmp_path)]) == 0
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    args = ("--config.edge.epochs=1", "--config.server.epochs=1", "--config.export.enabled=false")
    assert main(["run", "--config=config.py", "--workdir=runs/first", *args]) == 0
    assert (tmp_path / "runs" / "first" / "report.html").exists()


def test_help_is_plain_text() -> None:
    assert "``" not in fields_help()


def test_quiet_tells_the_outcome_only_and_verbose_tells_all(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    fields = ("edge.epochs=1", "server.epochs=1", "export.enabled=false", "rounds=1")
    words = ["run", "--config=two_edges", *(f"--config.{field}" for field in fields)]
    code, text = said(capsys, *words, f"--workdir={tmp_path / 'quiet'}", "--quiet")
    assert code == 0
    assert "pre-trains" not in text
    assert "takes" not in text
    assert "edges gained own accuracy" in text
    code, text = said(capsys, *words, f"--workdir={tmp_path / 'verbose'}", "--verbose")
    assert code == 0
    log = (tmp_path / "verbose" / "log.txt").read_text()
    told = [line.split("  ", 1)[1] for line in log.splitlines()]
    assert [line for line in text.splitlines() if line in told] == told
    code, text = said(capsys, *words, f"--workdir={tmp_path / 'both'}", "--quiet", "--verbose")
    assert (code, "are opposites" in text) == (2, True)


def test_progress_from_python(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, small: Callable[[], Config]
) -> None:
    ecavg_tf.run(small(), tmp_path / "run", listener=ecavg_tf.progress())
    text = capsys.readouterr().out
    assert "round 1: edge-00 pre-trains" in text
    assert "round 1: server epoch 2/2" in text


def test_a_listener_that_draws_is_started_and_ended(
    tmp_path: Path, small: Callable[[], Config]
) -> None:
    class Drawing:
        def __init__(self) -> None:
            self.told: list[object] = []

        def __enter__(self) -> None:
            self.told.append("begins")

        def __exit__(self, *_: object) -> None:
            self.told.append("ends")

        def __call__(self, event: Event) -> None:
            self.told.append(event)

    drawing = Drawing()
    ecavg_tf.run(small(), tmp_path / "run", listener=drawing)
    assert (drawing.told[0], drawing.told[-1]) == ("begins", "ends")
    assert len(drawing.told) > 10
