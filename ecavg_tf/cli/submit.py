"""Hands a run to Flower's SuperLink on this machine, and shows how it goes."""

import contextlib
import json
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import server.carrying
from ecavg_tf.core.commands import interrupted_code
from ecavg_tf.core.errors import ECAvgError, RoundError
from ecavg_tf.core.files import write_text
from ecavg_tf.core.flower import check_flower, program, shown
from server.carrying.superlink import CONNECTION, Question, check_served, flwr, home_of

APP = Path(server.carrying.__file__).parent / "app"
_POLL_S = 1.0
_STATUS_S = 10.0  # between two questions, each of which is a process of Flower's
_PATIENCE_S = 120.0  # without an answer of the SuperLink, which is started again when it dies


def submit(argv: Sequence[str], state: Path) -> int:
    """Has a run played by the SuperLink, streams its lines, and ends as the run does.

    Args:
        argv: the arguments of ``ecavg run``.
        state: the ``--state`` of ``ecavg serve``.

    Returns:
        The exit code of the run.

    Raises:
        RoundError: Flower does not take it, or stops it.
    """
    check_flower()
    check_served(state)
    home = home_of(state)
    with tempfile.TemporaryDirectory(prefix="ecavg-") as name:
        folder = Path(name)
        job, outcome = folder / "job.toml", folder / "outcome.json"
        lines = {"run": shlex.join(argv), "folder": str(Path.cwd()), "outcome": str(outcome)}
        write_text(job, "".join(f"{key} = {json.dumps(lines[key])}\n" for key in lines))
        words = ["run", str(APP), CONNECTION, "--run-config", str(job)]
        print(f"hands the run to Flower; by hand:\n  {shown([program('flwr'), *words], home)}")
        number = str(flwr(home, words).get("run-id"))
        print(f"Flower's run {number}; its log: flwr log {number} {CONNECTION}", flush=True)
        try:
            return _followed(home, number, outcome)
        except KeyboardInterrupt as error:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            with contextlib.suppress(ECAvgError):
                flwr(home, ["stop", number, CONNECTION])
            again = shlex.join(["ecavg", "run", *argv])
            print(f"\ninterrupted; finished rounds are kept. To go on:\n  {again}", file=sys.stderr)
            return interrupted_code(error)


def _followed(home: Path, number: str, outcome: Path) -> int:
    """Prints what the run says until it is over."""
    told = outcome.with_suffix(".log")
    at, over = 0, ""
    watch = _Watch(home, number)
    try:
        while True:
            at = _print_from(told, at)
            if outcome.exists():
                _print_from(told, at)
                ended = json.loads(outcome.read_text())
                if ended["error"]:
                    print(f"ecavg: {ended['error']}", file=sys.stderr)
                return int(ended["exit_code"])
            if over:
                raise RoundError(
                    f"Flower's run {number} ended ({over}) before it could say why; see 'flwr log "
                    f"{number} {CONNECTION}'; finished rounds are kept, and the same command goes "
                    "on"
                )
            over = watch.look()
            time.sleep(_POLL_S)
    finally:
        watch.stop()


class _Watch:
    """Asks Flower now and then how a run is; what the run says is printed meanwhile."""

    def __init__(self, home: Path, number: str) -> None:
        self._home = home
        self._words = ["ls", CONNECTION, "--run-id", number]
        self._question: Question | None = None
        self._next = 0.0
        self._heard = time.monotonic()

    def look(self) -> str:
        """How the run ended; empty: it goes on, as far as is known.

        Raises:
            RoundError: nothing was heard for long.
        """
        if self._question is None:
            if time.monotonic() >= self._next:
                self._question = Question(self._home, self._words)
            return ""
        if not self._question.is_answered():
            return ""
        question, self._question = self._question, None
        self._next = time.monotonic() + _STATUS_S
        try:
            runs = question.answer().get("runs", ())
        except RoundError as error:
            if time.monotonic() - self._heard > _PATIENCE_S:
                raise RoundError(
                    f"the server does not answer any more ({error}); is 'ecavg serve' up? "
                    "Finished rounds are kept, and the same command goes on"
                ) from error
            return ""
        self._heard = time.monotonic()
        status = str(runs[0].get("status")) if runs else "unknown"
        return status if status.startswith("finished") else ""

    def stop(self) -> None:
        """Asks no more."""
        if self._question is not None:
            self._question.drop()


def _print_from(path: Path, at: int) -> int:
    """Prints what was written behind a place; gives the place behind it."""
    if not path.exists():
        return at
    with path.open("rb") as stream:
        stream.seek(at)
        text = stream.read()
    sys.stdout.write(text.decode("utf-8", "replace"))
    sys.stdout.flush()
    return at + len(text)
