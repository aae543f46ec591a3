"""Signed replies in a whole run: a carrier that meddles is named, and the round goes on."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

import ecavg_tf
from ecavg_tf.config import Config, FleetKind, TrainingFile
from ecavg_tf.core.messages.mailbox import Mailbox
from ecavg_tf.core.messages.request import Request, Shipped, read_request, write_request
from ecavg_tf.core.messages.signature import SigningKey
from ecavg_tf.core.messages.update_file import TensorFile
from ecavg_tf.data.federated import federated_data
from ecavg_tf.results import RunResults
from edge.participating.agent import Agent

pytest.importorskip("cryptography")
from server.carrying.certificates import make_edge_key

pytestmark = pytest.mark.slow
Make = Callable[[], Config]
EDGES = ("edge-00", "edge-01")


def start(config: Config, folder: Path, edge: str, exchange: str, key: Path) -> Thread:
    """An edge without TensorFlow, in a thread."""
    share = federated_data(config).edge(edge)
    held = {
        f"{letter}_{name}": array
        for name, part in {"train": share.train, "guard": share.guard}.items()
        for letter, array in (("x", part.inputs), ("y", part.labels))
    }
    np.savez(folder / f"{edge}.npz", **held)
    agent = Agent(
        edge=edge,
        exchange=folder / exchange,
        state=folder / "state",
        data=folder / f"{edge}.npz",
        pool=True,
        timeout_s=120,
        key=SigningKey.load(key),
    )
    thread = Thread(target=agent.run, daemon=True)
    thread.start()
    return thread


@contextmanager
def carrier(edge: str, server: Path, far: Path) -> Iterator[None]:
    """Carries between the server's exchange folder and one elsewhere; meddles in round 2.

    There the edge gets other weights than those that the server sent.
    """
    near, away = Mailbox(server / edge), Mailbox(far / edge)
    stop = threading.Event()

    def carry() -> None:
        while not stop.wait(0.05):
            for source, target in ((near.inbox, away.inbox), (away.outbox, near.outbox)):
                for path in source.iterdir():
                    if path.name.startswith(".") or (target / path.name).exists():
                        continue
                    temporary = target / f".coming-{path.name}"
                    if path.name == "0002-exchange.safetensors":
                        write_request(temporary, meddled(read_request(TensorFile(path))))
                    else:
                        shutil.copyfile(path, temporary)
                    temporary.replace(target / path.name)

    thread = Thread(target=carry)
    thread.start()
    try:
        yield
    finally:
        time.sleep(1.0)  # the last answers
        stop.set()
        thread.join()


def meddled(request: Request) -> Request:
    weights = [np.asarray(array * 1.5).astype(array.dtype) for array in request.model.weights or ()]
    return replace(request, model=Shipped(weights))


def reasons(results: RunResults) -> list[dict[str, str]]:
    return [{each.edge: each.reason for each in played.refused} for played in results.rounds]


@pytest.fixture
def config(small: Make, tmp_path: Path) -> Config:
    config = small()
    config.rounds = 3
    config.fleet.kind, config.fleet.folder = FleetKind.FOLDER, str(tmp_path / "exchange")
    config.fleet.training_file, config.fleet.timeout_s = TrainingFile.DENSE, 120
    config.fleet.edge_keys = str(tmp_path / "keys")
    for edge in EDGES:
        make_edge_key(tmp_path / "keys", edge)
    return config


def test_a_carrier_that_meddles_is_named_and_kept_out(config: Config, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    threads = [
        start(config, tmp_path, EDGES[0], "exchange", keys / "edge-00.key"),
        start(config, tmp_path, EDGES[1], "elsewhere", keys / "edge-01.key"),
    ]
    with carrier(EDGES[1], tmp_path / "exchange", tmp_path / "elsewhere"):
        results = ecavg_tf.run(config, tmp_path / "run")
    for thread in threads:
        thread.join(timeout=60)
    first, second, third = reasons(results)
    assert first == third == {}
    assert list(second) == ["edge-01"]
    assert "what edge-01 was sent, was changed on its way" in second["edge-01"]


def test_who_signs_with_another_key_takes_no_part(config: Config, tmp_path: Path) -> None:
    config.rounds = 1
    stranger = make_edge_key(tmp_path / "others", "edge-01")
    threads = [
        start(config, tmp_path, EDGES[0], "exchange", tmp_path / "keys" / "edge-00.key"),
        start(config, tmp_path, EDGES[1], "exchange", stranger),
    ]
    results = ecavg_tf.run(config, tmp_path / "run")
    for thread in threads:
        thread.join(timeout=60)
    (only,) = reasons(results)
    assert list(only) == ["edge-01"]
    assert "another key than edge-01.pub signed it" in only["edge-01"]
