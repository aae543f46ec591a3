"""A whole run whose edges are browser tabs, beside the same run with device edges.

Real processes: the server, one Keras edge, `ecavg web` on this machine alone, and headless Chromium
with a profile for each tab.
"""

import base64
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from paths_for_tests import ROOT
from tabs_for_tests import Data, Tab
from web_for_tests import chromium

from ecavg_tf.config import Config, with_fields
from ecavg_tf.core.bundles.training_bundle import read_training_bundle
from ecavg_tf.core.messages.mailbox import Mailbox
from ecavg_tf.core.messages.request import read_request
from ecavg_tf.core.messages.update_file import TensorFile, Update
from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import Examples, split_off_guard
from ecavg_tf.data.federated import federated_data
from ecavg_tf.results import RunResults, load_results
from edge.device.learner import DeviceTrainer
from edge.device.runtime import find_runtime
from edge.device.training_model import TrainingModel
from edge.device.training_settings import TrainingSettings

pytestmark = pytest.mark.slow

SEEDS = (0, 1, 2)
ROUNDS, EPOCHS = 3, 3
KERAS, TABS = "edge-00", ("edge-01", "edge-02")
CONFIG = """\
from ecavg_tf.config import Config

def get_config():
    return Config()
"""
FIELDS: dict[str, Any] = {
    "rounds": ROUNDS,
    "keep_updates": True,
    "partition.kind": "dirichlet",
    "partition.alpha": 1.0,
    "partition.num_edges": 3,
    "partition.guard_fraction": 0.25,
    "model.hidden_units": 32,
    "edge.epochs": EPOCHS,
    "edge.learning_rate": 0.005,
    "server.epochs": 2,
    "server.learning_rate": 0.005,
}
SECONDS = 300


def started(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def ended_well(process: subprocess.Popen[str]) -> None:
    output, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, output + errors


@contextmanager
def fleet(folder: Path, seed: int) -> Iterator[tuple[Path, dict[str, Data]]]:
    """A server and a Keras edge that run; the exchange folder, and the other edges' data."""
    folder.mkdir()
    (folder / "conf.py").write_text(CONFIG)
    common = [f"--config={folder / 'conf.py'}", f"--config.fleet.folder={folder / 'exchange'}"]
    common += [f"--config.{name}={value}" for name, value in {"seed": seed, **FIELDS}.items()]
    more = ["--config.fleet.kind=folder", "--config.fleet.training_file=dense"]
    more.append(f"--config.fleet.timeout_s={SECONDS}")
    server = started("ecavg_tf", "run", *common, *more, f"--workdir={folder / 'server'}")
    keras = started("ecavg_tf", "edge", *common, f"--edge={KERAS}", f"--workdir={folder / 'keras'}")
    try:
        yield folder / "exchange", {name: data_of(seed, name) for name in TABS}
        ended_well(server)
        ended_well(keras)
    finally:
        for process in (server, keras):
            process.kill()


def data_of(seed: int, edge: str) -> Data:
    shared = federated_data(with_fields(Config(seed=seed), FIELDS))
    mine = shared.edge(edge)
    both = Examples(
        np.concatenate([mine.train.inputs, mine.guard.inputs]),
        np.concatenate([mine.train.labels, mine.guard.labels]),
    )
    own = np.flatnonzero(np.isin(shared.test.labels, both.labels))
    return Data(both, shared.test.take(own))


def with_devices(folder: Path, seed: int) -> RunResults:
    with fleet(folder, seed) as (exchange, data):
        processes = []
        for name, mine in data.items():
            path = mine.save(folder / f"{name}.npz")
            words = [f"--edge={name}", f"--data={path}", f"--state={folder / 'state'}"]
            words += [f"--exchange={exchange}", f"--timeout={SECONDS}"]
            processes.append(started("edge", "train", *words))
        for process in processes:
            ended_well(process)
    return load_results(folder / "server")


@contextmanager
def front(exchange: Path) -> Iterator[dict[str, str]]:
    """The links of the tabs."""
    words = [f"--exchange={exchange}", f"--edges={','.join(TABS)}", "--port=0"]
    process = started("ecavg_tf", "web", *words)
    assert process.stdout is not None
    try:
        links = dict(process.stdout.readline().strip().split(": ", 1) for _ in TABS)
        assert set(links) == set(TABS), (links, process.stderr and process.stderr.read())
        yield links
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def with_tabs(folder: Path, seed: int, *, closing: bool) -> tuple[RunResults, list[Any]]:
    """The run, and of each tab what it saw, before it was closed and after."""
    seen: list[Any] = []
    with ExitStack() as stack:
        exchange, data = stack.enter_context(fleet(folder, seed))
        links = stack.enter_context(front(exchange))
        tabs = []
        for name in TABS:
            browser = chromium()
            stack.callback(browser.quit)
            browser.set_script_timeout(SECONDS)
            tabs.append(Tab(browser, links[name], data[name]))
        tabs[0].open()
        tabs[1].open(slow=closing)
        before = None
        if closing:
            tabs[1].wait("seen.epochs.some(([round, epoch]) => round === 2 && epoch === 1)")
            steps = tabs[1].seen()["steps"]
            tabs[1].wait(f"seen.steps >= {steps + 2}")  # in the middle of the second epoch
            before = tabs[1].close()
            tabs[1].open()
        seen = [tab.wait("seen.over") for tab in tabs] + [before]
    return load_results(folder / "server"), seen


def first_epoch(exchange: Path, edge: str, seed: int, data: Data) -> list[Array]:
    """The weights after one epoch of the device learner, from the first round's request."""
    inbox = Mailbox(exchange / edge).inbox
    request = read_request(TensorFile(inbox / "0001-exchange.safetensors"))
    assert request.training_file is not None
    assert request.model.weights is not None
    bundle = read_training_bundle(inbox / request.training_file.name)
    settings = TrainingSettings(
        1, int(request.config["edge.batch_size"]), float(request.config["edge.learning_rate"])
    )
    trainer = DeviceTrainer(TrainingModel(find_runtime(), bundle), settings, seed=seed)
    train = split_off_guard(edge, data.train, 0.25, seed).train
    trained = trainer.fit(request.model.weights, train, round_number=1, who=edge)
    return [trained[at] for at in bundle.info.held]


def largest(ones: list[Array], others: list[Array]) -> float:
    pairs = zip(ones, others, strict=True)
    return max(float(np.abs(one.reshape(-1) - other.reshape(-1)).max()) for one, other in pairs)


def updates_apart(ours: Path, theirs: Path, round_number: int, edge: str) -> float:
    name = f"server/rounds/{round_number:04d}/updates/{edge}.safetensors"
    one, other = Update(ours / name), Update(theirs / name)
    assert one.keys == other.keys
    return max(float(np.abs(one[key] - other[key]).max()) for key in one.keys)


def accuracy(results: RunResults) -> float:
    score = results.rounds[-1].server.global_.all
    assert score is not None
    return score.accuracy


def own_accuracies(results: RunResults) -> dict[str, float]:
    found = {}
    for edge in results.rounds[-1].edges:
        assert edge.accepted is not None
        assert edge.accepted.own is not None
        found[edge.edge] = edge.accepted.own.accuracy
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_tabs_are_edges_like_devices(tmp_path: Path, seed: int) -> None:
    closing = seed == 0
    tabs, seen = with_tabs(tmp_path / "tabs", seed, closing=closing)
    devices = with_devices(tmp_path / "devices", seed)
    for results in (tabs, devices):
        assert results.status == "finished"
        assert [len(each.edges) for each in results.rounds] == [3] * ROUNDS
        assert not any(each.refused for each in results.rounds)

    for name, saw in zip(TABS, [seen[0], seen[2] or seen[1]], strict=True):
        decoded = [np.frombuffer(base64.b64decode(text), "<f4") for text in saw["first"]]
        expected = first_epoch(tmp_path / "tabs" / "exchange", name, seed, data_of(seed, name))
        off = largest(decoded, expected)
        print(f"seed {seed}, {name}: after the first epoch weights differ by {off:.2g}")
        assert off <= 1e-6
    for number in range(1, ROUNDS + 1):
        off = max(updates_apart(tmp_path / "tabs", tmp_path / "devices", number, e) for e in TABS)
        print(f"seed {seed}, round {number}: updates differ by {off:.2g}")

    ours, theirs = accuracy(tabs), accuracy(devices)
    print(f"seed {seed}: global model {ours:.4f} with tabs, {theirs:.4f} with devices")
    print(
        f"seed {seed}: own {own_accuracies(tabs)} with tabs, {own_accuracies(devices)} with devices"
    )
    assert abs(ours - theirs) <= 0.01
    if closing:
        assert [turn[:2] for turn in seen[2]["epochs"]] == [[1, 1], [1, 2], [1, 3], [2, 1]]
        # What was whole is not trained again: the epoch that was cut off is.
        assert [turn[:2] for turn in seen[1]["epochs"]] == [
            *([2, epoch] for epoch in range(2, EPOCHS + 1)),
            *([3, epoch] for epoch in range(1, EPOCHS + 1)),
        ]
