"""Right answers class by class: hand-counted."""

from typing import Any

import numpy as np
import pytest

from ecavg_tf.core.by_class import (
    KEY,
    Compared,
    Hits,
    compared,
    from_evidence,
    hits_of,
    to_evidence,
)

LABELS = np.array([0, 0, 1, 1, 1, 3])
CORRECT = np.array([True, False, True, True, False, True])


def test_right_answers_are_counted_by_class() -> None:
    assert hits_of(LABELS, CORRECT, [1, 1, 1, 1]) == Hits((0, 1, 3), (2, 3, 1), (1, 2, 1))
    assert hits_of(LABELS, CORRECT, [5, 0, 2, 1]) == Hits((0, 3), (2, 1), (1, 1))


def test_two_models_side_by_side() -> None:
    before, after = Hits((0, 1), (2, 3), (1, 3)), Hits((0, 1, 2), (2, 3, 4), (2, 0, 4))
    found = compared(before, after)
    assert found == Compared((0, 1), (2, 3), (1, 3), (2, 0))
    assert from_evidence(to_evidence(found)) == found
    assert to_evidence(compared(Hits(), after)) == {}


@pytest.mark.parametrize(("many", "kept"), [(False, 100), (True, 20)])
def test_of_very_many_classes_those_are_kept_that_changed_most(many: bool, kept: int) -> None:
    classes, n = tuple(range(500)), (9,) * 500
    after = tuple(9 if label >= 495 else 5 if label % 3 else 4 for label in classes)
    found = compared(Hits(classes, n, (5,) * 500), Hits(classes, n, after), many=many)
    assert len(found.classes) == kept
    assert found.classes[-5:] == (495, 496, 497, 498, 499)
    assert list(found.classes) == sorted(found.classes)


@pytest.mark.parametrize(
    "told",
    [
        None,
        [],
        {"classes": [0]},
        {"classes": [0], "n": [2], "local": [1], "accepted": [3]},
        {"classes": [0], "n": [0], "local": [0], "accepted": [0]},
        {"classes": [0, 1], "n": [2], "local": [1], "accepted": [1]},
        {"classes": [0], "n": ["2"], "local": [1], "accepted": [1]},
    ],
)
def test_what_an_edge_says_otherwise_is_passed_over(told: Any) -> None:
    assert from_evidence({KEY: told}) is None
    assert from_evidence({}) is None
