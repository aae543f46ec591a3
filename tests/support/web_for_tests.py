"""Bundles for the page's tests, made without a gate, and a browser that opens the page."""

import os
import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ecavg_tf.core.bundles.bundle import TOLERANCE, Bundle, BundleInfo, write_bundle
from ecavg_tf.core.bundles.scaling import FeatureScaling
from ecavg_tf.core.template import Array
from ecavg_tf.core.two_classes import output_kind
from ecavg_tf.data.dataset import DataSpec
from edge.device.runtime import Model, find_runtime
from edge.predicting.probabilities import predict_probabilities
from export.making.convert import Converter
from export.making.formats import Variant
from export.web.contents import Offered, page_contents
from export.web.server import PageServer

PATIENCE_S = 60.0


def bundled(
    folder: Path,
    model: keras.Model,
    spec: DataSpec,
    examples: Array,
    variants: Sequence[Variant],
    scaling: FeatureScaling | None = None,
) -> dict[str, Path]:
    """A bundle of each format, whether a gate would pass it or not.

    Args:
        folder: where to.
        model: with a softmax at its end.
        spec: what its inputs are.
        examples: calibrate int8, and the first 16 are the golden ones.
        variants: which formats.
        scaling: what is done to raw inputs before the model gets them.
    """
    made = {}
    scaled = examples if scaling is None else scaling(examples)
    with Converter(model, spec.input_shape) as converter:
        for variant in variants:
            content = converter.convert(variant, scaled if variant.calibrated else None)
            loaded = Model(find_runtime(), content, 1)
            kind = output_kind(logits=variant is Variant.INT8, one_output=False)
            golden = examples[:16]
            info = BundleInfo(
                format=variant.value,
                classes=spec.classes,
                inputs_dtype=spec.dtype,
                value_range=spec.value_range,
                input=loaded.input,
                output=loaded.output,
                output_kind=kind,
                origin={"run": "r", "round": 1, "edge": "edge-00", "weights_sha256": "ab" * 32},
                min_runtime=None,
                operators=(),
                tolerance=TOLERANCE[variant.value],
                declared=spec.declared,
                feature_scaling=scaling,
                columns=spec.columns,
            )
            answers = predict_probabilities(loaded, golden, kind, scaling)
            made[variant.value] = folder / f"{variant.value}.bundle.zip"
            write_bundle(made[variant.value], Bundle(info, content, golden, answers))
    return made


@contextmanager
def served(models: Sequence[Offered], **changed: bytes) -> Iterator[str]:
    """The address of a page with these bundles; ``changed`` files are damaged on the way."""
    contents = page_contents(models)
    assert set(changed) <= set(contents)
    with running({**contents, **changed}) as address:
        yield address


@contextmanager
def running(contents: Mapping[str, bytes]) -> Iterator[str]:
    """The address of a page with these files."""
    with PageServer(contents) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.address
        finally:
            server.shutdown()
            thread.join()


def chromium() -> Any:
    """Headless Chromium; skips the test where it, its driver or selenium is missing."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    for program in ("chromium", "chromedriver"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for word in (
        *("headless", "no-sandbox", "disable-gpu", "hide-scrollbars"),
        *("use-fake-ui-for-media-stream", "use-fake-device-for-media-stream"),
    ):
        options.add_argument(f"--{word}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    return webdriver.Chrome(options=options, service=service)


def opened(browser: Any, address: str, width: int = 1280, *, dark: bool = False) -> str:
    """Opens a page and waits until it has loaded its models; what it says then."""
    metrics = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    browser.get(address)
    return settled(browser)


def settled(browser: Any) -> str:
    """Waits until models are loaded; ``ready``, or ``failed``."""
    state = "document.body.dataset.state"
    return str(waited(browser, f"return {state} === 'loading' ? null : {state}"))


def waited(browser: Any, script: str) -> Any:
    """What a script returns as soon as it returns something."""
    until = time.monotonic() + PATIENCE_S
    while not (found := browser.execute_script(script)):
        assert time.monotonic() < until, f"still nothing from: {script}"
        time.sleep(0.05)
    return found


def called(browser: Any, module: str, expression: str, *given: Any) -> Any:
    """The value of an expression over ``module``, one of the page's own, and ``given``."""
    script = f"""
    const done = arguments[arguments.length - 1], given = arguments;
    import("./page/{module}.js").then(async (module) => done({{ value: await ({expression}) }}))
        .catch((error) => done({{ error: String(error.message) }}));
    """
    answer = browser.execute_async_script(script, *given)
    assert "error" not in answer, answer["error"]
    return answer["value"]


def examples_of(values: Array) -> list[Any]:
    """An array's examples as flat lists of numbers, for a script."""
    flat: list[Any] = np.asarray(values, np.float64).reshape(len(values), -1).tolist()
    return flat


def looked_at(browser: Any, picture: Path) -> None:
    """Photographs a page; asserts that it fits the window and, with AXE_CORE, lets everybody in."""
    wider = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert browser.execute_script(f"return {wider}") == 0
    browser.save_screenshot(str(picture))
    axe = os.environ.get("AXE_CORE")
    if axe is not None:
        assert _serious(browser, Path(axe).read_text()) == []


def _serious(browser: Any, axe: str) -> list[Any]:
    browser.execute_script(axe)
    found: list[Any] = browser.execute_async_script(
        """const done = arguments[arguments.length - 1];
        axe.run(document, {resultTypes: ["violations"]}).then((found) => done(
            found.violations.filter((one) => ["serious", "critical"].includes(one.impact)).map(
                (one) => [one.id, one.nodes.map((node) => node.html)])));"""
    )
    return found
