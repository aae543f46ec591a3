"""The server's choice of what it fine-tunes, without a model: weights are one number."""

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ecavg_tf.config import PoolEpochs, PoolRate, ServerConfig
from ecavg_tf.core.deciding.predictions import Predictions
from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import Examples
from server.choose import AVERAGED, START, Chooser, Chosen
from server.pool_size import for_pool

POOL = Examples(np.arange(1000, dtype=np.float32).reshape(-1, 1), np.arange(1000) % 2)


class FakeTrainer:
    """Moves the number a tenth of the way to 1 in every fit, and remembers what it was asked."""

    def __init__(self) -> None:
        self.fits: list[tuple[float, int]] = []

    def aside(self, settings: ServerConfig) -> "FakeTrainer":
        assert settings.epochs == 1
        assert not settings.callbacks
        return self

    def fit(self, weights: Sequence[Array], examples: Examples, **_: Any) -> list[Array]:
        self.fits.append((float(weights[0][0]), len(examples)))
        return [weights[0] + (1 - weights[0]) / 10]

    def recalibrate(self, weights: Sequence[Array], *_: Any, **__: Any) -> list[Array]:
        return list(weights)


def predict(examples: Examples, weights: Sequence[Array]) -> Predictions:
    """The nearer to 1, the likelier the true class."""
    likelihood = np.clip(1 - abs(1 - float(weights[0][0])) / 2, 0.01, 1)
    n = len(examples)
    return Predictions(np.full(n, np.log(likelihood)), np.ones(n, np.bool_))


def update(edge: str, value: float) -> Any:
    named = [(SimpleNamespace(key="w"), np.array([value], np.float32))]
    info = SimpleNamespace(edge=edge, class_counts=(3, 1), examples=4000)
    return SimpleNamespace(info=info, credit=float(info.examples), items=lambda _: named)


def template() -> Any:
    return SimpleNamespace(listed=lambda named, _: [named["w"]])


def chosen(
    averaged: float, edges: Sequence[float], base: float, *, pool: Examples = POOL,
    random_start: bool = False, **fields: Any,
) -> tuple[Chosen, Chooser, FakeTrainer]:  # fmt: skip
    trainer = FakeTrainer()
    config = replace(ServerConfig(), **fields)
    chooser = Chooser(
        trainer, predict, config, num_classes=2, seed=0, round_number=1  # type: ignore[arg-type]
    )  # fmt: skip
    weights = [[np.array([value], np.float32)] for value in (averaged, base)]
    updates = [update(f"edge-{at:02}", value) for at, value in enumerate(edges)]
    found = chooser.start(
        weights[0], updates, template(), weights[1], pool, random_start=random_start
    )
    return found, chooser, trainer


@pytest.mark.parametrize(
    ("averaged", "edges", "base", "taken"),
    [
        (0.9, (0.5, 0.6), 0.3, AVERAGED),
        (0.2, (0.5, 0.8), 0.3, "edge edge-01"),
        (0.2, (0.1, 0.1), 0.7, START),
        (0.5, (0.5, 0.5), 0.5, AVERAGED),  # a tie
    ],
)
def test_the_best_start_is_taken(
    averaged: float, edges: tuple[float, ...], base: float, taken: str
) -> None:
    found, _, trainer = chosen(averaged, edges, base)
    assert found.record.taken == taken
    assert found.edges == ((taken.removeprefix("edge "),) if taken.startswith("edge") else ())
    expected = {AVERAGED: averaged, START: base, "edge edge-01": edges[1]}[taken]
    assert found.weights[0][0] == pytest.approx(expected)
    assert {size for _, size in trainer.fits} == {900}


def test_what_judges_is_not_trained_on_and_is_the_same_in_every_round() -> None:
    found, _, _ = chosen(0.9, (0.5,), 0.3)
    assert found.held_out is not None
    assert (len(found.held_out), len(found.rest)) == (100, 900)
    assert not set(found.held_out.inputs.ravel()) & set(found.rest.inputs.ravel())
    again, _, _ = chosen(0.1, (0.2,), 0.3)
    assert again.held_out is not None
    np.testing.assert_array_equal(again.held_out.inputs, found.held_out.inputs)


def test_every_example_that_was_looked_at_is_counted() -> None:
    found, chooser, _ = chosen(0.9, (0.5, 0.6), 0.3, probe_examples=200)
    # Two edges are scored; three candidates are fitted, recalibrated and scored.
    assert found.record.processed == 2 * 100 + 3 * (200 + 200 + 100)
    _, record = chooser.end(found, [np.array([0.95], np.float32)])
    assert record.processed == found.record.processed + 900 + 2 * 100


def test_a_fine_tuning_that_went_too_far_ends_in_the_middle() -> None:
    found, chooser, _ = chosen(0.9, (0.5,), 0.3)
    weights, record = chooser.end(found, [np.array([1.4], np.float32)])
    assert record.midpoint
    assert weights[0][0] == pytest.approx(1.15)
    assert set(record.scores) >= {"then tuned", "then midpoint"}
    weights, record = chooser.end(found, [np.array([1.0], np.float32)])
    assert not record.midpoint
    assert weights[0][0] == 1


def test_nobody_is_asked_where_a_probe_misleads_or_knows_nothing() -> None:
    found, chooser, trainer = chosen(0.2, (0.9,), 0.9, random_start=True)
    assert found.record.taken == AVERAGED
    assert "random weights" in (found.record.not_asked or "")
    assert found.rest is POOL  # nothing is held out for nothing
    few = POOL.take(np.arange(400))
    found, chooser, trainer = chosen(0.2, (0.9,), 0.9, pool=few)
    assert "40 examples, and fewer than 50 can't judge" in (found.record.not_asked or "")
    assert not trainer.fits
    tuned = [np.array([9.0], np.float32)]
    assert chooser.end(found, tuned) == (tuned, found.record)


def test_without_fine_tuning_candidates_are_judged_as_they_are() -> None:
    found, _, trainer = chosen(0.2, (0.9,), 0.3, epochs=0, random_start=True)
    assert found.record.taken == "edge edge-00"
    assert not trainer.fits


def test_a_small_pool_has_a_smaller_rate() -> None:
    updates = [update("edge-00", 0.0), update("edge-01", 0.0)]
    config = replace(ServerConfig(), learning_rate=1e-3)
    assert for_pool(config, 80, updates) is config
    config = replace(config, rate_for_pool=PoolRate.ROOT)
    assert for_pool(config, 80, updates).learning_rate == pytest.approx(1e-4)  # sqrt(80 / 8000)
    assert for_pool(config, 9000, updates).learning_rate == 1e-3


def test_a_small_pool_has_more_epochs() -> None:
    updates = [update("edge-00", 0.0), update("edge-01", 0.0)]  # of 8,000 examples
    config = replace(ServerConfig(), epochs=3, epochs_for_pool=PoolEpochs.FULL)
    assert for_pool(config, 1600, updates).epochs == 15
    assert for_pool(config, 1700, updates).epochs == 14  # 24,000 / 1,700 = 14.1
    assert for_pool(config, 9000, updates).epochs == 3
    assert for_pool(replace(config, epochs=0), 1600, updates).epochs == 0


def test_what_an_edge_claims_does_not_keep_the_server_busy_for_ever() -> None:
    honest, liar = update("edge-00", 0.0), update("edge-01", 0.0)
    config = replace(ServerConfig(), epochs=3, epochs_for_pool=PoolEpochs.FULL)
    liar.info.examples, liar.credit = 2**53, 40_000.0  # what the server believes
    assert for_pool(config, 1600, [honest, liar]).epochs == 82  # 3 * 44,000 / 1,600 = 82.5
    liar.credit = 2.0**53  # of a single update it doubts nothing
    assert for_pool(config, 1600, [liar]).epochs == 300
