"""Data that lives on edges: nothing of an edge is made before it is asked for."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from ecavg_tf.config import Config
from ecavg_tf.core.errors import ConfigError
from ecavg_tf.data.dataset import Examples, split_off_guard
from ecavg_tf.data.federated import federated_data


def test_only_the_edge_that_is_asked_for_is_made(
    small: Callable[[], Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small()
    config.partition.num_edges = 5
    data = federated_data(config)
    taken: list[int] = []
    take = Examples.take

    def counted(examples: Examples, indices: NDArray[np.int64]) -> Examples:
        taken.append(len(indices))
        return take(examples, indices)

    monkeypatch.setattr(Examples, "take", counted)
    assert data.edges == tuple(f"edge-{number:02d}" for number in range(5))
    assert (len(data.test), data.spec.num_classes) == (100, 10)
    assert taken == []
    edge = data.edge("edge-03")
    assert set(edge.train.labels.tolist()) == {6, 7}
    # Its share, and the two parts of it; 200 examples are dealt out.
    assert taken == [len(edge.train) + len(edge.guard), len(edge.train), len(edge.guard)]
    assert taken[0] < 60
    assert data.edge("edge-03") is edge


def test_an_edge_that_is_to_pool_must_be_there(small: Callable[[], Config]) -> None:
    config = small()
    config.server.pool_edges = "edge-00, edge-7"
    with pytest.raises(ConfigError, match=r"server\.pool_edges is 'edge-7'; valid: edge-00, edge"):
        federated_data(config)
    config.server.pool_edges = "edge-00, edge-01,"
    assert federated_data(config).edges == ("edge-00", "edge-01")


@pytest.mark.parametrize(
    ("count", "fraction", "held_out"),
    [
        (10, 0.25, 2),
        (10, 0.3, 3),  # 10 times 0.3 is a little less than 3 in floating point
        (10, 0.0, 0),
        (1, 0.99, 0),
        (3, 1 - 1e-12, 2),  # one example always stays
    ],
)
def test_how_much_is_held_out(count: int, fraction: float, held_out: int) -> None:
    inputs = np.arange(count, dtype=np.uint8).reshape(count, 1, 1, 1)
    edge = split_off_guard("north", Examples(inputs, np.zeros(count, np.int64)), fraction, 0)
    assert (edge.edge, len(edge.guard), len(edge.train)) == ("north", held_out, count - held_out)
    parts = [edge.train.inputs, edge.guard.inputs]
    assert sorted(np.concatenate(parts).ravel().tolist()) == list(range(count))
