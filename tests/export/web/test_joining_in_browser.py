"""The page of a tab that takes part, in headless Chromium, against a real front and its folder.

See test_in_browser.py for what it needs, and for AXE_CORE and PICTURES_DIR.
"""

import dataclasses
import functools
import io
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import exports_for_tests as made
import keras
import numpy as np
import pytest
from front_for_tests import Asker, fronted
from PIL import Image
from web_for_tests import PATIENCE_S, chromium, looked_at, opened, waited

from ecavg_tf.config import Config, ModelConfig
from ecavg_tf.config.fields import flatten
from ecavg_tf.core.bundles.training_bundle import (
    OptimizerSpec,
    frozen_sha256,
    read_training_bundle,
    training_file_name,
    write_training_bundle,
)
from ecavg_tf.core.messages.inputs import Inputs
from ecavg_tf.core.messages.mailbox import Mailbox
from ecavg_tf.core.messages.owner import Owner
from ecavg_tf.core.messages.reply import Reply
from ecavg_tf.core.messages.request import EXCHANGE, FINISH, HELLO, Request, Shipped
from ecavg_tf.core.messages.update_file import Update, check_update
from ecavg_tf.core.template import Template
from ecavg_tf.models.builders import mlp
from export.making.training import TrainingExporter
from export.web.joining import joining_contents

pytestmark = pytest.mark.slow

DIGITS = made.digits()
CLASSES = list(DIGITS.spec.classes)


@functools.cache
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    return mlp(DIGITS.spec, ModelConfig(hidden_units=16))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    exporter = TrainingExporter(model(), DIGITS.spec, "dense", OptimizerSpec("adam"))
    found = exporter.bundle(DIGITS.test, {"run": "run-a"})
    name = training_file_name(frozen_sha256(model().get_weights(), found.info.held))
    path = tmp_path_factory.mktemp("bundle") / name
    write_training_bundle(path, found)
    return path


def asked(box: Mailbox, bundle: Path, round_number: int = 1) -> Request:
    """A request as a server lays it, with the training file."""
    config = Config()
    config.edge.epochs = 2
    request = Request(
        EXCHANGE, "run-a", round_number, template_of(bundle), Shipped(model().get_weights()),
        config=json.loads(json.dumps(dict(flatten(config)))), training_file=box.put_file(bundle),
    )  # fmt: skip
    box.send(request)
    return request


@pytest.fixture
def exchange(tmp_path: Path) -> Path:
    folder = tmp_path / "exchange"
    Mailbox(folder / "north")
    (folder / "run.json").write_text(json.dumps({"run_id": "run-a"}))
    return folder


@pytest.fixture
def north(exchange: Path) -> Iterator[Asker]:
    with fronted(exchange, contents=joining_contents()) as askers:
        yield askers["north"]


@pytest.fixture
def browser() -> Iterator[Any]:
    session = chromium()
    session.set_script_timeout(60)
    yield session
    session.quit()


def link(asker: Asker) -> str:
    return f"{asker.origin}/#edge={asker.edge}&key={asker.key}"


def text(browser: Any, element: str) -> str:
    return str(browser.find_element("id", element).text)


def counts(browser: Any) -> list[int]:
    script = (
        'return [...document.querySelectorAll("#counts .percent")].map((at) => +at.textContent)'
    )
    return list(browser.execute_script(script))


def picture(folder: Path, at: int) -> str:
    """A digit as a PNG of the size that the model takes."""
    values = DIGITS.test.inputs[at, :, :, 0].astype(np.float64) * 255 / 16
    path = folder / f"digit-{at}.png"
    Image.fromarray(values.round().astype(np.uint8), "L").save(path)
    return str(path)


def choose(browser: Any, label: str) -> None:
    browser.find_element("css selector", f'#class option[value="{label}"]').click()


def test_the_key_leaves_the_address_and_the_page_waits(browser: Any, north: Asker) -> None:
    assert opened(browser, link(north)) == "waiting"
    assert browser.current_url == f"{north.origin}/#edge=north"
    assert text(browser, "part-title") == "This device is north"
    assert text(browser, "status") == "Connected. The server asks nothing yet; this page waits."
    browser.get(f"{north.origin}/")  # without a fragment: the only edge of this browser
    assert waited(browser, "return document.body.dataset.state === 'waiting'")
    assert browser.current_url == f"{north.origin}/#edge=north"
    errors = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert errors == []
    sent = [
        json.loads(entry["message"])["message"]["params"]["request"]["url"]
        for entry in browser.get_log("performance")
        if '"Network.requestWillBeSent"' in entry["message"]
    ]
    assert sent
    assert all(url.startswith(f"{north.origin}/") for url in sent)
    assert not any(north.key in url.partition("#")[0] for url in sent)


def test_a_link_without_or_with_a_wrong_key_is_told(browser: Any, north: Asker) -> None:
    assert opened(browser, f"{north.origin}/") == "failed"
    assert "Which edge is this? Open the link" in text(browser, "message")
    browser.get("about:blank")
    assert opened(browser, f"{north.origin}/#edge=north") == "failed"
    assert "has no key of north" in text(browser, "message")
    browser.get("about:blank")
    assert opened(browser, f"{north.origin}/#edge=north&key={'A' * 43}") == "failed"
    assert "The server refuses this: no key came, or one that is not known" in text(
        browser, "message"
    )


def test_a_cut_link_does_not_cost_a_browser_its_key(browser: Any, north: Asker) -> None:
    assert opened(browser, link(north)) == "waiting"
    browser.get("about:blank")
    assert opened(browser, f"{north.origin}/#edge=north&key={north.key[:20]}") == "waiting"


def test_two_tabs_of_a_browser_keep_what_each_of_them_adds(browser: Any, north: Asker) -> None:
    assert opened(browser, link(north)) == "waiting"
    script = """
    const done = arguments[arguments.length - 1];
    (async () => {
        const { Collection } = await import("/page/joining/collection.js");
        const { Store } = await import("/page/joining/store.js");
        const info = { classes: ["a", "b"], input_shape: [1], inputs_dtype: "uint8" };
        const store = await Store.open("north");
        const one = await Collection.open(store, info), other = await Collection.open(store, info);
        await one.add([{ values: [1], label: "a" }]);
        await other.add([{ values: [2], label: "b" }]);
        await one.add([{ values: [3], label: "a" }]);
        const all = await Collection.open(store, info);
        return [all.counts, [...all.examples().x].sort()];
    })().then(done, (error) => done(String(error.stack)));
    """
    assert browser.execute_async_script(script) == [[2, 1], [1, 2, 3]]


def test_examples_are_added_by_class_and_kept(
    browser: Any, north: Asker, exchange: Path, bundle: Path, tmp_path: Path
) -> None:
    asked(Mailbox(exchange / "north"), bundle)
    assert opened(browser, link(north)) == "ready"
    assert counts(browser) == [0] * 10
    assert not browser.find_element("id", "start").is_enabled()
    chosen = [picture(tmp_path, at) for at in range(3)]
    browser.find_element("id", "pick").send_keys("\n".join(chosen))
    assert waited(browser, "return document.getElementById('add').textContent === 'Add all 3'")
    choose(browser, "4")
    browser.find_element("id", "add").click()
    assert waited(browser, "return !document.getElementById('start').disabled")
    assert counts(browser) == [0, 0, 0, 0, 3, 0, 0, 0, 0, 0]
    draw(browser)
    choose(browser, "1")
    browser.find_element("id", "add").click()
    arrays = tmp_path / "mine.npz"
    np.savez(arrays, x_train=DIGITS.test.inputs[:20], y_train=DIGITS.test.labels[:20])
    browser.find_element("id", "labelled").send_keys(str(arrays))
    of_file = np.bincount(DIGITS.test.labels[:20], minlength=10).tolist()
    expected = [n + (3 if at == 4 else 0) + (at == 1) for at, n in enumerate(of_file)]
    assert waited(browser, "return document.getElementById('total').textContent.startsWith('24')")
    assert counts(browser) == expected
    table = tmp_path / "mine.csv"
    rows = DIGITS.test.inputs[20:22].reshape(2, -1)
    names = ",".join(f"p{at}" for at in range(64))
    lines = [f"{names},label", *(",".join(map(str, row)) + ",7" for row in rows)]
    table.write_text("\n".join(lines))
    browser.find_element("id", "labelled").send_keys(str(table))
    assert waited(browser, "return document.getElementById('total').textContent.startsWith('26')")
    expected[7] += 2
    browser.refresh()
    assert waited(browser, "return document.body.dataset.state === 'ready'")
    assert counts(browser) == expected
    given = kept(browser)
    assert given["shape"] == [26, 8, 8, 1]
    assert given["dtype"] == "uint8"
    x = np.array(given["x"]).reshape(26, 8, 8, 1)
    assert np.array_equal(x[:3], DIGITS.test.inputs[:3])
    assert np.array_equal(x[4:24], DIGITS.test.inputs[:20])
    assert np.array_equal(x[24:], DIGITS.test.inputs[20:22])
    assert given["y"] == [4] * 3 + [1] + DIGITS.test.labels[:20].tolist() + [7] * 2
    browser.find_element("id", "undo").click()
    assert waited(browser, "return document.getElementById('total').textContent.startsWith('24')")


def kept(browser: Any) -> Any:
    """The examples as training gets them."""
    return browser.execute_async_script(
        """
        const done = arguments[arguments.length - 1];
        (async () => {
            const { Store } = await import("./page/joining/store.js");
            const { keptTask } = await import("./page/joining/task.js");
            const { Collection } = await import("./page/joining/collection.js");
            const store = await Store.open("north");
            const { info } = await keptTask(store);
            const { x, shape, y, dtype } = (await Collection.open(store, info)).examples();
            done({ x: [...x], shape, y: [...y], dtype });
        })();
        """
    )


def draw(browser: Any) -> None:
    """A line from the top to the bottom."""
    browser.execute_script(
        """
        const pad = document.getElementById("pad"), box = pad.getBoundingClientRect();
        pad.setPointerCapture = () => {};
        const at = (type, share) => pad.dispatchEvent(new PointerEvent(type, {
            pointerId: 1, button: 0, bubbles: true,
            clientX: box.left + box.width / 2, clientY: box.top + box.height * share }));
        at("pointerdown", 0.2);
        for (let share = 0.25; share < 0.8; share += 0.05) at("pointermove", share);
        at("pointerup", 0.8);
        """
    )


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.npz", b"no zip", "a.npz can't be read"),
        ("a.npz", {"x_train": DIGITS.test.inputs[:2]}, "has no array y_train"),
        ("a.npz", {"x": DIGITS.test.inputs[:2], "y": np.array([1])}, "2 examples and 1 labels"),
        (
            "a.npz",
            {"x": DIGITS.test.inputs[:2], "y": np.array([1, 10])},
            "The label 10 (example 2 of",
        ),
        ("a.npz", {"x": DIGITS.test.inputs[:1, :4], "y": np.array([1])}, "32 values came"),
        ("a.npz", {"x": DIGITS.test.inputs[:1] + 99, "y": np.array([1])}, "outside the range"),
        ("a.npz", {"x": DIGITS.test.inputs[:1] / 7, "y": np.array([1])}, "is a fraction"),
        ("a.csv", b"p1,p2\n1,2\n", 'has no column "label"'),
        ("a.csv", b"p1,label\n1,3\n", "Row 2 has 1 numbers"),
    ],
)
def test_a_wrong_file_is_told_and_nothing_of_it_kept(
    browser: Any, north: Asker, exchange: Path, bundle: Path, tmp_path: Path,
    name: str, content: Any, said: str,
) -> None:  # fmt: skip
    asked(Mailbox(exchange / "north"), bundle)
    assert opened(browser, link(north)) == "ready"
    stream = io.BytesIO()
    if isinstance(content, dict):
        np.savez(stream, **content)
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else stream.getvalue())
    browser.find_element("id", "labelled").send_keys(str(tmp_path / name))
    assert waited(browser, "return !document.getElementById('message').hidden")
    assert said in text(browser, "message")
    assert sum(counts(browser)) == 0


def test_it_takes_part_and_answers_without_a_network_afterwards(
    browser: Any, exchange: Path, bundle: Path, tmp_path: Path
) -> None:
    box = Mailbox(exchange / "north")
    request = asked(box, bundle)
    with fronted(exchange, contents=joining_contents()) as askers:
        north = askers["north"]
        assert opened(browser, link(north)) == "ready"
        add_some(browser, tmp_path)
        browser.find_element("id", "start").click()
        reply = answered(box, request)
        assert reply.update is not None
        check_update(
            Update(reply.update), request.template, edge="north", round_number=1, num_classes=10
        )
        assert browser.find_element("id", "stop").is_displayed()
        assert browser.find_element("id", "later").is_displayed()
        last = dataclasses.replace(request, kind=FINISH)
        browser.refresh()  # it goes on by itself
        assert waited(browser, "return !document.getElementById('stop').hidden")
        box.send(last)
        decision = answered(box, last).decision
        assert decision is not None
        assert decision.accepted.rung == "local"  # the global model is not trained at all
        assert waited(browser, "return document.getElementById('start').offsetParent !== null")
        assert text(browser, "status").startswith("The run is over.")
        assert "Round 1: this device kept its local model" in text(browser, "facts")
        assert waited(
            browser,
            "return document.getElementById('offline').textContent.includes('without a network')",
        )
    browser.refresh()
    assert waited(browser, "return document.body.dataset.state === 'ready'")
    assert waited(browser, "return document.body.dataset.reach === 'no'")
    browser.find_element("id", "pick").send_keys(picture(tmp_path, 0))
    label = waited(
        browser,
        "const best = document.querySelector('#cards .best .label');"
        "return best && best.textContent",
    )
    assert label == CLASSES[expected(reply.update, bundle)]
    assert "The server can't be reached" in text(browser, "status")


def test_only_one_browser_and_one_tab_of_it_is_the_edge(
    browser: Any, exchange: Path, bundle: Path, tmp_path: Path
) -> None:
    box = Mailbox(exchange / "north")
    asked(box, bundle)
    with fronted(exchange, contents=joining_contents()) as askers:
        assert opened(browser, link(askers["north"])) == "ready"
        add_some(browser, tmp_path)
        browser.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            "navigator.locks.request('ecavg/north', () => new Promise((free) => {"
            " window.free = free; done(); }));"
        )  # as another tab does
        start = browser.find_element("id", "start")
        start.click()
        assert waited(browser, "return !document.getElementById('message').hidden")
        assert "Another tab of this browser takes part as north" in text(browser, "message")
        browser.execute_script("window.free()")
        box.claim(Owner("ab" * 16, "another browser", "2026-01-01T00:00:00+00:00"))
        start.click()
        said = (
            "document.getElementById('message').textContent.includes('belongs to another browser')"
        )
        assert waited(browser, f"return {said}")
        assert [path.name for path in box.outbox.iterdir()] == ["owner.json"]


def answered(box: Mailbox, request: Request) -> Reply:
    """The reply, once it is there."""
    until = time.monotonic() + PATIENCE_S
    while (answer := box.answer(request)) is None:
        assert time.monotonic() < until, "no reply came"
        time.sleep(0.1)
    assert isinstance(answer, Reply), answer
    return answer


def expected(update: Path, bundle: Path) -> int:
    """The label that Python gives the first test picture, under the weights of an update."""
    net = keras.models.clone_model(model())
    net.set_weights([value for _, value in Update(update).items(template_of(bundle))])
    return int(net.predict(DIGITS.test.inputs[:1].astype(np.float32), verbose=0).argmax())


def template_of(bundle: Path) -> Template:
    return read_training_bundle(bundle).info.template


def test_a_server_without_data_is_told_what_the_tab_has(
    browser: Any, exchange: Path, tmp_path: Path
) -> None:
    box, spec = Mailbox(exchange / "north"), DIGITS.spec
    inputs = Inputs("digits", spec.input_shape, spec.dtype, spec.value_range, spec.classes)
    hello = Request(HELLO, "run-a", 0, Template(()), Shipped(None), inputs=inputs)
    with fronted(exchange, contents=joining_contents()) as askers:
        box.send(dataclasses.replace(hello, inputs=None))
        assert opened(browser, link(askers["north"])) == "waiting"
        assert text(browser, "status").startswith("Connected. Another edge must first tell")
        box.send(hello)  # as the server does when it knows
        assert waited(browser, "return document.body.dataset.state === 'ready'")
        add_some(browser, tmp_path)
        browser.find_element("id", "start").click()
        description = answered(box, hello).description
        assert description is not None
        assert description.disagreement(inputs) is None


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_wide_and_narrow_windows_and_lets_everybody_in(
    browser: Any, exchange: Path, bundle: Path, tmp_path: Path, width: int, dark: bool
) -> None:
    pictures = Path(os.environ.get("PICTURES_DIR", tmp_path))
    name = f"{width}-{'dark' if dark else 'light'}.png"
    box = Mailbox(exchange / "north")
    with fronted(exchange, contents=joining_contents()) as askers:
        assert opened(browser, link(askers["north"]), width, dark=dark) == "waiting"
        looked_at(browser, pictures / f"join-waiting-{name}")
        request = asked(box, bundle)
        assert waited(browser, "return document.body.dataset.state === 'ready'")
        draw(browser)
        looked_at(browser, pictures / f"join-ready-{name}")
        add_some(browser, tmp_path)
        browser.find_element("id", "start").click()
        answered(box, request)
        box.send(dataclasses.replace(request, kind=FINISH))
        assert waited(
            browser, "return document.getElementById('status').textContent.includes('over')"
        )
        draw(browser)
        assert waited(browser, "return document.querySelector('#cards .best')")
        browser.execute_script("document.getElementById('history').open = true")
        looked_at(browser, pictures / f"join-over-{name}")
        browser.execute_script("scrollTo(0, document.documentElement.scrollHeight)")
        looked_at(browser, pictures / f"join-over-below-{name}")
    if "AXE_CORE" not in os.environ:
        pytest.skip("AXE_CORE does not name axe-core's axe.min.js: only the width was checked")


def add_some(browser: Any, folder: Path) -> None:
    """Gives the page a file of labelled digits."""
    arrays = folder / "some.npz"
    np.savez(arrays, x_train=DIGITS.train.inputs[:300], y_train=DIGITS.train.labels[:300])
    browser.find_element("id", "labelled").send_keys(str(arrays))
    assert waited(browser, "return !document.getElementById('start').disabled")
