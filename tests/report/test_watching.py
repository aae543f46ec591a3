"""Watching a run: the page renews itself as long as the run goes on, and no longer."""

import shutil
from pathlib import Path

import pytest

from ecavg_tf.cli import main
from ecavg_tf.core.locks import is_locked, lock_folder
from ecavg_tf.report import plots, watching
from ecavg_tf.report.page import is_written
from ecavg_tf.report.watching import last_line, watch
from ecavg_tf.results import load_results

RENEWS = "location.reload()"


@pytest.fixture
def place(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run directory with little in it, and a page without pictures, which take long."""
    monkeypatch.setattr(plots, "pictures", lambda *_: {})
    for name in ("config.json", "results.json", "log.txt"):
        shutil.copy(run / name, tmp_path / name)
    return tmp_path


def test_a_lock_is_seen_and_left_alone(tmp_path: Path) -> None:
    assert not is_locked(tmp_path / "nowhere")
    assert not is_locked(tmp_path)
    with lock_folder(tmp_path):
        assert is_locked(tmp_path)
        assert is_locked(tmp_path)
    assert not is_locked(tmp_path)


def test_the_page_follows_the_run_and_ends_with_it(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, seen = lock_folder(place), []

    def sleep(seconds: float) -> None:
        seen.append(((place / "report.html").read_text(), seconds))
        with (place / "log.txt").open("a") as log:
            log.write("12:00  round 2: edge-01 <pre-trains>\n")
        if len(seen) == 2:
            lock.close()

    monkeypatch.setattr(watching.time, "sleep", sleep)
    results = watch(place, 3.0)
    assert results == load_results(place)
    first, second = (page for page, _ in seen)
    assert [seconds for _, seconds in seen] == [3.0, 3.0]
    assert RENEWS in first and ", 3000)" in first
    assert "edge-01 &lt;pre-trains&gt;" in second
    assert "edge-01 &lt;pre-trains&gt;" not in first
    assert "http-equiv" not in first
    assert results
    assert RENEWS not in (place / "report.html").read_text()
    assert is_written(results, place)


def test_an_interrupted_watch_leaves_a_page_that_renews_itself_no_more(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(seconds: float) -> None:
        del seconds
        raise KeyboardInterrupt

    monkeypatch.setattr(watching.time, "sleep", interrupted)
    with lock_folder(place):
        assert main(["report", "--watch", str(place)]) == 0
    assert RENEWS not in (place / "report.html").read_text()
    assert "renews itself no more" in capsys.readouterr().out


def test_what_is_no_run_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--watch", str(tmp_path / "nope")]) != 0
    told = capsys.readouterr()
    assert told.err.count("\n") == 1
    assert "nope holds no run that could be watched; start 'ecavg run'" in told.err
    assert told.out == ""
    assert main(["report", "--watch", str(tmp_path), str(tmp_path)]) != 0
    assert "--watch follows one run, 2 came" in capsys.readouterr().err


def test_a_run_without_a_log_does_nothing_yet(tmp_path: Path) -> None:
    assert last_line(tmp_path) == ""
    (tmp_path / "log.txt").write_text("a\nb\x1b[31m\n")
    assert last_line(tmp_path).startswith("b")
    assert "\x1b" not in last_line(tmp_path)
