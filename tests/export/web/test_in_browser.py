"""The page in headless Chromium: the same answers as in Python, and what people meet on it.

    pip install selenium; install Chromium and its driver; npm pack axe-core and unpack it
    AXE_CORE=package/axe.min.js PICTURES_DIR=runs pytest -m slow tests/export/web

Without AXE_CORE nothing looks for what keeps people out; PICTURES_DIR gets screenshots.
"""

import functools
import http.server
import json
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from web_for_tests import (
    bundled,
    called,
    chromium,
    examples_of,
    looked_at,
    opened,
    served,
    settled,
    waited,
)

from ecavg_tf.config import DataConfig
from ecavg_tf.core.bundles.bundle import read_bundle, write_bundle
from ecavg_tf.core.bundles.quantization import quantize
from ecavg_tf.core.bundles.scaling import FeatureScaling
from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import Dataset, DataSpec
from ecavg_tf.data.sources import load_data
from edge.device.runtime import Model, find_runtime
from edge.predict import Predictor
from edge.predicting.inputs import Wanted, load_inputs
from export.making.formats import Variant
from export.web.contents import Offered, page_contents
from export.web.folder import write_page

pytestmark = pytest.mark.slow

FORMATS = (Variant.FLOAT32, Variant.FLOAT16, Variant.DYNAMIC, Variant.INT8)
COLUMNS = ("alcohol", "acid, malic", "ash", "hue")
DIGITS = {  # strokes as a right-handed person draws them; (0, 0) is the left upper corner
    "0": [[(50, 15), (30, 30), (28, 60), (45, 85), (65, 75), (72, 50), (68, 25), (50, 15)]],
    "2": [[(30, 30), (45, 15), (65, 22), (65, 42), (30, 83), (72, 83)]],
    "3": [[(30, 20), (60, 15), (70, 30), (50, 47), (70, 65), (60, 85), (30, 82)]],
    "4": [[(55, 15), (30, 55), (75, 55)], [(60, 40), (60, 90)]],
    "7": [[(25, 20), (75, 20), (60, 50), (45, 85)]],
}


@dataclass(frozen=True)
class Page:
    """A page that is served, and what it was made of."""

    address: str
    bundles: dict[str, dict[str, Path]]
    cifar: Dataset


def tfds(name: str, count: int) -> Dataset:
    folder = os.environ.get("TFDS_DATA_DIR", "")
    if not (folder and (Path(folder) / name).is_dir()):
        pytest.skip(f"TFDS_DATA_DIR does not point at prepared {name}")
    return load_data(DataConfig(name=name, train_examples=count, test_examples=60), 0)


def mnist_model(data: Dataset, epochs: int) -> keras.Model:
    keras.utils.set_random_seed(0)
    layers = [
        keras.layers.Rescaling(1 / 255),
        keras.layers.Flatten(),
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dense(10, activation="softmax"),
    ]
    model = keras.Sequential([keras.Input((28, 28, 1)), *layers])
    model.compile("adam", "sparse_categorical_crossentropy")
    inputs = data.train.inputs.astype("float32")
    model.fit(inputs, data.train.labels, epochs=epochs, batch_size=64, verbose=0)
    return model


def cifar_model(data: Dataset) -> keras.Model:
    """MobileNetV2 that sorts real images somehow: nobody waits here until it sorts them well."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((32, 32, 3))
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(inputs)
    net = keras.applications.MobileNetV2(
        include_top=False, weights=None, input_tensor=scaled, pooling="avg", alpha=0.1
    )
    head = keras.layers.Dense(10, activation="softmax", name="head")
    model = keras.Model(inputs, head(net.output))
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.5
    for at in range(6):  # moving statistics of real images
        model(data.train.inputs[64 * at : 64 * at + 64].astype("float32"), training=True)
    features = keras.Model(inputs, net.output)(data.train.inputs[:200].astype("float32")).numpy()
    kernel, _ = head.get_weights()
    logits = features @ kernel
    spread = logits.std(axis=0) / 2
    head.set_weights([kernel / spread, -logits.mean(axis=0) / spread])  # every label has its turn
    return model


def small_model(shape: tuple[int, ...]) -> keras.Model:
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")]
    return keras.Sequential([keras.Input(shape), *layers])


def normal(shape: tuple[int, ...], scales: list[float]) -> NDArray[np.float32]:
    drawn = np.random.default_rng(0).normal(size=(60, *shape))
    return np.asarray(drawn * np.array(scales), np.float32)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("web")
    mnist, cifar = tfds("mnist", 4000), tfds("cifar10", 400)
    table = DataSpec("table", (4,), "float32", (-9.0, 900.0), ("a", "b", "c"), False, (), COLUMNS)
    signal = replace(table, name="signal", input_shape=(8, 2), columns=None)
    scaling = FeatureScaling((0.5, 0.004, 1.0, 2.0), (0.1, -0.2, 0.0, 0.3))
    whole, two = mnist.train.inputs[:200], (Variant.FLOAT32, Variant.INT8)
    bundles = {
        "mnist": bundled(folder / "m", mnist_model(mnist, 4), mnist.spec, whole, FORMATS),
        "mnist local": bundled(folder / "l", mnist_model(mnist, 1), mnist.spec, whole, FORMATS),
        "cifar": bundled(
            folder / "c", cifar_model(cifar), cifar.spec, cifar.train.inputs[:100], FORMATS
        ),
        "table": bundled(
            folder / "t", small_model((4,)), table, normal((4,), [2, 200, 1, 1]), two, scaling
        ),
        "signal": bundled(folder / "s", small_model((8, 2)), signal, normal((8, 2), [1, 3]), two),
    }
    models = [
        Offered(path, group.removesuffix(" local"), "local" if "local" in group else "accepted")
        for group, paths in bundles.items()
        for path in paths.values()
    ]
    with served(models) as address:
        yield Page(address, bundles, cifar)


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    made = chromium()
    yield made
    made.quit()


@pytest.fixture
def browser(session: Any, page: Page) -> Iterator[Any]:
    """A browser that must log no error, and ask no other address than the page's."""
    session.get_log("browser"), session.get_log("performance")
    yield session
    assert errors(session) == []
    asked = requested(session)
    assert asked
    assert [url for url in asked if not url.startswith(page.address)] == []


def errors(browser: Any) -> list[str]:
    return [each["message"] for each in browser.get_log("browser") if each["level"] == "SEVERE"]


def requested(browser: Any) -> list[str]:
    events = [json.loads(each["message"])["message"] for each in browser.get_log("performance")]
    sent = [each["params"] for each in events if each["method"] == "Network.requestWillBeSent"]
    return [each["request"]["url"] for each in sent]


def text(browser: Any, selector: str) -> str:
    script = "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent).join()"
    return str(browser.execute_script(script, selector))


def chosen(browser: Any, group: str, variant: str) -> None:
    """Chooses a model and a format, as a user does."""
    for name, value in (("group", group), ("format", variant)):
        browser.execute_script(
            "const [id, value] = arguments; const select = document.getElementById(id);"
            "if (select.value !== value) { select.value = value;"
            "document.body.dataset.state = 'loading'; select.onchange(); }",
            name,
            value,
        )
        assert settled(browser) == "ready", text(browser, "#message, dl")


def shown(browser: Any) -> list[float]:
    """The probabilities on the first card."""
    script = """return [...document.querySelectorAll(".card:first-child .bar")].map(
        (bar) => Number(bar.style.getPropertyValue("--share")))"""
    return [float(each) for each in browser.execute_script(script)]


def answered(browser: Any) -> None:
    waited(browser, "return !document.querySelector('.bars.empty')")


def drawn(browser: Any, strokes: list[list[tuple[int, int]]]) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    pad = browser.find_element("id", "pad")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", pad)
    side = pad.size["width"]
    for stroke in strokes:
        actions = ActionChains(browser, duration=10)
        places = [(int((x - 50) / 100 * side), int((y - 50) / 100 * side)) for x, y in stroke]
        actions.move_to_element_with_offset(pad, *places[0]).click_and_hold()
        for place in places[1:]:
            actions.move_to_element_with_offset(pad, *place)
        actions.release().perform()


def pressed(browser: Any, label: str) -> None:
    script = "[...document.querySelectorAll('button')].find((b) => b.textContent === arguments[0])"
    browser.execute_script(f"{script}.click()", label)


@pytest.mark.parametrize(
    ("group", "formats"),
    [("mnist", FORMATS), ("cifar", FORMATS), ("table", ("float32", "int8")), ("signal", ("int8",))],
)
def test_the_self_test_passes(
    browser: Any, page: Page, group: str, formats: tuple[str, ...]
) -> None:
    assert opened(browser, page.address) == "ready"
    for variant in formats:
        chosen(browser, group, variant)
        facts = text(browser, ".good dd")
        assert facts.count("passed: 16 golden examples") == (2 if group == "mnist" else 1)
        assert facts.count("all labels equal") == facts.count("passed")
        assert "median" in text(browser, "dl")
        differences = [float(each) for each in re.findall(r"largest difference ([\d.e-]+),", facts)]
        if variant == "int8":
            assert max(differences) == 0
        elif group != "cifar":
            assert max(differences) < 1e-5


@pytest.mark.parametrize("variant", ["float32", "int8"])
def test_a_drawn_digit_gets_its_label(browser: Any, page: Page, variant: str) -> None:
    opened(browser, page.address)
    chosen(browser, "mnist", variant)
    for label, strokes in DIGITS.items():
        drawn(browser, strokes)
        answered(browser)
        waited(
            browser,
            f"return document.querySelector('.card:last-child .top').textContent === '{label}'"
            " || document.getElementById('status').textContent.startsWith('The drawing')",
        )
        assert text(browser, ".card:last-child .top") == label
        pressed(browser, "Clear")
        waited(browser, "return document.querySelector('.bars.empty')")


def test_both_models_answer_side_by_side_and_are_announced(browser: Any, page: Page) -> None:
    opened(browser, page.address, 390)
    chosen(browser, "mnist", "float32")
    drawn(browser, DIGITS["0"])
    said = waited(
        browser,
        "const said = document.querySelector('[role=status]').textContent;"
        "return said.startsWith('The drawing') ? said : null",
    )
    assert "accepted: 0 (" in said
    assert "local: " in said
    assert text(browser, ".card h3") == "local,accepted"
    assert "accepted: 0 (" in text(browser, "#quick")


def test_the_keyboard_draws_too(browser: Any, page: Page) -> None:
    opened(browser, page.address)
    pad = browser.find_element("id", "pad")
    up, down, space, escape = "\ue013", "\ue015", " ", "\ue00c"
    pad.send_keys(up * 9, space, down * 18, space)
    answered(browser)
    waited(browser, "return document.querySelector('.card:last-child .top').textContent === '1'")
    pad.send_keys(escape)
    waited(browser, "return document.querySelector('.bars.empty')")


@pytest.mark.parametrize("variant", FORMATS)
def test_an_image_gets_the_answer_that_it_gets_in_python(
    browser: Any, page: Page, variant: str, tmp_path: Path
) -> None:
    from PIL import Image

    path = page.bundles["cifar"][variant]
    info, python = read_bundle(path).info, Predictor(path, threads=1, check=False)
    wanted = Wanted(info.input.shape[1:], info.inputs_dtype, info.value_range)
    # Where sums differ in their last bit, an activation that dynamic quantizes may round the other
    # way. This net, which nobody trained, makes much of such a step: LiteRT's own kernels are up to
    # 0.4 apart on it.
    most = {"int8": 1e-7, "dynamic": 0.15}.get(variant, 1e-4)
    labels = set()
    opened(browser, page.address)
    chosen(browser, "cifar", variant)
    for number, pixels in enumerate(page.cifar.test.inputs[:8]):
        file = tmp_path / f"{number}.png"
        Image.fromarray(pixels).save(file)
        pick = browser.find_element("id", "pick")
        pick.clear()  # it takes several pictures: the driver would add to those that are there
        pick.send_keys(str(file))
        waited(
            browser,
            f"return document.getElementById('status').textContent.startsWith('{number}.png')",
        )
        ((_, example),) = load_inputs([str(file)], wanted)
        (expected,) = python.predict(example)
        found = shown(browser)
        assert np.abs(np.array(found) - expected).max() < most
        assert text(browser, ".top") == info.classes[int(expected.argmax())]
        labels.add(int(expected.argmax()))
    assert len(labels) > 2


def test_int8_scores_are_those_of_python_to_the_last_step(browser: Any, page: Page) -> None:
    bundle = read_bundle(page.bundles["cifar"]["int8"])
    images = page.cifar.test.inputs[:40]
    opened(browser, page.address)
    script = """
    (async () => {
        const { readCatalog, readBundle } = await import("./page/catalog.js");
        const entry = (await readCatalog()).find(
            (one) => one.group === "cifar" && one.format === "int8");
        const predictor = await module.Predictor.load(await readBundle(entry));
        const found = [];
        for (const one of given[0]) found.push(Array.from(await predictor.scores(one)));
        return found;
    })()"""
    found = called(browser, "predictor", script, examples_of(images))
    python = Model(find_runtime(), bundle.model, 1)
    real = np.concatenate([python.answers(image[np.newaxis]) for image in images])
    spec = bundle.info.output
    assert spec.scale is not None
    assert spec.zero_point is not None
    steps = np.rint(real / np.float32(spec.scale)).astype(int) + spec.zero_point
    assert np.ptp(steps) > 100  # answers that could differ
    assert np.array_equal(np.array(found), steps)


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("size", [(37, 53), (20, 90), (128, 40), (9, 5)])
def test_other_sizes_are_fitted_as_pillow_does(
    browser: Any, page: Page, mode: str, size: tuple[int, int]
) -> None:
    from PIL import Image, ImageOps

    drawn_pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    opened(browser, page.address)
    picture = Image.fromarray(drawn_pixels)
    expected = ImageOps.fit(picture.convert(mode), (16, 12), Image.Resampling.BILINEAR)
    alpha = np.full((*size, 1), 255, np.uint8)
    given = {
        "width": size[1],
        "height": size[0],
        "data": np.concatenate([drawn_pixels, alpha], 2).ravel().tolist(),
    }
    script = """Array.from(module.fitted({...given[0], data: Uint8ClampedArray.from(given[0].data)},
        {width: 16, height: 12, channels: given[1]}).data)"""
    found = called(browser, "pictures", script, given, len(mode))
    steps = np.abs(np.array(found) - np.asarray(expected).ravel().astype(int))
    assert steps.max() <= 1  # Pillow resizes tall pictures in another order
    assert size[0] > 100 or steps.max() == 0


def test_quantizing_rounds_as_numpy_does(browser: Any, page: Page) -> None:
    opened(browser, page.address)
    info = read_bundle(page.bundles["table"]["int8"]).info
    assert info.feature_scaling is not None
    values = np.concatenate([normal((4,), [3, 300, 2, 2]), np.zeros((1, 4)), np.full((1, 4), 1e6)])
    expected = quantize(info.feature_scaling(values), info.input)
    given = {
        "input": {"dtype": "int8", **{k: getattr(info.input, k) for k in ("scale", "zero_point")}},
        "feature_scaling": vars(info.feature_scaling),
    }
    script = "given[0].map((one) => Array.from(module.tensorOf(one, given[1])))"
    found = called(browser, "predictor", script, examples_of(values), given)
    assert np.array_equal(np.array(found), expected)
    halves = [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.49]
    rounded = called(browser, "predictor", "given[0].map(module.roundHalfEven)", halves)
    assert rounded == np.round(halves).tolist()


def pasted(browser: Any, what: str) -> None:
    browser.execute_script(
        "const text = document.getElementById('numbers'); text.value = arguments[0];"
        "text.dispatchEvent(new Event('input'))",
        what,
    )


def test_a_table_is_matched_by_its_columns(browser: Any, page: Page) -> None:
    opened(browser, page.address)
    chosen(browser, "table", "int8")
    path = page.bundles["table"]["int8"]
    rows: Array = np.round(normal((4,), [2, 200, 1, 1])[:3], 3)
    expected = Predictor(path, check=False).predict(rows)
    lines = ['hue,label,"acid, malic",ash,alcohol']
    lines += [f"{row[3]},x,{row[1]},{row[2]},{row[0]}" for row in rows.tolist()]
    pasted(browser, "\n".join(lines))
    waited(browser, "return document.querySelector('#many table')")
    assert np.abs(np.array(shown(browser)) - expected[0]).max() < 1e-7
    labels = ["abc"[at] for at in expected.argmax(axis=1)]
    cells = text(browser, "#many td").split(",")
    assert [cell[0] for cell in cells] == labels
    assert text(browser, "#many tbody th") == "row 2,row 3,row 4"
    for wrong, said in (
        ("hue,ash,alcohol\n1,2,3", "The column acid, malic is missing."),
        ("1, 2, 3", "Row 1 has 3 numbers. An example is one row of 4 numbers."),
        ("1;2;x;4\n1;2;3;4", "The column alcohol is missing."),
        ("1;2;3;4\n1;2;y;4", 'Row 2 holds "y", which is no number'),
    ):
        pasted(browser, wrong)
        waited(browser, "return !document.getElementById('message').hidden")
        assert said in text(browser, "#message")
    pasted(browser, "1 2 3 4")
    waited(browser, "return document.getElementById('message').hidden")


def test_a_signal_is_one_row_or_a_row_for_each_step(browser: Any, page: Page) -> None:
    opened(browser, page.address)
    chosen(browser, "signal", "float32")
    (signal,) = np.round(normal((8, 2), [1, 3])[:1], 3)
    (expected,) = Predictor(page.bundles["signal"]["float32"], check=False).predict(signal)
    for rows in ([signal.ravel()], signal):
        pasted(browser, "\n".join(",".join(map(str, row.tolist())) for row in rows))
        answered(browser)
        assert np.abs(np.array(shown(browser)) - expected).max() < 1e-6
        pasted(browser, "")
        waited(browser, "return document.querySelector('.bars.empty')")


def test_the_camera_answers_until_it_is_stopped(browser: Any, page: Page) -> None:
    opened(browser, page.address)
    chosen(browser, "cifar", "float32")
    pressed(browser, "Use the camera")
    answered(browser)
    assert browser.execute_script("return document.querySelector('video').videoWidth") > 0
    pressed(browser, "Stop the camera")
    assert browser.execute_script("return document.querySelector('video').srcObject") is None


def test_values_outside_the_range_are_refused(browser: Any, page: Page) -> None:
    opened(browser, page.address)
    info = {"input": {"shape": [1, 2], "dtype": "float32"}, "value_range": [0, 16]}
    for values, said in (
        ([1, 17], "outside the range"),
        ([1], "1 values came"),
        ([1, None], "no finite"),
    ):
        script = "Promise.resolve().then(() => module.checkValues(given[0].map((v) => v ?? NaN), "
        script += "given[1])).then(() => '', (error) => error.message)"
        assert said in called(browser, "predictor", script, values, info)


@pytest.mark.parametrize("part", ["model.tflite", "bundle.json", "golden_inputs.npy"])
def test_a_damaged_file_is_named_and_nothing_runs(session: Any, page: Page, part: str) -> None:
    path = page.bundles["mnist"]["float32"]
    models = [Offered(path, "mnist", "accepted")]
    content = bytearray(page_contents(models)[f"models/0/{part}"])
    content[-20] ^= 1
    with served(models, **{f"models/0/{part}": bytes(content)}) as address:
        assert opened(session, address) == "failed"
        said = text(session, "[role=alert]")
        assert f"The file models/0/{part} is damaged" in said
        assert "Nothing was run. Export the page again" in said
        assert not session.execute_script("return document.getElementById('message').hidden")
        assert text(session, ".good") == ""
        assert errors(session) == []


def test_a_wrong_answer_fails_the_self_test(session: Any, page: Page, tmp_path: Path) -> None:
    bundle = read_bundle(page.bundles["mnist"]["float32"])
    write_bundle(
        tmp_path / "wrong.bundle.zip",
        replace(bundle, golden_outputs=np.roll(bundle.golden_outputs, 1, axis=1)),
    )
    with served([Offered(tmp_path / "wrong.bundle.zip", "mnist", "accepted")]) as address:
        assert opened(session, address) == "failed"
        assert text(session, ".bad dd").startswith("failed: 16 golden examples, largest difference")
        assert text(session, "#status") == "Self-test failed: accepted"


def test_a_file_that_is_no_model_is_told(session: Any, page: Page, tmp_path: Path) -> None:
    bundle = read_bundle(page.bundles["mnist"]["float32"])
    write_bundle(tmp_path / "no.bundle.zip", replace(bundle, model=b"no model" * 200))
    with served([Offered(tmp_path / "no.bundle.zip", "mnist", "accepted")]) as address:
        assert opened(session, address) == "failed"
        assert "This browser can't run the model: " in text(session, "[role=alert]")


def test_any_web_server_will_do(session: Any, page: Page, tmp_path: Path) -> None:
    models = [Offered(page.bundles["mnist"]["int8"], "mnist", "accepted")]
    write_page(tmp_path / "site", page_contents(models))
    handler = functools.partial(_Quiet, directory=str(tmp_path / "site"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,)).start()
        try:
            assert opened(session, f"http://127.0.0.1:{server.server_port}/") == "ready"
            assert errors(session) == []
            script = "return fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')"
            assert session.execute_script(script) == "refused"
            assert "violates the following Content Security Policy" in " ".join(errors(session))
        finally:
            server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *said: object) -> None:
        del said


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_the_window_and_keeps_nobody_out(
    browser: Any, page: Page, width: int, dark: bool, tmp_path: Path
) -> None:
    pictures = Path(os.environ.get("PICTURES_DIR", tmp_path))
    axe = os.environ.get("AXE_CORE")
    opened(browser, page.address, width, dark=dark)
    for group in ("mnist", "cifar", "table"):
        chosen(browser, group, "int8")
        pressed(browser, "Next")
        answered(browser)
        looked_at(browser, pictures / f"{group}-{width}-{'dark' if dark else 'light'}.png")
    if axe is None:
        pytest.skip("AXE_CORE does not name axe-core's axe.min.js: only the width was checked")
