"""Tabs that take part in a run, each in a profile of its own."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from learning_for_tests import evaluated

from ecavg_tf.data.dataset import Examples

PATIENCE_S = 300

# What the page does when its user takes part. A tab that is slow can be closed in mid-epoch.
TAKE_PART = """
const [edge, key, example, isSlow] = given;
const { Client } = await import("/page/joining/client.js");
const { Store } = await import("/page/joining/store.js");
const { Agent } = await load("agent");
const { TrainingModel } = await load("training_model");
const client = new Client({ edge, key });
const store = await Store.open(edge);
const seen = (window.seen = { epochs: [], steps: 0, first: null, over: false, error: null });
const { train } = TrainingModel.prototype;
TrainingModel.prototype.train = async function (...given) {
    seen.steps += 1;
    if (isSlow && seen.epochs.some(([round, epoch]) => round === 2 && epoch === 1)) {
        await new Promise((resolve) => setTimeout(resolve, 200));
    }
    return train.apply(this, given);
};
const listener = async (event) => {
    if (event.kind === "epoch") {
        seen.epochs.push([event.round, event.epoch, seen.steps]);
        if (event.round === 1 && event.epoch === 1) {
            const { state } = await store.get("run/learner");
            seen.first = state.weights.map((values) =>
                btoa(String.fromCharCode(...new Uint8Array(values.buffer))));
        }
    }
    if (event.kind === "over") seen.over = true;
};
const plain = ({ x, y, ...rest }) => ({ ...rest, x: Float32Array.from(x), y: Int32Array.from(y) });
const data = { examples: () => ({ ...plain(example), test: plain(example.test) }) };
new Agent({ edge, client, store, data, listener }).run().catch(
    (error) => (seen.error = String(error.stack)));
"""


@dataclass(frozen=True)
class Data:
    """What an edge without Keras has: examples to train on and to hold out, and a test set."""

    train: Examples
    test: Examples

    def save(self, path: Path) -> Path:
        np.savez(
            path, x_train=self.train.inputs, y_train=self.train.labels,
            x_test=self.test.inputs, y_test=self.test.labels,
        )  # fmt: skip
        return path

    def for_page(self) -> dict[str, Any]:
        def plain(examples: Examples) -> dict[str, Any]:
            flat = np.asarray(examples.inputs, np.float64).reshape(-1).tolist()
            shape, labels = list(examples.inputs.shape), examples.labels.tolist()
            return {"x": flat, "shape": shape, "y": labels, "dtype": examples.inputs.dtype.name}

        return {**plain(self.train), "test": plain(self.test)}


@dataclass
class Tab:
    """An open tab, and what it saw while it was open."""

    browser: Any
    link: str
    data: Data

    def open(self, *, slow: bool = False) -> None:
        """Opens the page in a new tab of the same profile, and takes part."""
        self.browser.switch_to.new_window("tab")
        parts = urlsplit(self.link)
        said = parse_qs(parts.fragment)
        self.browser.get(f"{parts.scheme}://{parts.netloc}/")
        evaluated(
            self.browser, TAKE_PART, said["edge"][0], said["key"][0], self.data.for_page(), slow
        )

    def close(self) -> dict[str, Any]:
        seen: dict[str, Any] = self.seen()
        self.browser.close()
        self.browser.switch_to.window(self.browser.window_handles[0])
        return seen

    def seen(self) -> dict[str, Any]:
        found: dict[str, Any] = self.browser.execute_script("return window.seen")
        assert found["error"] is None, found["error"]
        return found

    def wait(self, what: str) -> dict[str, Any]:
        """Until a condition over ``seen`` holds."""
        until = time.monotonic() + PATIENCE_S
        while not self.browser.execute_script(f"const seen = window.seen; return {what}"):
            self.seen()
            assert time.monotonic() < until, f"still not: {what}"
            time.sleep(0.05)
        return self.seen()
