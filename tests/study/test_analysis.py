"""Means, intervals and pairs, against numbers computed by hand."""

from typing import Any

import pytest

from ecavg_tf.study.analysis import (
    Cells,
    Setting,
    interval,
    own,
    samples,
    server,
    significantly_below,
)
from ecavg_tf.study.tables import signed, tables

HERE = Setting("iid", "shared", 2, 0.1)


def cell(
    arm: str, seed: int, accuracy: float, *, pool: float | None = 0.1, losses: int = 0
) -> dict[str, Any]:
    against = {"wins": 0, "losses": losses, "n": 9}
    edges = [
        {
            "edge": f"edge-0{at}",
            "takes": "global",
            "own": {"alone": {"accuracy": 0.5}, "accepted": {"accuracy": accuracy + at / 10}},
            "against_alone": {"accepted": against},
        }
        for at in range(2)
    ]
    where = {"seed": seed, "split": "iid", "start": "shared", "edges": 2, "pool": pool, "arm": arm}
    counts = {"edges": 100, "server": 30, "path": 80, "deciding": 9, "tuning": 0}
    scored = {"accuracy": accuracy, "loss": 1.0}
    return {"cell": where, "server": scored, "edges": edges, "samples": counts, "choice": None}


def test_the_interval_is_students() -> None:
    found = interval([1.0, 2.0, 3.0])
    assert found is not None
    assert found.mean == 2
    # The standard deviation is 1, and t of 2 degrees of freedom has its 97.5 % quantile at 4.3027.
    assert found.half == pytest.approx(4.3027 / 3**0.5, abs=1e-4)
    assert not found.above
    tight = interval([1.0, 1.1, 1.2])
    assert tight is not None
    assert tight.above
    assert not tight.below


def test_one_seed_has_no_interval_and_none_has_nothing() -> None:
    found = interval([1.5])
    assert found is not None
    assert found.half is None
    assert not found.above
    assert signed(found) == "+1.50 (one seed)"
    assert interval([]) is None
    assert signed(None) == "–"


def test_differences_are_taken_within_seeds_that_both_have() -> None:
    cells = Cells(
        [
            cell("ours", 0, 0.60),
            cell("ours", 1, 0.90),
            cell("ours", 2, 0.10),
            # Without a pool it belongs to every share of one.
            cell("fedavg", 0, 0.50, pool=None),
            cell("fedavg", 1, 0.78, pool=None),
        ]
    )
    assert cells.settings == (HERE,)
    found = cells.difference(HERE, "ours", "fedavg", server)
    assert found is not None
    assert found.values == pytest.approx((10, 12))
    assert found.mean == pytest.approx(11)
    assert found.half == pytest.approx(12.7062, abs=1e-3)  # t of one degree of freedom, times 1
    against_alone = cells.difference(HERE, "ours", "ours", own("accepted"), own("alone"))
    assert against_alone is not None
    assert against_alone.values == pytest.approx((15, 45, -35))  # means over the two edges
    assert signed(found) == "+11.00 (-1.71 … +23.71)"


def test_samples_and_significant_losses_are_counted() -> None:
    cells = [cell("ours", 0, 0.6, losses=5), cell("ours", 1, 0.6, losses=4)]
    assert samples("edges", "server")(cells[0]) == 130
    assert significantly_below(cells, "accepted") == (2, 4)
    assert significantly_below(cells, "prior") == (0, 0)


def test_tables_show_what_there_is() -> None:
    cells = Cells([cell("ours", 0, 0.6), cell("ours", 1, 0.7), cell("start-total", 0, 0.5)])
    gains, arms, guard = tables(cells)
    assert gains.rows == [
        ("iid, shared, 2 edges, 10 % pooled", "2", "50.00", "70.00",
         "+20.00 (-43.53 … +83.53)", "–", "–", "–", "0 of 4"),
    ]  # fmt: skip
    assert [row[:5] for row in arms.rows] == [
        ("10 %", "ours", "2", "65.00", "–"),
        ("10 %", "start-total", "1", "50.00", "+10.00 (one seed)"),
    ]
    assert arms.rows[0][-4:] == ("130", "30", "80", "9")
    assert guard.rows == [("ours", "4", "–", "0 of 4")]
    assert "| 10 % | ours | 2 |" in arms.markdown()
