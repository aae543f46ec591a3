"""Paths as people write them: ``~`` is the home folder, and a folder may have gone."""

import os
import pwd
import shutil
from pathlib import Path

import pytest

from ecavg_tf.core.errors import ConfigError, WorkdirError
from ecavg_tf.core.paths import check_current_folder, user_path


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("~", "/home/ann"),
        ("~/runs/a", "/home/ann/runs/a"),
        (Path("~/a b:c"), "/home/ann/a b:c"),
        ("runs/~", "runs/~"),
        ("/abs/~x", "/abs/~x"),
        ("a~", "a~"),
    ],
)
def test_the_home_folder(monkeypatch: pytest.MonkeyPatch, given: str | Path, meant: str) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert user_path(given) == Path(meant)


def test_without_the_variable_the_system_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    assert user_path("~/x") == Path(pwd.getpwuid(os.getuid()).pw_dir) / "x"


def test_nobodys_home_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"~nobody-here/x: the home folder ~nobody-here is not"):
        user_path("~nobody-here/x")
    (tmp_path / "~backup.npz").touch()
    assert user_path("~backup.npz") == Path("~backup.npz")


def test_a_removed_current_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    check_current_folder()
    shutil.rmtree(gone)
    with pytest.raises(WorkdirError, match="the current folder was removed"):
        check_current_folder()
