"""Runs a study, cell by cell: each is written whole or not at all, and never run twice."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from ecavg_tf import environment
from ecavg_tf.config import Config
from ecavg_tf.config.fields import flatten, flatten_dict, to_dict
from ecavg_tf.core.errors import (
    ConfigError,
    DataError,
    DivergedError,
    WorkdirError,
    brief,
    disk_errors,
)
from ecavg_tf.core.files import (
    read_json,
    remove_leftovers,
    write_json,
    write_text,
)
from ecavg_tf.core.locks import lock_folder
from ecavg_tf.core.paths import user_path
from ecavg_tf.core.template import weights_sha256
from ecavg_tf.data.dataset import Examples
from ecavg_tf.data.federated import federated_data
from ecavg_tf.models.builders import gives_logits
from ecavg_tf.results import to_json
from ecavg_tf.study.arms import UNPOOLED, Arm, arm_config, arm_of
from ecavg_tf.study.choosing import Choices
from ecavg_tf.study.deciding import decided
from ecavg_tf.study.desk import Desk
from ecavg_tf.study.ground import Ground, Machine
from ecavg_tf.study.judging import Judge
from ecavg_tf.study.plan import Cell, Study, cells_of, config_of, described
from ecavg_tf.study.rates import Trials, at_rate
from ecavg_tf.study.results import DIVERGED, RESULTS, SCHEMA_VERSION, cell_path, lines_of

_CONFIG = "config.json"
NOT_PLAYED = (  # what 'ecavg run' does with these, a study does not
    *("edges_per_round", "fleet.presence", "edge.dp_clip", "edge.dp_noise_multiplier"),
    *("server.warmup_data", "server.doubtful_labels"),
)
Tell = Callable[[str], None]


def planned(study: Study) -> tuple[Cell, ...]:
    """All cells of a study; what is wrong with any is found before one begins.

    Raises:
        ConfigError: an arm, a split or a field is wrong.
    """
    cells = cells_of(study, UNPOOLED)
    seen: set[tuple[object, ...]] = set()
    for cell in cells:  # thousands, of which few differ in a way that can be wrong
        place = cell.place
        kinds = {(cell.arm, place.start), (place.split, place.start, place.edges, cell.pool)}
        if cell.pool == 0 and arm_of(cell.arm).needs_pool:
            raise ConfigError(
                f"the arm {cell.arm} trains on pooled data, and a grid has it with a pool of 0; "
                "give that pool a grid of its own, without this arm"
            )
        if not kinds <= seen:
            arm_config(study, cell)
            seen |= kinds
    _check_played(study.task)
    return cells


def _check_played(task: Config) -> None:
    """Refuses fields that a study does not play, and that would change its figures."""
    given, usual = dict(flatten(task)), dict(flatten(Config()))
    for name in NOT_PLAYED:
        if given[name] != usual[name]:
            raise ConfigError(
                f"the study's task has {name}={given[name]!r}, and a study can't play that; "
                f"expected {usual[name]!r}"
            )


def run_study(study: Study, workdir: str | Path, *, tell: Tell) -> dict[str, Any]:
    """Runs the cells that are left.

    Args:
        study: the study.
        workdir: its directory. One that holds the same study goes on; the grids may have grown.
        tell: told a line for every trial of rates and every cell.

    Returns:
        What ``WORKDIR/study.json`` holds.

    Raises:
        ECAvgError: with one line that says how to mend it.
    """
    cells = planned(study)
    folder = user_path(workdir)
    with disk_errors(folder):
        try:
            lock = lock_folder(folder)
        except BlockingIOError as error:
            raise WorkdirError(f"another process is running in {folder}") from error
        with lock:
            remove_leftovers(folder, ("cells", "shared", "trials"))
            _check_same(study, folder)
            _run(study, cells, folder, tell)
            return written(study, cells, folder)


def left(cells: Sequence[Cell], folder: Path) -> list[Cell]:
    """The cells that a directory does not hold yet."""
    return [cell for cell in cells if not cell_path(folder, cell).exists()]


def written(study: Study, cells: Sequence[Cell], folder: Path) -> dict[str, Any]:
    """Writes study.json of the cells that are done, and gives it."""
    found = [read_json(path) for cell in cells if (path := cell_path(folder, cell)).exists()]
    results = {
        "schema_version": SCHEMA_VERSION,
        "status": "finished" if len(found) == len(cells) else "interrupted",
        "study": described(study),
        "versions": environment.describe()["packages"],
        "cells": [cell for cell in found if DIVERGED not in cell],
        DIVERGED: [cell for cell in found if DIVERGED in cell],
    }
    write_text(folder / RESULTS, lines_of(results))
    return results


def _check_same(study: Study, folder: Path) -> None:
    """One directory holds cells of one task.

    Raises:
        WorkdirError: it holds those of another, or something else.
    """
    path, now = folder / _CONFIG, described(study)
    asked = {name: value for name, value in now.items() if name in ("task", "rates", "rates_on")}
    if not path.exists():
        strangers = [item.name for item in folder.iterdir() if not item.name.startswith(".")]
        if strangers:
            raise WorkdirError(
                f"{folder} is not empty and holds no study (it holds {min(strangers)!r}); choose "
                "another --workdir"
            )
        write_json(path, asked)
    # A study of an older version lacks fields that have come since: they had their defaults.
    held = flatten_dict({"task": to_dict(Config())}) | flatten_dict(read_json(path))
    asked = flatten_dict(asked)
    other = next((name for name in asked if held.get(name) != asked[name]), None)
    if other == "rates_on":
        raise WorkdirError(
            f"{folder} holds a study of an older version, which chose its rates in another way; "
            "go on with that version, or choose another --workdir"
        )
    if other is not None:
        raise WorkdirError(
            f"{folder} holds a study with {other}={held.get(other)!r}, this one has "
            f"{asked[other]!r}; choose another --workdir"
        )


def _run(study: Study, cells: Sequence[Cell], folder: Path, tell: Tell) -> None:
    machine, choices = Machine(folder), Choices(study, cells, folder)
    _try_rates(study, left(cells, folder), choices, machine, tell)
    count = 0
    for _, group in groupby(cells, key=lambda cell: cell.place):
        here = list(group)
        todo = left(here, folder)
        count += len(here) - len(todo)
        if not todo:
            continue
        ground, test = _ground(study, todo[0], machine)
        judge = Judge(ground, test, logits=gives_logits(study.task.model))
        for cell in todo:
            began = time.monotonic()
            result = _cell(study, cell, ground, judge, choices)
            seconds = time.monotonic() - began
            path = cell_path(folder, cell)
            write_json(path, {"cell": cell.to_json(), **result, "seconds": seconds})
            count += 1
            tell(f"[{count}/{len(cells)}] {cell}: {_outcome(result)} ({seconds:.1f} s)")
        ground.forget()


def _try_rates(
    study: Study, cells: Sequence[Cell], choices: Choices, machine: Machine, tell: Tell
) -> None:
    """Tries the rates wherever cells that are left wait for a choice."""
    for _, group in groupby(cells, key=lambda cell: cell.place):
        wanted = [cell for cell in group if choices.wants(cell)]
        if not wanted:
            continue
        ground, _ = _ground(study, wanted[0], machine)
        trials = Trials(ground)
        for cell in wanted:
            tried = trials.tried(arm_of(cell.arm), arm_config(study, cell), study.rates)
            choices.keep(cell, tried)
            tell(f"rates tried: {cell} ({tried.held_out} held-out examples)")
        trials.forget()


def _ground(study: Study, cell: Cell, machine: Machine) -> tuple[Ground, Examples]:
    """A cell's place, and the test set on which its arms are measured."""
    config = config_of(study, cell)
    data = federated_data(config)
    if not len(data.test):
        raise DataError("a study needs a test set, and the data has none; give it one")
    edges = {name: data.edge(name) for name in data.edges}
    shared = machine.folder / "shared" / replace(cell, pool=None, arm="").name
    return Ground(config, data.spec, edges, machine, shared), data.test


def _cell(
    study: Study, cell: Cell, ground: Ground, judge: Judge, choices: Choices
) -> dict[str, Any]:
    """Makes and measures one arm at the rate that was chosen for it."""
    arm, config, factor = arm_of(cell.arm), arm_config(study, cell), choices.rate(cell)
    pooled = ground.pooled(config)
    try:
        made = _measured(arm, at_rate(config, factor), ground, pooled, judge)
    except DivergedError as error:  # it says something about this arm, and nothing of others
        return {"rate": factor, DIVERGED: brief(error)}
    tuning = choices.tuning(cell)
    return {**made, "samples": {**made["samples"], "tuning": tuning}, "rate": factor}


def _measured(
    arm: Arm, config: Config, ground: Ground, pooled: Examples | None, judge: Judge
) -> dict[str, Any]:
    desk = Desk(ground, config, pooled)
    made = arm.make(desk)
    deployed = decided(desk, made, config.rounds)
    samples = asdict(desk.samples())
    return {
        **judge.measured(made, deployed),
        "samples": samples,
        "choice": None if made.choice is None else to_json(made.choice),
        "weights_sha256": [weights_sha256(weights) for weights in made.members],
    }


def _outcome(result: dict[str, Any]) -> str:
    """The two figures of a cell that are looked at first."""
    if DIVERGED in result:
        return f"diverged: {result[DIVERGED]}"
    words = []
    if result["server"]:
        words.append(f"all {100 * result['server']['accuracy']:.1f} %")
    own = [
        edge["own"]["accepted"]["accuracy"] for edge in result["edges"] if "accepted" in edge["own"]
    ]
    if own:
        words.append(f"own {100 * float(np.mean(own)):.1f} %")
    return ", ".join(words)
