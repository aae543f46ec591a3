"""A run in which one edge is a microcontroller, as far as tflite-micro's interpreter is one."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from device_runs_for_tests import device, ended_well, make_config, over_files

import ecavg_tf
from ecavg_tf.config import TrainingFile, Trains
from ecavg_tf.core.bundles.quantization import dequantize
from ecavg_tf.core.errors import RoundError
from ecavg_tf.core.messages.device_lines import DeviceHead, head_lines, read_head_lines
from ecavg_tf.core.messages.mailbox import Mailbox
from ecavg_tf.core.messages.update_file import Update
from ecavg_tf.data.dataset import Examples
from ecavg_tf.data.federated import federated_data
from ecavg_tf.events import silent
from ecavg_tf.task import Task
from edge.micro.bridge import Bridge
from export.making.micro_head import MadeHead, make_micro_head
from export.micro.interpreter import run_in_micro
from export.micro.training import train_in_micro

EDGE, EPOCHS, RATE = "edge-01", 3, 0.02


class Device:
    """What the firmware does: keeps int8 features, and trains with the stateless file."""

    def __init__(self, made: MadeHead, examples: Examples) -> None:
        assert made.backbone is not None
        run = run_in_micro(made.backbone, made.given(examples.inputs))
        features = dequantize(run.outputs, run.facts.outputs[0])
        batch = made.shape.batch
        count = -(-len(examples) // batch)
        x = np.zeros((count * batch, made.shape.features), np.float32)
        y = np.zeros((count * batch, made.shape.classes), np.float32)
        order = np.random.default_rng(0).permutation(len(examples))
        x[: len(order)] = features[order]
        y[np.arange(len(order)), examples.labels[order]] = 1
        self._x, self._y = (each.reshape(count, batch, -1) for each in (x, y))
        self.losses: list[tuple[float, float]] = []  # of the first and the last epoch, each time
        self._made = made
        self._counts = examples.class_counts(made.shape.classes)

    def trained(self, lines: str) -> str:
        """Reads the weights that came, trains, and prints the new ones."""
        start = read_head_lines(lines, self._made.info.expected)
        steps = EPOCHS * len(self._x)
        weights = (start.kernel, start.bias)
        ran = train_in_micro(self._made.training, self._x, self._y, weights, steps=steps, rate=RATE)
        epochs = ran.rows[:, 0].reshape(EPOCHS, -1).mean(axis=1)
        self.losses.append((float(epochs[0]), float(epochs[-1])))
        kernel, bias = np.split(ran.rows[-1, 1:], [start.kernel.size])
        kernel = kernel.reshape(start.kernel.shape)
        return head_lines(DeviceHead(start.frozen, self._counts, kernel, bias))


def serve(bridge: Bridge, device: Device, mailbox: Mailbox, told: list[str]) -> None:
    """Answers until the run is over, as its owner does by hand."""
    until = time.monotonic() + 240
    while not mailbox.over() and time.monotonic() < until:
        try:
            told.append(bridge.weights())
        except RoundError:  # no request yet
            time.sleep(0.2)
            continue
        name = mailbox.newest()[0]
        assert name is not None
        bridge.answer(None if "finish" in name else device.trained(told[-1]))


@pytest.mark.slow
def test_a_microcontroller_beside_another_device(tmp_path: Path) -> None:
    pytest.importorskip("tflite_micro", reason="the extra 'micro' is not installed")
    config = over_files(make_config(rounds=2), tmp_path)
    config.model.name = "models_for_tests:convolution"
    config.model.train = Trains.HEAD
    config.fleet.training_file = TrainingFile.HEAD
    shared = federated_data(config)
    task = Task(config, shared.spec, tmp_path, silent)
    model, own = task.server_trainer.model, shared.edge(EDGE).train
    model.set_weights(task.initial)
    made = make_micro_head(model, shared.spec, own.inputs[:100], {"edge": None}, 16)
    bridge = Bridge(made.info, EDGE, tmp_path / "exchange", tmp_path / "micro")
    told: list[str] = []
    micro = Device(made, own)
    arguments = (bridge, micro, Mailbox(tmp_path / "exchange" / EDGE), told)
    serving = threading.Thread(target=serve, args=arguments)
    other = device(config, tmp_path, "edge-00", "--pool")
    serving.start()
    results = ecavg_tf.run(config, tmp_path / "server")
    serving.join(timeout=240)
    ended_well(other)
    assert not any(each.refused for each in results.rounds)
    assert len(told) == 3  # two rounds and the end
    updates = tmp_path / "server" / "rounds" / "0002" / "updates"
    assert len(Update(updates / f"{EDGE}.safetensors").keys) == 2
    rows = results.rounds[-1].edges
    assert [each.edge for each in rows] == ["edge-00", EDGE]
    assert rows[1].accepted is not None
    assert rows[1].accepted.rung == "global"
    assert all(last < first for first, last in micro.losses)
    start, last = (read_head_lines(text, made.info.expected).kernel for text in (told[0], told[2]))
    assert np.abs(last - start).max() > 0.01
