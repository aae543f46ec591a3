"""What is said of noised updates."""

from dataclasses import replace
from typing import Any

import pytest
from screen_for_tests import TEMPLATE

from ecavg_tf.config import Config, with_fields
from ecavg_tf.core.errors import ConfigError
from ecavg_tf.core.findings import Privacy
from ecavg_tf.core.template import Template
from ecavg_tf.results import RoundResult, Samples, ServerResult, ServerScore
from ecavg_tf.rounds.spending import not_protected, privacy_of, spent


def noisy(**more: Any) -> Config:
    return with_fields(Config(), {"edge.dp_clip": 1.0, "edge.dp_noise_multiplier": 2.0, **more})


def test_the_edge_that_was_asked_most_often_counts() -> None:
    none = ServerScore(None)
    server = ServerResult(none, none, none)
    first = RoundResult(1, ("a", "b"), 0, Samples(0, 0), {}, server, (), ())
    second = replace(first, round=2, participants=("b",))
    assert privacy_of(Config(), [first], ("a",)) is None
    found = privacy_of(noisy(), [first, second, replace(second, round=3)], ("b",))
    assert found == Privacy(pytest.approx(4.37717810, abs=1e-7), 1e-5, 4)
    assert found is not None
    assert spent(found) == (
        "the updates that an edge has sent by now (4 at most) are together (4.38, "
        "1e-05)-differentially private for all its data"
    )


def test_what_noise_cant_hide_is_told() -> None:
    plain = Template(TEMPLATE.weights[:1])
    folder = {"fleet.kind": "folder", "fleet.folder": "x"}
    assert list(not_protected(Config(), TEMPLATE)) == []
    assert list(not_protected(noisy(**folder, **{"server.pool": False}), plain)) == []
    (pools, simulates) = not_protected(noisy(), TEMPLATE)
    assert "edges pool their examples as they are" in pools
    assert "hides nothing" in simulates
    (still,) = not_protected(noisy(**folder, **{"server.pool": False}), TEMPLATE)
    assert "they stay those of the start" in still


def test_noise_without_a_clip_has_no_unit() -> None:
    with pytest.raises(ConfigError, match=r"in units of edge.dp_clip, which is 0; set"):
        with_fields(Config(), {"edge.dp_noise_multiplier": 1.0})
    with pytest.raises(ConfigError, match=r"dp_delta is 1.0; it must be above 0 and below 1"):
        noisy(**{"edge.dp_delta": 1.0})
