"""The ServerApp: plays a run's rounds while a courier carries the letters."""

import contextlib
import os
import shlex
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flwr.serverapp import ServerApp

from ecavg_tf.core.errors import ECAvgError
from ecavg_tf.core.files import write_json
from server.carrying.courier import Courier
from server.carrying.grid import GridPost


def main(grid: Any, context: Any) -> None:
    """Plays a run: ``ecavg run`` with the arguments that the run config names.

    Raises:
        ECAvgError: the run failed, and so Flower says that it failed.
    """
    config = {name: str(value) for name, value in context.run_config.items()}
    os.chdir(config["folder"] or ".")
    outcome = config["outcome"]
    code, error = 1, ""
    try:
        with _said(outcome):
            code = _played(GridPost(grid), shlex.split(config["run"]))
    except ECAvgError as raised:
        code, error = raised.exit_code, str(raised)
        raise
    except BaseException as raised:
        error = f"{type(raised).__name__}: {raised}"
        raise
    finally:
        if outcome:
            with contextlib.suppress(OSError):  # nobody listens any more
                write_json(Path(outcome), {"exit_code": code, "error": error})
    if code:
        raise RuntimeError(f"the run ended with code {code}")


@contextlib.contextmanager
def _said(outcome: str) -> Iterator[None]:
    """Lets ``ecavg run`` read what is printed; without it, Flower's own log has it."""
    if not outcome:
        yield
        return
    with (
        Path(outcome).with_suffix(".log").open("a", encoding="utf-8", buffering=1) as told,
        contextlib.redirect_stdout(told),
    ):
        yield


def _played(post: GridPost, arguments: list[str]) -> int:
    from ecavg_tf.cli.run import carried  # the only way up from here: a command line, too

    stop = threading.Event()
    threads: list[threading.Thread] = []

    def carry(exchange: Path, listener: Any) -> None:
        courier = Courier(post, exchange, listener)
        threads.append(threading.Thread(target=courier.run, args=(stop,), daemon=True))
        threads[-1].start()

    try:
        return carried(arguments, carry)
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=30)


app = ServerApp()
app.main()(main)
