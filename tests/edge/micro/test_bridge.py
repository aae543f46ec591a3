"""A microcontroller's lines answer a run's requests, and nothing else does."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecavg_tf.core.bundles.micro_head import HEAD_JSON, MicroHead
from ecavg_tf.core.bundles.training_bundle import frozen_sha256
from ecavg_tf.core.messages.device_lines import DeviceHead, head_lines, read_head_lines
from ecavg_tf.core.messages.mailbox import Mailbox
from ecavg_tf.core.messages.reply import NoReply, Reply
from ecavg_tf.core.messages.request import EXCHANGE, FINISH, HELLO, Request, Shipped
from ecavg_tf.core.messages.update_file import Update, check_update
from ecavg_tf.core.template import Array, Role, Template, WeightSpec, weights_sha256
from edge.cli import main

TEMPLATE = Template(
    (
        WeightSpec("filters", (2, 2), "float32", Role.STATISTIC, omittable=True),
        WeightSpec("seed", (2,), "uint32", Role.STATE),
        WeightSpec("kernel", (3, 2), "float32", Role.TRAINABLE),
        WeightSpec("bias", (2,), "float32", Role.TRAINABLE),
    )
)


def weights(value: float = 0.5) -> list[Array]:
    kernel = np.arange(6, dtype=np.float32).reshape(3, 2) + np.float32(value)
    return [
        np.eye(2, dtype=np.float32), np.array([1, 2], np.uint32), kernel, np.zeros(2, np.float32)
    ]  # fmt: skip


HEAD = MicroHead(("a", "b"), TEMPLATE, (2, 3), frozen_sha256(weights(), (2, 3)), {"edge": None})
TRAINED = DeviceHead(HEAD.frozen, (3, 1), weights(7)[2], np.array([1, -1], np.float32))


class Run:
    """A server's side of an exchange folder, with the device's files beside it."""

    def __init__(self, folder: Path) -> None:
        self.exchange, self.state = folder / "exchange", folder / "state"
        self.box = Mailbox(self.exchange / "north")
        self.head = folder / HEAD_JSON
        self.head.write_text(json.dumps(HEAD.to_json()))
        self.lines = folder / "lines.txt"
        self.lines.write_text(f"arena: 1 of 2\n{head_lines(TRAINED)}")

    def ask(self, number: int, kind: str = EXCHANGE, value: float = 0.5, **more: object) -> Request:
        request = Request(kind, "run-a", number, TEMPLATE, Shipped(weights(value)))
        request = replace(request, **more)  # type: ignore[arg-type]
        self.box.send(request)
        return request

    def update(self, *more: str) -> int:
        where = [f"--exchange={self.exchange}", "--edge=north", f"--state={self.state}"]
        return main(["micro-update", str(self.head), *more, *where])

    def weights(self, *more: str) -> int:
        where = [f"--exchange={self.exchange}", "--edge=north"]
        return main(["micro-weights", str(self.head), *(more or where)])

    def answer(self, request: Request) -> Reply:
        reply = self.box.answer(request)
        assert isinstance(reply, Reply)
        return reply


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_a_run_of_two_rounds(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    first = run.ask(1)
    assert run.weights() == 0
    sent = read_head_lines(capsys.readouterr().out, HEAD.expected)
    np.testing.assert_array_equal(sent.kernel, weights()[2])
    assert sent.class_counts == (0, 0)
    assert run.update(str(run.lines)) == 0
    assert "north answered 'exchange'" in capsys.readouterr().out
    reply = run.answer(first)
    assert reply.decision is None
    assert reply.update is not None
    update = Update(reply.update)
    check_update(update, TEMPLATE, edge="north", round_number=1, num_classes=2)
    assert update.keys == {"seed", "kernel", "bias"}  # filters may be left out, a seed not
    assert update["kernel"].tobytes() == TRAINED.kernel.tobytes()
    assert update["bias"].tolist() == [1, -1]
    assert (update.info.examples, update.info.class_counts) == (4, (3, 1))

    second = run.ask(2, value=3)
    assert run.update(str(run.lines)) == 0
    decision = run.answer(second).decision
    assert decision is not None
    assert (decision.round, decision.accepted.rung) == (1, "global")
    assert decision.accepted.weights_sha256 == weights_sha256(weights(3))
    assert decision.accepted.evidence["policy"] == "replace"

    last = run.ask(2, FINISH, value=4)
    assert run.weights() == 0
    lines = capsys.readouterr().out
    found = read_head_lines(lines[lines.index("ecavg-head") :], HEAD.expected)
    np.testing.assert_array_equal(found.kernel, weights(4)[2])
    assert run.update() == 0
    decision = run.answer(last).decision
    assert decision is not None
    assert decision.accepted.weights_sha256 == weights_sha256(weights(4))
    accepted = run.state / "north" / "accepted-0002.safetensors"
    assert run.weights(str(accepted)) == 0
    assert capsys.readouterr().out.endswith(lines[lines.index("ecavg-head") :])


def test_an_update_file_and_back(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "update.safetensors"
    words = [str(run.head), str(run.lines), "--edge=north", "--round=3", f"--out={out}"]
    assert main(["micro-update", *words]) == 0
    assert capsys.readouterr().out == f"{out}: an update of north, 4 examples\n"
    update = Update(out)
    assert (update.info.round, update.info.edge, update.keys) == (3, "north", {"kernel", "bias"})
    again = tmp_path / "again.txt"
    assert run.weights(str(out), f"--out={again}") == 0
    zero = replace(TRAINED, class_counts=(0, 0))
    assert again.read_text() == head_lines(zero)


def refused(run: Run, capsys: pytest.CaptureFixture[str], said: str) -> None:
    output = capsys.readouterr()
    assert said in output.err
    assert len(output.err.strip().splitlines()) == 1
    assert not list(run.box.outbox.glob("*-update.safetensors"))


def test_lines_that_answer_nothing(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run.update(str(run.lines)) == 5
    refused(run, capsys, "no request waits for an answer")
    run.ask(1)
    assert run.update() == 2
    refused(run, capsys, "LINES of the device are missing")
    good = run.lines.read_text()
    for text, said in (
        (good.replace("ecavg-end", "ecavg-ent"), "cut short"),
        (head_lines(replace(TRAINED, class_counts=(0, 0))), "trained on no example"),
        (head_lines(replace(TRAINED, frozen="0" * 16)), "the backbone of another model"),
    ):
        run.lines.write_text(text)
        assert run.update(str(run.lines)) == 3
        refused(run, capsys, said)
    assert run.update(str(run.lines) + "x") == 3
    refused(run, capsys, "can't be read")
    assert run.box.unanswered() is not None  # mended, it may still be answered


def test_a_run_that_the_device_can_not_serve(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    other = weights()
    other[0] = other[0] + 1
    request = run.ask(1, model=Shipped(other))
    assert run.weights() == 7
    refused(run, capsys, "set model.train=head in the run")
    assert run.update(str(run.lines)) == 7
    refused(run, capsys, "set model.train=head in the run")
    assert isinstance(run.box.answer(request), NoReply)  # the server is told
    run.ask(2, config={"edge.dp_clip": 1.0})
    assert run.update(str(run.lines)) == 2
    refused(run, capsys, "updates get no noise")
    run.ask(3, HELLO)
    assert run.update(str(run.lines)) == 2
    refused(run, capsys, "begin the run with a number of edges")


@pytest.mark.parametrize(("words", "said"), [
    (["micro-weights", "HEAD"], "give either --exchange=DIR --edge=NAME, or a FILE"),
    (["micro-weights", "HEAD", "--exchange=EXCHANGE"], "give --edge=NAME"),
    (["micro-weights", "LINES", "--exchange=EXCHANGE"], "is no head.json"),
    (["micro-weights", "HEAD", "LINES"], "holds no head of this model"),
    (["micro-update", "HEAD", "LINES"], "or --out=FILE"),
    (["micro-update", "HEAD", "LINES", "--out=o", "--edge=a/b"], "is no name of an edge"),
    (["micro-update", "HEAD", "LINES", "--out=o", "--edge=a", "--round=0"], "counted from 1"),
    (["micro-update", "HEAD", "LINES", "--exchange=EXCHANGE", "--edge=north"], "needs --state"),
    (["micro-update", "HEAD", "--out=o", "--edge=a"], "LINES of the device are missing"),
])  # fmt: skip
def test_arguments_that_are_none(
    run: Run, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    places = {"HEAD": run.head, "LINES": run.lines, "EXCHANGE": run.exchange}
    for name, place in places.items():
        words = [word.replace(name, str(place)) for word in words]
    assert main(words) != 0
    output = capsys.readouterr()
    assert said in output.err
    assert len(output.err.strip().splitlines()) == 1
