"""SIGTERM and SIGHUP end a program as Ctrl-C does; whoever waits sees which it was."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from ecavg_tf.core.commands import exit_code_of


@pytest.fixture(autouse=True)
def as_in_a_terminal() -> Iterator[None]:
    """Started by nohup or in the background, a process is told to ignore some signals."""
    handlers = {signal.SIGHUP: signal.SIG_DFL, signal.SIGINT: signal.default_int_handler}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def stopped_by(number: int) -> int:
    def command() -> int:
        os.kill(os.getpid(), number)
        time.sleep(5)  # cut short by the signal
        return 0

    return exit_code_of(command, "ecavg")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]
)
def test_the_exit_code_is_what_a_shell_says(
    number: int, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert stopped_by(number) == code
    assert capsys.readouterr().err == "\necavg: interrupted; the same command goes on.\n"


TWICE = """
import atexit, os, signal, sys, time
from ecavg_tf.core.commands import ending, exit_code_of

def command():
    os.kill(os.getpid(), {number})
    time.sleep(5)

atexit.register(os.kill, os.getpid(), {number})  # while the process is ending
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(ending(exit_code_of(command, "ecavg")))
"""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]
)
def test_a_second_signal_changes_nothing_while_the_process_ends(number: int, code: int) -> None:
    script = [sys.executable, "-c", TWICE.format(number=int(number))]
    ended = subprocess.run(script, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == code
    assert ended.stderr == "\necavg: interrupted; the same command goes on.\n"


def kills_itself(number: int) -> int:
    os.kill(os.getpid(), number)
    return 0


def test_a_program_that_calls_a_command_keeps_its_own_handlers() -> None:
    assert stopped_by(signal.SIGTERM) == 143
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    seen: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: seen.append(number))
    try:
        assert exit_code_of(lambda: kills_itself(signal.SIGTERM), "ecavg") == 0
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert seen == [signal.SIGTERM]


def test_nohup_is_respected() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert exit_code_of(lambda: kills_itself(signal.SIGHUP), "ecavg") == 0
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def test_outside_of_the_main_thread_signals_are_left_alone() -> None:
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(exit_code_of(lambda: 0, "ecavg")))
    thread.start()
    thread.join()
    assert codes == [0]
