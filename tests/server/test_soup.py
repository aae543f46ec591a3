"""The greedy soup: of models that are one number each, judged by how near they are to a target."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from updates_for_tests import INFO

from ecavg_tf.core.messages.update_file import Update, write_update
from ecavg_tf.core.template import Array, Role, Template, WeightSpec
from server.soup import SOUP, Soup, greedy_soup

TEMPLATE = Template(
    (
        WeightSpec("w", (1,), "float32", Role.TRAINABLE),
        WeightSpec("seed", (2,), "uint32", Role.STATE),
    )
)
BASE = [np.zeros(1, np.float32), np.array([7, 8], np.uint32)]


def cooked(folder: Path, models: Sequence[float], target: float) -> tuple[Soup, list[float]]:
    """The soup, and the means that were tried."""
    updates, tried = [], []
    for at, value in enumerate(models):
        path = folder / f"{at}.safetensors"
        info = replace(INFO, edge=f"edge-{at:02}", template_sha256=TEMPLATE.sha256)
        named = {"w": np.array([value], np.float32), "seed": np.array([at, at], np.uint32)}
        write_update(path, info, named)
        updates.append(Update(path))

    def judge(weights: Sequence[Array]) -> float:
        return -((float(weights[0][0]) - target) ** 2)

    def recalibrated(weights: Sequence[Array]) -> Sequence[Array]:
        tried.append(float(weights[0][0]))
        return weights

    return greedy_soup(updates, TEMPLATE, BASE, judge=judge, recalibrated=recalibrated), tried


def test_who_makes_the_mean_no_worse_stays_in_it(tmp_path: Path) -> None:
    soup, tried = cooked(tmp_path, [10.0, 0.0, 3.0, 2.5], target=2.0)
    # Alone: -64, -4, -1, -0.25. Best first: 2.5; with 3: 2.75, worse; with 0: 1.25, worse; with
    # 10: 6.25, worse.
    assert soup.edges == ("edge-03",)
    assert tried == [2.75, 1.25, 6.25]
    soup, tried = cooked(tmp_path, [10.0, 0.0, 3.5], target=2.0)
    # Best first: 3.5 (-2.25); with 0: 1.75 (-0.0625), stays; with 10: 4.5 (-6.25), does not.
    assert soup.edges == ("edge-02", "edge-01")
    assert tried == [1.75, 4.5]
    assert soup.weights[0][0] == 1.75
    np.testing.assert_array_equal(soup.weights[1], BASE[1])  # state is nobody's
    assert soup.scores == {
        "edge edge-00": -64.0, "edge edge-01": -4.0, "edge edge-02": -2.25, SOUP: -0.0625,
    }  # fmt: skip


def test_of_one_edge_it_is_that_edge(tmp_path: Path) -> None:
    soup, tried = cooked(tmp_path, [5.0], target=2.0)
    assert (soup.edges, tried) == (("edge-00",), [])
    assert soup.weights[0][0] == 5.0


@settings(deadline=None)  # files are written
@given(st.lists(st.integers(-20, 20).map(float), min_size=1, max_size=6), st.integers(-20, 20))
def test_it_is_never_worse_than_the_best_model(
    tmp_path_factory: pytest.TempPathFactory, models: list[float], target: int
) -> None:
    soup, _ = cooked(tmp_path_factory.mktemp("soup"), models, float(target))
    best = max(score for name, score in soup.scores.items() if name != SOUP)
    assert soup.scores[SOUP] >= best
    assert len(set(soup.edges)) == len(soup.edges)
    mean = np.mean([models[int(edge[-2:])] for edge in soup.edges])
    assert soup.weights[0][0] == pytest.approx(mean, abs=1e-5)


def test_of_many_edges_only_the_best_are_tried(tmp_path: Path) -> None:
    _, tried = cooked(tmp_path, [float(at) for at in range(40)], target=0.0)
    assert len(tried) == 31
