"""Run directories and edges' folders, damaged or made by somebody else."""

import contextlib
import io
import json
import random
from pathlib import Path
from typing import Any

import jinja2
from fuzz_mutations import Mutate, mutated_json
from fuzz_trees import lay_out, mutated_tree, unpacked
from rich.console import Console

from ecavg_tf import environment
from ecavg_tf.core.errors import disk_errors
from ecavg_tf.core.template import Template
from ecavg_tf.data.pooled import bytes_taken, still_pooled
from ecavg_tf.data.server_data import kept_spec
from ecavg_tf.report import exports as export_tables
from ecavg_tf.report.compare import comparison
from ecavg_tf.report.page import html
from ecavg_tf.report.showing import showing
from ecavg_tf.report.tables import tables
from ecavg_tf.results import RunResults, load_results
from ecavg_tf.resuming import stored_config
from ecavg_tf.rounds.joined_task import JoinedTask
from ecavg_tf.rundir import RunDirectory
from edge.participating.store import EdgeStore, has_answered
from export.delivering.earlier_files import earlier_names

RUN, RUN_ID = "run", "0" * 32
_SHOWN: set[int] = set()  # hashes of results


def mutated(data: bytes, rng: random.Random, mutate: Mutate) -> bytes:
    """A file of it changed, gone, or no file."""

    def change(name: str, content: bytes) -> bytes:
        as_json = name.endswith(".json") and rng.randrange(8)
        return mutated_json(content, rng) if as_json else mutate(content)

    return mutated_tree(data, rng, change)


def lay(place: Path, data: bytes) -> None:
    """The directory."""
    lay_out(place / RUN, unpacked(data))


def as_run_to_go_on(place: Path) -> None:
    """``ecavg run`` on it."""
    path = place / RUN
    config = stored_config(path)
    directory = RunDirectory(path, config)
    directory.finished()
    with disk_errors(path), contextlib.closing(directory):  # as a run does
        directory.open()
        directory.template(Template(()))
        rounds = directory.rounds()
        for number in range(1, len(rounds) + 2):
            bytes_taken(directory.pooled, number)
        still_pooled(directory.pooled, ("edge-00", "edge-01"))
        kept_spec(path)
        directory.write_results("interrupted", ("a", "b"))


def as_results(place: Path) -> None:
    """``ecavg report`` on it."""
    results = load_results(place / RUN)
    if (known := hash(repr(results))) in _SHOWN:  # drawing tables takes long
        return
    _SHOWN.add(known)
    with showing(place / RUN):
        _draw(results)


def _draw(results: RunResults) -> None:
    console = Console(width=100, file=io.StringIO())
    console.print(tables(results))
    console.print(comparison([("one", results)]))
    console.print(export_tables.exports_table(results.exports, export_tables.FULL))
    for said in export_tables.notes(results.exports):
        console.print(said, markup=False)
    html(results, [])


def as_edge(place: Path) -> None:
    """What an edge keeps of a run."""
    folder = place / RUN / "edges" / "edge-00"
    has_answered(folder, RUN_ID)
    store = EdgeStore(folder, "edge-00", RUN_ID)
    store.finished(2)
    store.reply(2, _start_of(folder / "reply-0002.json"))
    store.last_update(9)


def _start_of(reply: Path) -> str | None:
    """The start model that a reply names: another one is refused before the rest is read."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        if reply.is_file():
            start: str | None = json.loads(reply.read_bytes())["start_sha256"]
            return start
    return None


def as_joined(place: Path) -> None:
    """What an edge keeps of the task of a run that it joined."""
    JoinedTask.load(place / RUN / "edges" / "edge-00")


def as_exports(place: Path) -> None:
    """What an export finds of an earlier one."""
    for folder in ("edge-00", "global"):
        earlier_names(place / RUN / "exports" / folder)


def described() -> dict[str, object]:
    """An environment that needs no TensorFlow."""
    return {"run_id": RUN_ID, "python": "3.11", "variables": {}, "packages": {}}


def prepare() -> None:
    """Leaves out what takes long: TensorFlow, and the page's template but once."""
    environment.describe = described
    compiled: dict[str, Any] = {}
    compile_: Any = jinja2.Environment.compile

    def once(self: jinja2.Environment, source: str) -> Any:
        if source not in compiled:
            compiled[source] = compile_(self, source)
        return compiled[source]

    jinja2.Environment.compile = once


READERS = (as_run_to_go_on, as_results, as_edge, as_joined, as_exports)
