"""Updates as vectors: lengths, angles, distances."""

from pathlib import Path

import numpy as np
from screen_for_tests import BASE, TEMPLATE, updates

from server.geometry import cosines_to_the_rest, inner_products, lengths, squared_distances


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
