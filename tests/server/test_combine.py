"""Rules that combine updates: what they return is checked, and how they weighed is known."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecavg_tf.config import ServerConfig, Weighting
from ecavg_tf.core.errors import RoundError
from ecavg_tf.core.messages.update_file import Update, UpdateInfo, write_update
from ecavg_tf.core.template import Array, Role, Template, WeightSpec
from server.combine import COMBINES, Combined, combine, label_mix

TEMPLATE = Template((WeightSpec("kernel", (2,), "float32", Role.TRAINABLE),))
BASE = [np.array([9.0, 9.0], np.float32)]


@pytest.fixture
def updates(tmp_path: Path) -> list[Update]:
    """Edge a has 6 and 2 examples of two classes, edge b has 0 and 8."""
    made = []
    for edge, counts, kernel in (("a", (6, 2), [0.0, 4.0]), ("b", (0, 8), [8.0, 0.0])):
        info = UpdateInfo(1, edge, sum(counts), counts, TEMPLATE.sha256, {})
        write_update(tmp_path / edge, info, {"kernel": np.array(kernel, np.float32)})
        made.append(Update(tmp_path / edge))
    return made


def returning(made: Any, monkeypatch: pytest.MonkeyPatch) -> ServerConfig:
    """Settings whose rule returns ``made``."""

    def rule(
        updates: Sequence[Update], template: Template, base: Sequence[Array], config: ServerConfig
    ) -> Any:
        del updates, template, base, config
        return made

    monkeypatch.setitem(COMBINES, "mine", rule)
    return ServerConfig(combine="mine")


def test_the_average_tells_what_each_edge_weighs(updates: list[Update]) -> None:
    combined = combine(updates, TEMPLATE, BASE, ServerConfig())
    np.testing.assert_array_equal(combined.weights[0], [4.0, 2.0])
    assert combined.shares == [8.0, 8.0]
    uniform = combine(updates, TEMPLATE, BASE, ServerConfig(weighting=Weighting.UNIFORM))
    assert uniform.shares == [1.0, 1.0]


def test_leaving_the_updates_out_tells_nothing(updates: list[Update]) -> None:
    combined = combine(updates, TEMPLATE, BASE, ServerConfig(combine="start"))
    np.testing.assert_array_equal(combined.weights[0], BASE[0])
    assert label_mix(updates, combined.shares) is None


@pytest.mark.parametrize(
    ("shares", "mix"),
    [
        ([8.0, 8.0], (6.0, 10.0)),  # the counts themselves
        ([1.0, 3.0], (3.0, 13.0)),  # 16 examples: 1/4 of (3/4, 1/4) and 3/4 of (0, 1)
        ([1.0, 0.0], (12.0, 4.0)),
    ],
)
def test_the_label_mix_follows_the_shares(
    updates: list[Update], shares: list[float], mix: tuple[float, ...]
) -> None:
    assert label_mix(updates, shares) == mix


@pytest.mark.parametrize("shares", [None, (1, 3), np.array([0.0, 2.0])])
def test_a_rule_of_ones_own_may_tell_its_shares(
    updates: list[Update], monkeypatch: pytest.MonkeyPatch, shares: Any
) -> None:
    made = Combined(BASE, shares)
    combined = combine(updates, TEMPLATE, BASE, returning(made, monkeypatch))
    assert combined.shares == (None if shares is None else [float(share) for share in shares])
    np.testing.assert_array_equal(combined.weights[0], BASE[0])


@pytest.mark.parametrize(
    "shares", [[], [1.0], [1.0, -1.0], [0.0, 0.0], [1.0, float("nan")], [1.0, float("inf")]]
)
def test_shares_that_are_none_are_refused(
    updates: list[Update], monkeypatch: pytest.MonkeyPatch, shares: list[float]
) -> None:
    config = returning(Combined(BASE, shares), monkeypatch)
    with pytest.raises(RoundError, match=r"'mine' returned the shares .* of 2 updates; expected"):
        combine(updates, TEMPLATE, BASE, config)


def test_a_registered_rule_is_checked_against_the_template(
    updates: list[Update], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RoundError, match="'mine' returned 2 arrays that are not the template's 1"):
        combine(updates, TEMPLATE, BASE, returning(BASE * 2, monkeypatch))
