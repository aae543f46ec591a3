import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from export import child_process
from export.child_process import ChildFault, ChildProcess, End, home_of

_CHILD = """
import json, os, sys, time
for line in sys.stdin:
    request = json.loads(line)
    if "print" in request: print(request["print"], file=sys.stderr, flush=True)
    if "signal" in request: os.kill(os.getpid(), request["signal"])
    if "sleep" in request: time.sleep(request["sleep"])
    if "take" in request: held = bytearray(request["take"]); time.sleep(60)
    if "exit" in request: sys.exit(request["exit"])
    answer = {"error": "no"} if "refuse" in request else {"pid": os.getpid()}
    print(json.dumps(answer), flush=True)
"""


@pytest.fixture
def child():
    made = ChildProcess([sys.executable, "-c", _CHILD])
    yield made
    made.stop()


def test_the_child_is_kept_between_requests(child):
    assert child.ask({}, 60)["pid"] == child.ask({"print": "heard"}, 60)["pid"] == child.pid
    assert child.log == "heard\n"


def test_a_refusal_leaves_it_running(child):
    with pytest.raises(ChildFault, match="no") as told:
        child.ask({"refuse": True}, 60)
    assert told.value.end is None
    assert child.pid is not None


@pytest.mark.parametrize(
    ("request_", "said", "end"),
    [
        ({"signal": signal.SIGSEGV}, "its process ended by signal 11", End.CRASHED),
        ({"signal": signal.SIGKILL}, "signal 9 .the system does so when memory runs", End.KILLED),
        ({"print": "why", "exit": 3}, r"exit code 3 \(why\)", End.CRASHED),
        ({"sleep": 60}, "no answer within 0.5 seconds", End.TOO_SLOW),
    ],
)
def test_what_ends_the_child_is_told_and_the_next_request_starts_another(
    child, request_, said, end
):
    child.ask({}, 60)
    with pytest.raises(ChildFault, match=said) as told:
        child.ask(request_, 0.5)
    assert told.value.end is end
    assert child.ask({}, 60)["pid"] == child.pid


def test_a_child_that_died_while_nobody_asked_is_started_again(child):
    first = child.ask({}, 60)["pid"]
    os.kill(first, signal.SIGKILL)
    time.sleep(0.1)
    assert child.ask({}, 60)["pid"] != first


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux'")
def test_a_child_that_takes_too_much_memory_is_stopped(child, monkeypatch):
    child.ask({}, 60)
    monkeypatch.setattr(child_process, "memory_limit", lambda _: 2**27)
    with pytest.raises(ChildFault, match=r"more than 0\.1 GiB of memory") as told:
        child.ask({"take": 2**28}, 60)
    assert told.value.end is End.TOO_LARGE


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="macOS has no such signal")
def test_a_child_that_hangs_dies_with_a_killed_parent(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(
        "import sys\n"
        "from export.child_process import ChildProcess\n"
        f"child = ChildProcess([sys.executable, '-c', {_CHILD!r}])\n"
        "print(child.ask({}, 60)['pid'], flush=True)\n"
        "child.ask({'sleep': 60}, 60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": home_of(child_process.__file__)},
    )
    assert parent.stdout is not None
    number = int(parent.stdout.readline())
    time.sleep(0.2)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(50):
        if _gone(number):
            return
        time.sleep(0.1)
    os.kill(number, signal.SIGKILL)
    pytest.fail("the child outlived its parent")


def _gone(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True
