"""Each process of a folder fleet makes the data of the edges that live in it, and no other."""

from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

import ecavg_tf
from ecavg_tf.config import Config, FleetKind
from ecavg_tf.data.dataset import EdgeData, Examples
from ecavg_tf.data.federated import FederatedData, federated_data
from ecavg_tf.events import Event, RunPlanned
from ecavg_tf.rounds import loop, serving


class Recorded:
    """Data that remembers which edges it was asked for."""

    def __init__(self, data: FederatedData) -> None:
        self._data = data
        self.spec, self.test, self.edges = data.spec, data.test, data.edges
        self.notes = data.notes
        self.asked: set[str] = set()

    def edge(self, name: str) -> EdgeData:
        self.asked.add(name)
        return self._data.edge(name)

    def own_test(self, name: str) -> Examples | None:
        return self._data.own_test(name)


@pytest.fixture
def config(small: Callable[[], Config], tmp_path: Path) -> Config:
    made = small()
    made.fleet.kind = FleetKind.FOLDER
    made.fleet.folder = str(tmp_path / "exchange")
    made.fleet.timeout_s = 30
    return made


def recorded(monkeypatch: pytest.MonkeyPatch, module: object, config: Config) -> Recorded:
    """The data that a module will open next."""
    data = Recorded(federated_data(config))
    monkeypatch.setattr(module, "federated_data", lambda *_: data)
    return data


def test_the_server_of_a_folder_fleet_makes_no_edges_data(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.edge.epochs = config.server.epochs = 1
    config.update.policy = "replace"
    servers = recorded(monkeypatch, loop, config)
    edges = recorded(monkeypatch, serving, config)
    told: list[Event] = []
    names = ("edge-00", "edge-01")
    thread = Thread(target=serving.serve_edges, args=(config, names, tmp_path / "edges"))
    thread.start()
    results = ecavg_tf.run(config, tmp_path / "server", listener=told.append)
    thread.join(timeout=60)
    assert [len(played.edges) for played in results.rounds] == [2]
    assert servers.asked == set()
    assert edges.asked == set(names)
    # What edges elsewhere train on is not in the server's plan.
    assert [event.examples for event in told if isinstance(event, RunPlanned)] == [0]


def test_an_edge_makes_its_own_data_alone(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.fleet.edge_timeout_s = 0.1
    data = recorded(monkeypatch, serving, config)
    with pytest.raises(ecavg_tf.ECAvgError, match="no request for edge-01"):
        serving.serve_edges(config, ["edge-01"], tmp_path / "edge")
    assert data.asked == {"edge-01"}


def test_the_plan_of_edges_here_counts_all_that_is_trained_on(
    small: Callable[[], Config], tmp_path: Path
) -> None:
    config = small()
    config.server.pool_edges = "edge-01"
    config.edge.epochs, config.server.epochs = 2, 3
    data = federated_data(config)
    first, second = (len(data.edge(name).train) for name in data.edges)
    planned: list[int] = []

    def stop(event: Event) -> None:
        if isinstance(event, RunPlanned):
            planned.append(event.examples)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ecavg_tf.run(config, tmp_path / "run", listener=stop)
    assert planned == [2 * (first + second) + 3 * second]
