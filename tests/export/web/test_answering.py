"""A tab answers what a device answers: the same requests to both, without a server between."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asked_for_tests import DIGITS, EDGE, SPEC, Asked, asked, entry
from learning_for_tests import STORE, evaluated, served_modules
from web_for_tests import chromium

from ecavg_tf.config import GuardRule
from ecavg_tf.core.messages.mailbox import Mailbox
from ecavg_tf.core.messages.reply import NoReply, Reply
from ecavg_tf.core.messages.request import (
    Request,
    write_request,
)
from ecavg_tf.core.messages.update_file import Update, check_update
from ecavg_tf.core.template import Array, Template
from edge.participating.agent import Agent

pytestmark = pytest.mark.slow

LOCAL = np.flatnonzero((DIGITS.train.labels < 7) | (np.arange(len(DIGITS.train)) % 4 == 0))[:700]

TAB = (
    STORE
    + """
const { Agent } = await load("agent");
const [stages, example] = given;  // a stage is what is asked while a tab is open
const events = [], replies = [], fetches = [];
const began = performance.now();
let longest = 0, last = began;  // how long the page had no turn
const look = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
}, 5);
const text = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
for (const requests of stages) {
    const waiting = [...requests];
    const client = {
        run: async () => ({ run_id: "run", edge: "edge-07", over: !waiting.length }),
        request: async () => waiting[0] ?? null,
        file: (name) => { fetches.push(name); return fetched(name); },
        reply: async (id, told, { update } = {}) => {
            replies.push({ id, told, update: update ? text(update) : null });
            waiting.shift();
            return true;
        },
    };
    const data = { examples: () => ({ ...example, y: Int32Array.from(example.y) }) };
    const listener = (event) => events.push(event.kind);
    await new Agent({ edge: "edge-07", client, store, data, listener }).run();
}
const { acceptedModel } = await load("accepted");
const one = await acceptedModel(store), other = await acceptedModel(store);
await other.model.set(other.model.fresh((await other.model.get()).weights.map((w) => w.fill(0))));
const row = example.x.slice(0, example.x.length / example.y.length);
const probabilities = await one.probabilities(row);
clearInterval(look);
longest /= performance.now() - began;
return { replies, events, keys: [...kept.keys()].sort(), probabilities, longest, fetches };
"""
)


def by_python(folder: Path, run: Asked) -> list[Reply]:
    """What the device's agent answers to all but the greeting."""
    train, test = DIGITS.train.take(LOCAL), DIGITS.test
    arrays = {"x_train": train.inputs, "y_train": train.labels}
    np.savez(folder / "data.npz", **arrays, x_test=test.inputs, y_test=test.labels)
    device = Agent(edge=EDGE, exchange=folder, state=folder / "state", data=folder / "data.npz")
    answers = []
    for request in run.requests[1:]:
        answer = device.answer(Mailbox(folder / EDGE), request)
        assert answer is not None
        if answer.update is not None:  # the device removes it when it has a newer one
            kept = folder / answer.update.name
            kept.write_bytes(answer.update.read_bytes())
            answer = replace(answer, update=kept)
        answers.append(answer)
    return answers


def read_back(folder: Path, request: Request, told: dict[str, Any], update: bytes | None) -> Reply:
    """A tab's reply as the server reads it: from a mailbox, with all checks."""
    box = Mailbox(folder / EDGE)
    if update is not None:
        (box.outbox / f"{request.round:04d}-update.safetensors").write_bytes(update)
    path = box.outbox / f"{request.round:04d}-{request.kind}.json"
    path.write_text(json.dumps(told))
    answer = box.answer(request)
    assert isinstance(answer, Reply), answer
    return answer


def difference(found: Any, expected: Any, where: str = "") -> float:
    """The largest of two values of plain JSON; seconds and hashes of weights differ anyhow."""
    if where.endswith(("seconds", "weights_sha256")):
        return 0.0
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), where
        pairs = [(found[key], expected[key], f"{where}.{key}") for key in expected]
        return max((difference(*pair) for pair in pairs), default=0.0)
    if isinstance(expected, list | tuple):
        assert len(found) == len(expected), where
        pairs = [(*pair, where) for pair in zip(found, expected, strict=True)]
        return max((difference(*pair) for pair in pairs), default=0.0)
    if isinstance(expected, float):
        assert isinstance(found, float), where
        return abs(found - expected)
    assert found == expected, where
    return 0.0


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    session = chromium()
    session.set_script_timeout(300)
    yield session
    session.quit()


@pytest.mark.parametrize(
    ("kind", "rule"),
    [("dense", GuardRule.TOGETHER), ("dense", GuardRule.HALVES), ("head", GuardRule.TOGETHER)],
)
def test_the_answers_are_those_of_a_device(
    browser: Any, kind: str, rule: GuardRule, tmp_path: Path
) -> None:
    (tmp_path / "python").mkdir()
    run = asked(tmp_path / "python", kind, rule)
    expected = by_python(tmp_path / "python", run)
    train, test = DIGITS.train.take(LOCAL), DIGITS.test

    def plain(inputs: Array, labels: Array) -> dict[str, Any]:
        flat = np.asarray(inputs, np.float64).reshape(-1).tolist()
        return {"x": flat, "shape": list(inputs.shape), "y": labels.tolist(), "dtype": SPEC.dtype}

    example = {**plain(train.inputs, train.labels), "test": plain(test.inputs, test.labels)}
    entries = [entry(request) for request in run.requests]
    # Each but the first request comes again, to a tab that was opened anew.
    stages = [entries[:3], entries[2:4], entries[3:], entries[4:]]
    with served_modules(**run.files) as address:
        browser.get(address)
        found = evaluated(browser, TAB, stages, example)
    replies: dict[str, list[Any]] = {}
    for each in found["replies"]:
        told = json.loads(each["told"])
        told["owner"]["since"] = "today"  # it says when it was asked
        replies.setdefault(each["id"], []).append([told, each["update"]])
    assert [len(given) for given in replies.values()] == [1, 1, 2, 2, 2]
    for given in replies.values():
        assert all(again == given[0] for again in given)  # the same way again

    (told, update) = replies["0-hello"][0]
    greeted = read_back(tmp_path / "tab", run.requests[0], told, update)
    assert greeted.description is not None
    assert greeted.description.disagreement(run.requests[0].inputs) is None  # type: ignore[arg-type]
    taken = []
    for request, wanted in zip(run.requests[1:], expected, strict=True):
        told, update = replies[f"{request.round}-{request.kind}"][0]
        content = None if update is None else base64.b64decode(update)
        answer = read_back(tmp_path / "tab", request, told, content)
        apart = compared_updates(answer, wanted, run.template)
        off = decisions_apart(answer, wanted)
        print(
            f"{kind}, {rule}, {request.kind} {request.round}: weights {apart:.2g}, told {off:.2g}"
        )
        assert apart <= (1e-5 if kind == "head" else 3e-6)
        assert off <= 1e-4
        if answer.decision is not None:
            taken.append(answer.decision.accepted.rung)
    print(f"{kind}, {rule}: the page waited for {found['longest']:.0%} of the time at most")
    assert found["longest"] < 0.3  # at a stretch: the runtime's start, not the work
    assert len(set(taken)) > 1, taken  # it is decided both ways
    assert found["events"].count("decision") == 3
    assert found["events"].count("epoch") == 6
    assert found["events"].count("over") == 4
    bundles = [name for name in found["fetches"] if name.startswith("training-")]
    assert len(bundles) == len(set(bundles)) == (4 if kind == "head" else 1)
    assert len([key for key in found["keys"] if key.startswith("bundle/")]) <= 3
    assert sum(found["probabilities"]) == pytest.approx(1, abs=1e-5)
    assert max(found["probabilities"]) > 0.2  # another model of the file does not touch this one


def compared_updates(answer: Reply, wanted: Reply, template: Template) -> float:
    if wanted.update is None:
        assert answer.update is None
        return 0.0
    assert answer.update is not None
    ours, theirs = Update(answer.update), Update(wanted.update)
    check_update(ours, template, edge=EDGE, round_number=answer.round, num_classes=10)
    assert replace(ours.info, metrics={}) == replace(theirs.info, metrics={})
    assert difference(dict(ours.info.metrics), dict(theirs.info.metrics)) < 1e-5
    pairs = zip(ours.items(template), theirs.items(template), strict=True)
    return max(float(np.abs(one - other).max()) for (_, one), (_, other) in pairs)


def decisions_apart(answer: Reply, wanted: Reply) -> float:
    if wanted.decision is None:
        assert answer.decision is None
        return 0.0
    assert answer.decision is not None
    return difference(answer.decision.to_json(), wanted.decision.to_json())


def test_the_server_is_told_why_there_is_no_answer(browser: Any, tmp_path: Path) -> None:
    (tmp_path / "python").mkdir()
    run = asked(tmp_path / "python", "dense", GuardRule.TOGETHER)
    request = run.requests[1]
    config = {**request.config, "edge.weight_decay": 0.1}
    write_request(tmp_path / "changed", replace(request, config=config))
    name = f"{request.round:04d}-{request.kind}.safetensors"
    files = {**run.files, name: (tmp_path / "changed").read_bytes()}
    inputs = DIGITS.train.inputs[:20]
    example = {
        "x": inputs.reshape(-1).tolist(),
        "shape": list(inputs.shape),
        "y": DIGITS.train.labels[:20].tolist(),
        "dtype": SPEC.dtype,
    }
    body = TAB.replace(".run();", ".run().catch((error) => events.push(error.message));")
    body = body[: body.index("const { acceptedModel }")] + "return { replies, events };"
    with served_modules(**files) as address:
        browser.get(address)
        found = evaluated(browser, body, [[entry(request)]], example)
    (said,) = found["events"]
    assert said.startswith("The run has edge.weight_decay=0.1, a browser can do none only.")
    (reply,) = found["replies"]
    box = Mailbox(tmp_path / "tab" / EDGE)
    (box.outbox / "0001-exchange.json").write_text(reply["told"])
    assert box.answer(request) == NoReply(EDGE, said)


def test_a_tab_that_is_stopped_goes_on_later(browser: Any, tmp_path: Path) -> None:
    (tmp_path / "python").mkdir()
    run = asked(tmp_path / "python", "dense", GuardRule.TOGETHER)
    inputs, labels = DIGITS.train.inputs[:300], DIGITS.train.labels[:300]
    example = {"x": inputs.reshape(-1).tolist(), "shape": list(inputs.shape), "y": labels.tolist()}
    body = (
        STORE
        + """
    const { Agent } = await load("agent");
    const [asked, example] = given;
    const replies = [], epochs = [];
    const client = {
        run: async () => ({ run_id: "run", edge: "edge-07", over: replies.length > 0 }),
        request: async () => replies.length ? null : asked,
        file: fetched,
        reply: async (id, told) => replies.push(told),
    };
    const data = { examples: () => example };
    const tab = (listener) => new Agent({ edge: "edge-07", client, store, data, listener });
    const stop = new AbortController();
    await tab(({ kind, epoch }) => {
        if (kind === "epoch") { epochs.push(epoch); stop.abort(); }
    }).run(stop.signal);
    const before = replies.length;
    await tab(({ kind, epoch }) => kind === "epoch" && epochs.push(epoch)).run();
    return { before, epochs, replies };"""
    )
    with served_modules(**run.files) as address:
        browser.get(address)
        found = evaluated(browser, body, entry(run.requests[1]), example)
    assert found["before"] == 0  # who stops has nothing to tell
    assert found["epochs"] == [1, 2]
    (told,) = found["replies"]
    assert json.loads(told)["error"] is None
