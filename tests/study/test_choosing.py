"""The choice of the server's learning rate: by several seeds together, resumable, foreseen."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from study_for_tests import RATES, by_arm, study

from ecavg_tf.core.files import read_json, write_json
from ecavg_tf.study.cost import foreseen
from ecavg_tf.study.plan import Grid
from ecavg_tf.study.rates import Trials, Tried, chosen
from ecavg_tf.study.runner import left, planned, run_study


def test_a_rate_that_diverges_is_not_chosen(tmp_path: Path, data: Path) -> None:
    one = replace(study(data, ("ours",)), rates=(1e20, 1.0))
    one.task.server.optimizer = "sgd"
    results = run_study(one, tmp_path / "study", tell=lambda _: None)
    assert by_arm(results)["ours"]["rate"] == 1.0


def trial_of(folder: Path, seed: int) -> Path:
    return folder / "trials" / f"start-server--classes--shared--2e--50p--s{seed}.json"


def test_the_sum_of_all_seeds_chooses(tmp_path: Path, data: Path) -> None:
    """Not the first seed, which here finds the other rate better."""
    one = study(data, ("start-server",))
    many = replace(one, grids=[replace(one.grids[0], seeds=(0, 1))])
    run_study(replace(one, grids=[Grid(("local",))]), tmp_path, tell=lambda _: None)
    for seed, tried in ((0, Tried((-1.0, -1.1), 10, 5)), (1, Tried((-2.0, -1.0), 10, 7))):
        write_json(trial_of(tmp_path, seed), tried.to_json())
    told: list[str] = []
    results = run_study(many, tmp_path, tell=told.append)
    assert [cell["rate"] for cell in results["cells"]] == [3.0, 3.0]
    assert [cell["samples"]["tuning"] for cell in results["cells"]] == [5, 7]
    assert not [line for line in told if line.startswith("rates tried")]


def test_seeds_choose_together_until_enough_examples_have_judged(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = study(data, ("start-server",))
    many = replace(one, grids=[replace(one.grids[0], seeds=(0, 1, 2))])  # 8 examples judge in each
    for enough, seeds in ((16, {0, 1}), (17, {0, 1, 2})):
        monkeypatch.setattr("ecavg_tf.study.choosing.ENOUGH", enough)
        folder, told = tmp_path / str(enough), list[str]()
        results = run_study(many, folder, tell=told.append)
        cells = {cell["cell"]["seed"]: cell for cell in results["cells"]}
        assert {seed for seed, cell in cells.items() if cell["samples"]["tuning"]} == seeds
        found = [Tried.from_json(read_json(path)) for path in (folder / "trials").iterdir()]
        assert {cell["rate"] for cell in cells.values()} == {chosen(found, RATES)}
        assert sum(line.startswith("rates tried: ") for line in told) == len(seeds)


def test_seeds_that_join_later_have_the_rate_of_those_before(tmp_path: Path, data: Path) -> None:
    one = study(data, ("start-server", "alone-longer"))
    (grid,) = one.grids
    late = replace(one, grids=[replace(grid, seeds=(1,))])
    run_study(late, tmp_path / "study", tell=lambda _: None)
    tuned = tmp_path / "study" / "cells" / "start-server--classes--shared--2e--50p--s1.json"
    tuned.write_text(json.dumps(json.loads(tuned.read_text()) | {"rate": 2.0}))
    both = replace(one, grids=[replace(grid, seeds=(0, 1))])
    results = run_study(both, tmp_path / "study", tell=lambda _: None)
    rates = {(c["cell"]["arm"], c["cell"]["seed"]): c["rate"] for c in results["cells"]}
    assert rates["start-server", 0] == 2.0
    assert rates["alone-longer", 0] == 1.0  # it has no pool to choose by
    assert not trial_of(tmp_path / "study", 0).exists()


def test_a_cell_that_diverged_chose_no_rate(tmp_path: Path, data: Path) -> None:
    one = study(data, ("start-server",))
    diverged = tmp_path / "cells" / "start-server--classes--shared--2e--50p--s1.json"
    run_study(replace(one, grids=[Grid(("local",))]), tmp_path, tell=lambda _: None)
    cell = {"seed": 1, "split": "classes", "start": "shared", "edges": 2, "pool": 0.5}
    write_json(diverged, {"cell": {**cell, "arm": "start-server"}, "rate": 7.0, "diverged": "NaN"})
    both = replace(one, grids=[replace(one.grids[0], seeds=(0, 1))])
    (made,) = run_study(both, tmp_path, tell=lambda _: None)["cells"]
    assert made["rate"] in RATES


def test_an_interrupted_choice_goes_on(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = study(data, ("start-server",))
    many = replace(one, grids=[replace(one.grids[0], seeds=(0, 1))])
    tried, real = [], Trials.tried

    def interrupted(*given: Any) -> Tried:
        tried.append(given)
        if len(tried) == 2:
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(Trials, "tried", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_study(many, tmp_path, tell=lambda _: None)
    first = trial_of(tmp_path, 0).read_bytes()
    assert not trial_of(tmp_path, 1).exists()
    results = run_study(many, tmp_path, tell=lambda _: None)
    assert len(tried) == 3
    assert trial_of(tmp_path, 0).read_bytes() == first
    assert results["status"] == "finished"


def test_the_cost_counts_the_trials_that_are_left(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = study(data, ("start-server",))
    many = replace(one, grids=[replace(one.grids[0], seeds=(0, 1))])
    fine_tuned = 2 * 2 * 80  # rounds, epochs, pooled examples: half of 160

    def trained() -> int:
        cells = left(planned(many), tmp_path)
        return foreseen(many, cells, tmp_path)[-1].trained

    assert trained() == 2 * 3 * fine_tuned  # two seeds, each of which tries two rates
    monkeypatch.setattr("ecavg_tf.study.choosing.ENOUGH", 8)
    assert trained() == (3 + 1) * fine_tuned  # the first seed's 8 examples are enough
    run_study(one, tmp_path, tell=lambda _: None)
    monkeypatch.undo()
    assert trained() == fine_tuned  # a seed that joins has the rate of those before
