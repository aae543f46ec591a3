"""``ecavg web`` as a user types it."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from front_for_tests import Asker
from messages_for_tests import asked

from ecavg_tf.cli import main
from ecavg_tf.core.messages.mailbox import Mailbox
from server.carrying.certificates import make_authority, make_server


def test_it_prints_links_serves_there_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    exchange = tmp_path / "exchange"
    Mailbox(exchange / "north edge").send(asked())
    command = [sys.executable, "-m", "ecavg_tf", "web", "--exchange=exchange", "--port=0"]
    command += ["--edges=north edge,south"]
    keys = []
    for _ in range(2):
        with subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as it:
            assert it.stdout is not None
            lines = [it.stdout.readline() for _ in range(3)]
            try:
                found = re.fullmatch(
                    r"north edge: (http://127\.0\.0\.1:\d+)/#edge=north%20edge&key=([\w-]{43})\n",
                    lines[0],
                )
                assert found is not None, lines
                assert lines[1].startswith("south: http://127.0.0.1:")
                assert lines[2].endswith("Ctrl-C ends it.\n")
                with urllib.request.urlopen(f"{found[1]}/", timeout=10) as answer:
                    assert b"<title>Take part</title>" in answer.read()
                asker = Asker("north edge", found[2], found[1])
                assert asker.waiting().startswith("0001-exchange-")
                assert asker("/worker.js").status == asker("/files.js").status == 200
            finally:
                it.send_signal(signal.SIGINT)
                rest, errors = it.communicate(timeout=30)
        assert (it.returncode, errors) == (0, "")
        assert rest.strip() == "ended; the same command goes on with the same links"
        keys.append(found[2])
    assert keys[0] == keys[1]
    assert (tmp_path / "exchange-web" / "keys.json").exists()
    assert keys[0] not in "".join(path.read_text() for path in exchange.rglob("*.json"))


def test_on_a_terminal_it_shows_a_code_for_phones(tmp_path: Path) -> None:
    Mailbox(tmp_path / "exchange" / "north")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "ecavg_tf", "web", "--exchange=exchange", "--port=0"]
    with subprocess.Popen(
        [*command, "--edges=north"], cwd=tmp_path, stdout=theirs, stderr=theirs
    ) as it:
        os.close(theirs)
        said = ""
        while "Ctrl-C ends it" not in said:
            said += os.read(ours, 4096).decode(errors="replace")
        it.send_signal(signal.SIGINT)
        assert it.wait(30) == 0
    os.close(ours)
    assert said.count("█") > 200


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ([], 2, "--exchange=DIR and --edges=NAMES are needed"),
        (["--exchange=exchange"], 2, "--edges=NAMES"),
        (["--exchange=exchange", "--edges=north,../x"], 2, "is no name of an edge"),
        (["--exchange=none/there", "--edges=north"], 2, "is not there; mend its name"),
        (["--exchange=exchange", "--edges=nroth"], 2, "no edge 'nroth' in the run of"),
        (["--exchange=exchange", "--edges=north", "--host=0.0.0.0"], 2, "needs TLS"),
        (["--exchange=exchange", "--edges=north", "--port=70000"], 2, "port"),
        (["--exchange=exchange", "--edges=north", "--certs=empty"], 2, "has no server.pem"),
        (["--exchange=exchange", "--edges=north", "--certs=late"], 2, "has expired on"),
        (["--exchange=exchange", "--edges=north", "--state=exchange/keys"], 2, "give another one"),
        *(
            (["--exchange=exchange", "--edges=north", f"--address={bad}"], 2, "is no address")
            for bad in (
                *("http://x.org", "https://x.org:99999", "https://x.org:0", "https://[::1"),
                *("https://u:p@x.org", "https://x.org?a=1", "https://x.org#a", "https://a b"),
            )
        ),
        (
            ["--exchange=exchange", "--edges=north", "--host=192.0.2.1", "--certs=good"],
            2,
            "be used",
        ),
        (["--exchange=exchange", "--edges=north", "--egdes=x"], 2, "did you mean '--edges'?"),
        (["--exchange=exchange", "--edges=north", "--state=open"], 4, "chmod 600"),
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
    Mailbox(tmp_path / "exchange" / "north")
    (tmp_path / "exchange" / "run.json").write_text(json.dumps({"run_id": "a"}))
    (tmp_path / "empty").mkdir()
    for name, days in (("good", 9), ("late", -1)):
        make_authority(tmp_path / name)
        make_server(tmp_path / name, ["learn.example.org"], days)
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "keys.json").write_text("{}")
    (tmp_path / "open" / "keys.json").chmod(0o644)
    assert main(["web", *given]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("ecavg: ")
    assert said in line
