"""``ecavg demo`` and ``ecavg export --target=web`` as a user types them."""

import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from bundles_for_tests import made

from ecavg_tf.cli import main
from ecavg_tf.core.bundles.bundle import write_bundle


def test_it_prints_an_address_serves_there_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    write_bundle(tmp_path / "int8.bundle.zip", made())
    command = [sys.executable, "-m", "ecavg_tf", "demo", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as it:
        assert it.stdout is not None
        line = it.stdout.readline()
        try:
            found = re.fullmatch(
                r"1 bundle at (http://127\.0\.0\.1:\d+/) \(Ctrl-C ends it\)\n", line
            )
            assert found is not None, line
            with urllib.request.urlopen(found[1], timeout=10) as answer:
                assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
                assert b"<h1>Try the model</h1>" in answer.read()
        finally:
            it.send_signal(signal.SIGINT)
            rest, errors = it.communicate(timeout=30)
    assert (it.returncode, rest.strip(), errors) == (0, "", "")


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ([], 2, "give a bundle, or a folder of bundles; none came"),
        (["none.bundle.zip"], 8, "none.bundle.zip is not there"),
        (["bad.bundle.zip"], 8, "bad.bundle.zip can't be read"),
        (["empty"], 8, "empty holds no *.bundle.zip; give a folder that an export made"),
        (["good.bundle.zip", "--port=70000"], 2, "port"),
        (["good.bundle.zip", "--prot=7000"], 2, "did you mean '--port'?"),
    ],
)
def test_wrong_input_is_one_clear_line(
    given: list[str],
    code: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.bundle.zip").write_bytes(b"no zip")
    write_bundle(tmp_path / "good.bundle.zip", made())
    assert main(["demo", *given]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("ecavg: ")
    assert said in line


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (["--target=web"], 2, "--target=web needs --out=DIR"),
        (["--target=web", "--out=full"], 8, "full is not empty and holds no page"),
        (["--target=wbe", "--out=page"], 2, "valid: micro, web"),
    ],
)
def test_export_refuses_a_wrong_place_before_the_work(
    flags: list[str],
    code: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("x")
    assert main(["export", "run", *flags]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
