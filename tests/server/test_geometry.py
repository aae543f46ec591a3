"""Updates as vectors: lengths, angles, distances."""

from pathlib import Path

import numpy as np
import pytest
from screen_for_tests import BASE, TEMPLATE, updates

from server.geometry import (
    Matrix,
    cosines_to_the_rest,
    inner_products,
    lengths,
    squared_distances,
    usual_cosines,
)


def test_by_hand(tmp_path: Path) -> None:
    """Changes (1, 0), (0, 2) and (-1, 0) of the start (3, 4)."""
    sent = updates(tmp_path, (4.0, 4.0), (3.0, 6.0), (2.0, 4.0))
    products = inner_products(sent, TEMPLATE, BASE)
    np.testing.assert_allclose(products, [[1, 0, -1], [0, 4, 0], [-1, 0, 1]])
    np.testing.assert_allclose(lengths(products), [1, 2, 1])
    np.testing.assert_allclose(squared_distances(products), [[0, 5, 4], [5, 0, 5], [4, 5, 0]])
    # The rest of (1, 0) is (-1, 2), and that of (0, 2) is nothing.
    np.testing.assert_allclose(
        cosines_to_the_rest(products), [-1 / np.sqrt(5), 0.0, -1 / np.sqrt(5)]
    )


def test_statistics_and_state_are_no_change(tmp_path: Path) -> None:
    products = inner_products(updates(tmp_path, (3.0, 4.0), (3.0, 5.0)), TEMPLATE, BASE)
    np.testing.assert_allclose(products, [[0, 0], [0, 1]])
    assert cosines_to_the_rest(products).tolist() == [0.0, 0.0]


def without_each(products: Matrix) -> list[float]:
    """``usual_cosines``, one after the other."""
    found = []
    for at in range(len(products)):
        stay = [other for other in range(len(products)) if other != at]
        found.append(float(np.median(cosines_to_the_rest(products[np.ix_(stay, stay)]))))
    return found


@pytest.mark.parametrize("count", [2, 3, 8])
@pytest.mark.parametrize("huge", [1.0, 1e30])
def test_what_is_usual_among_the_others_of_each(count: int, huge: float) -> None:
    """Also where one of them is so long that beside it the others are nothing."""
    changes = np.random.default_rng(0).normal(1.0, 1.0, size=(count, 5))
    changes[-1] *= huge
    products = changes @ changes.T
    found = usual_cosines(products)
    np.testing.assert_allclose(found, without_each(products), rtol=1e-9, atol=1e-12)
    if count > 3:
        assert found[-1] > 0.5  # without the huge one, the others' cosines as they are
