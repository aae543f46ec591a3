"""The edge agent without TensorFlow: which requests it answers, and what it refuses."""

import json
from dataclasses import replace
from pathlib import Path

import exports_for_tests as made
import keras
import numpy as np
import pytest
from device_for_tests import local_arrays, training_bundle

from ecavg_tf.config import Config, ModelConfig
from ecavg_tf.config.fields import shared_fields
from ecavg_tf.core.bundles.training_bundle import (
    OptimizerSpec,
    read_training_bundle,
    training_file_name,
    write_training_bundle,
)
from ecavg_tf.core.checkpoint import Checkpoint, State
from ecavg_tf.core.errors import ConfigError, ModelError, RoundError, WorkdirError
from ecavg_tf.core.messages.mailbox import Mailbox
from ecavg_tf.core.messages.probe import check_probe, probe_inputs
from ecavg_tf.core.messages.reply import Reply
from ecavg_tf.core.messages.request import EXCHANGE, Request, Shipped
from ecavg_tf.events import Event, Note
from ecavg_tf.models.builders import mlp, template_of
from ecavg_tf.training.evaluation import KerasScorer
from edge.device.checkpoint import locked
from edge.device.training_settings import TrainingSettings
from edge.participating import agent as agent_module
from edge.participating.agent import Agent
from edge.participating.kept_bundles import kept_bundles
from export.making.training import TrainingExporter

SPEC = made.digits().spec


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return training_bundle(tmp_path_factory.mktemp("training") / "training.bundle.zip")


def server_model() -> keras.Model:
    keras.utils.set_random_seed(0)
    return mlp(SPEC, ModelConfig(hidden_units=32))


def first_request(model: keras.Model, config: Config | None = None) -> Request:
    """The first round's request of a server that ships no training file."""
    config = config or Config()
    config.edge.optimizer = "adam"
    weights = model.get_weights()
    scorer = KerasScorer(model, made.digits().test, logits=False)
    return Request(
        EXCHANGE, "run", 1, template_of(model), Shipped(weights), config=shared_fields(config),
        probe=scorer.probe(weights, SPEC),
    )  # fmt: skip


def agent(folder: Path, bundle: Path) -> Agent:
    np.savez(folder / "data.npz", **local_arrays())
    return Agent(
        edge="edge-00",
        exchange=folder / "exchange",
        state=folder / "state",
        data=folder / "data.npz",
        bundle=bundle,
        timeout_s=0.1,
    )


def told(folder: Path) -> str:
    """The error that the server reads."""
    reply = folder / "exchange" / "edge-00" / "outbox" / "0001-exchange.json"
    return str(json.loads(reply.read_text())["error"])


def test_a_bundle_of_the_servers_model_trains(bundle: Path, tmp_path: Path) -> None:
    mailbox = Mailbox(tmp_path / "exchange" / "edge-00")
    request = first_request(server_model())
    mailbox.send(request)
    with pytest.raises(RoundError, match=r"no request for edge-00 within 0.1 s \(--timeout\)"):
        agent(tmp_path, bundle).run()
    answer = mailbox.answer(request)
    assert isinstance(answer, Reply)
    assert answer.update is not None
    (kept,) = kept_bundles(tmp_path / "state" / "edge-00")
    assert kept.read_bytes() == bundle.read_bytes()


def test_a_bundle_of_another_model_with_the_same_shapes(tmp_path: Path) -> None:
    """Nothing is frozen here, so no hash can tell: the hidden layer has no ReLU."""
    layers = [
        keras.Input(SPEC.input_shape),
        keras.layers.Rescaling(1 / 16),
        keras.layers.Flatten(),
        keras.layers.Dense(32),
        keras.layers.Dense(10, activation="softmax"),
    ]
    exporter = TrainingExporter(keras.Sequential(layers), SPEC, "dense", OptimizerSpec("adam"))
    path = tmp_path / "linear.bundle.zip"
    write_training_bundle(path, exporter.bundle(made.digits().test, {"run": None}))
    Mailbox(tmp_path / "exchange" / "edge-00").send(first_request(server_model()))
    with pytest.raises(ModelError, match="with the server's weights its answers are up to"):
        agent(tmp_path, path).run()
    assert "the training file is of another model" in told(tmp_path)
    assert kept_bundles(tmp_path / "state" / "edge-00") == []


def test_a_servers_config_is_checked(bundle: Path, tmp_path: Path) -> None:
    config = Config()
    config.edge.epochs = 0
    Mailbox(tmp_path / "exchange" / "edge-00").send(first_request(server_model(), config))
    with pytest.raises(ConfigError, match=r"edge\.epochs is 0; it must be at least 1"):
        agent(tmp_path, bundle).run()
    assert "edge.epochs is 0" in told(tmp_path)


def test_the_server_is_told_of_what_nobody_foresaw(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the runtime fell over")

    monkeypatch.setattr(agent_module, "load_local", broken)
    Mailbox(tmp_path / "exchange" / "edge-00").send(first_request(server_model()))
    with pytest.raises(RuntimeError, match="fell over"):
        agent(tmp_path, bundle).run()
    assert told(tmp_path) == "unforeseen RuntimeError: the runtime fell over"


def test_a_damaged_older_file_is_passed_over(bundle: Path, tmp_path: Path) -> None:
    notes: list[Event] = []
    device = replace(agent(tmp_path, bundle), listener=notes.append)
    mailbox = Mailbox(tmp_path / "exchange" / "edge-00")
    frozen = read_training_bundle(bundle).info.frozen_sha256
    older = mailbox.inbox / training_file_name(frozen)
    older.write_bytes(bundle.read_bytes()[:-99])
    assert device._older(mailbox, frozen) is None
    assert len(notes) == 1
    assert isinstance(notes[0], Note)
    in_state = device.folder / older.name
    in_state.parent.mkdir(parents=True)
    in_state.write_bytes(bundle.read_bytes())
    assert device._older(mailbox, frozen) is not None


def test_a_mistyped_exchange_folder_or_edge(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"/nowhere is not there; mend its name"):
        replace(agent(tmp_path, bundle), exchange=tmp_path / "nowhere" / "exchange").run()
    exchange = tmp_path / "exchange"
    (exchange / "edge-07" / "inbox").mkdir(parents=True)
    (exchange / "run.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"no edge 'edge-00' in the run of .*; valid: edge-07"):
        agent(tmp_path, bundle).run()
    assert not (exchange / "edge-00").exists()


def test_a_folder_without_a_server(bundle: Path, tmp_path: Path) -> None:
    notes: list[Event] = []
    device = replace(agent(tmp_path, bundle), listener=notes.append, timeout_s=0.01)
    doubt = f"(no run.json in {tmp_path / 'exchange'} yet: is it the server's exchange folder?)"
    inbox = tmp_path / "exchange" / "edge-00" / "inbox"  # all that a carrier may bring
    for of_a_server, doubted in ((None, True), ("run.json", False), (inbox / "a", False)):
        if of_a_server is not None:
            (tmp_path / "exchange" / of_a_server).write_text("{}")
        with pytest.raises(RoundError, match="no request for edge-00"):
            device.run()
        note = notes.pop()
        assert isinstance(note, Note)
        assert note.text.endswith(doubt) == doubted
        (tmp_path / "exchange" / "run.json").unlink(missing_ok=True)


def test_a_file_with_momentum_is_not_what_a_run_means() -> None:
    config = Config().edge
    config.optimizer = "sgd"
    assert TrainingSettings.of(config, OptimizerSpec("sgd")).epochs == config.epochs
    with pytest.raises(ConfigError, match="export a file without --momentum"):
        TrainingSettings.of(config, OptimizerSpec("sgd", momentum=0.9))


def test_a_state_of_other_shapes_or_on_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "learner.safetensors"
    state = State((np.zeros((2, 3), np.float32),), (), 4.0)
    Checkpoint(path).save("key", 1, state)
    assert Checkpoint(path).load("key", state) is not None
    for other in (np.zeros((3, 2), np.float32), np.zeros((2, 3), np.int32)):
        with pytest.raises(WorkdirError, match="its arrays have other shapes than"):
            Checkpoint(path).load("key", State((other,), (), 0.0))
    with pytest.raises(WorkdirError, match="give a --state folder that"), locked(path / "below"):
        pass


def test_probes() -> None:
    inputs = probe_inputs((8, 8, 1), (0.0, 16.0), "uint8")
    assert inputs.shape == (8, 8, 8, 1)
    assert (inputs.min(), inputs.max(), inputs.dtype) == (0, 16, np.uint8)
    np.testing.assert_array_equal(inputs, probe_inputs((8, 8, 1), (0.0, 16.0), "uint8"))
    same = np.full((2, 2), 0.5, np.float32)
    check_probe(((0.5, 0.5), (0.495, 0.505)), same)
    with pytest.raises(ModelError, match=r"up to 0\.1 off"):
        check_probe(((0.5, 0.5), (0.4, 0.6)), same)
    with pytest.raises(ModelError, match="gives 2 classes, the server's model 3"):
        check_probe(((0.2, 0.3, 0.5), (0.2, 0.3, 0.5)), same)
    with pytest.raises(ModelError, match="up to nan"):
        check_probe(((0.5, 0.5), (0.5, 0.5)), np.full((2, 2), np.nan, np.float32))
