"""Pictures: of any run and of any names, the same each time."""

from dataclasses import replace

import pytest

from ecavg_tf.report import plots
from ecavg_tf.report.figure import LIGHT, NARROW, render
from ecavg_tf.results import RunResults


@pytest.mark.parametrize(
    "names", [["$5 and $x_", "$\\bad$"], ["猫", "犬"], ["a very long name of a class " * 3] * 2]
)
def test_pictures_of_odd_names(results: RunResults, names: list[str]) -> None:
    edges = [replace(edge, edge=f"$_{edge.edge}") for edge in results.rounds[0].edges]
    rounds = tuple(replace(r, edges=tuple(edges)) for r in results.rounds)
    odd = replace(results, classes=tuple(names * 5), rounds=rounds)
    for draw in plots.pictures(odd).values():
        assert render(draw(odd, LIGHT), "png")


def test_pictures_of_a_round_without_edges(results: RunResults) -> None:
    nobody = replace(results, rounds=(replace(results.rounds[0], edges=()),))
    assert list(plots.pictures(nobody)) == ["stages"]
    for draw in plots.pictures(nobody).values():
        assert render(draw(nobody, LIGHT), "png")


def test_pictures_are_the_same_each_time(results: RunResults) -> None:
    for draw in plots.pictures(results).values():
        for kind in ("svg", "png"):
            first, second = (render(draw(results, NARROW), kind) for _ in range(2))
            assert first == second


@pytest.mark.parametrize("edges", [1, 13, 45])
def test_pictures_of_few_and_of_many_edges(results: RunResults, edges: int) -> None:
    template = results.rounds[0].edges[0]
    many = tuple(replace(template, edge=f"edge-{n:02d}") for n in range(edges))
    wide = replace(results, rounds=tuple(replace(r, edges=many) for r in results.rounds))
    for draw in plots.pictures(wide).values():
        assert render(draw(wide, LIGHT), "png")
