"""Files that a tab reads and writes, beside those of Python."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from learning_for_tests import evaluated, served_modules
from web_for_tests import chromium

from ecavg_tf.core.messages.request import EXCHANGE, Request, Shipped, write_request
from ecavg_tf.core.messages.update_file import save_tensors
from ecavg_tf.core.template import Array
from ecavg_tf.models.builders import template_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    session = chromium()
    session.set_script_timeout(300)
    yield session
    session.quit()


def test_a_damaged_request_is_refused(browser: Any, tmp_path: Path) -> None:
    weights: Sequence[Array] = [np.arange(6, dtype=np.float32).reshape(2, 3)]
    template = template_of(
        keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, use_bias=False)])
    )
    config = {"a": 1.0, "b": [1e-7, 1e22, -0.0], "é": '\x7f"', "sha256": {"sha256": "x"}}
    request = Request(EXCHANGE, "run", 2, template, Shipped(weights, (1.5, 2.0)), config=config)
    write_request(tmp_path / "sound", request)
    sound = (tmp_path / "sound").read_bytes()
    bad = {
        "weight": sound[:-1] + bytes([sound[-1] ^ 1]),
        "round": sound.replace(b'ound\\":2', b'ound\\":3'),
    }
    assert bad["round"] != sound
    body = """
    const { readRequest } = await load("requests");
    const said = [];
    for (const name of given[0]) said.push(await readRequest(name, await fetched(name)).then(
        ({ round }) => round, (error) => error.message));
    return said;"""
    with served_modules(sound=sound, **bad) as address:
        browser.get(address)
        found = evaluated(browser, body, ["sound", *bad])
    assert found[0] == 2
    for said in found[1:]:
        assert "is damaged: it is not what the server wrote" in said


def test_files_of_tensors_are_written_to_the_byte(browser: Any, tmp_path: Path) -> None:
    draws = np.random.default_rng(0)
    kinds = ("float32", "float64", "float16", "int64", "uint8", "int32", "uint32", "bool", "int16")
    named = {
        f'{"zyx"[at % 3]}/kérnel "{at}"': draws.integers(0, 2, shape).astype(kind)
        for at, (kind, shape) in enumerate(zip(kinds * 2, [(3, 5), (), (7,)] * 6, strict=True))
    }
    metadata = {"metrics": {"loss": 1.0, "n": 3}, "edge": "Łódź", "class_counts": [1, 2]}
    save_tensors(tmp_path / "file", named, metadata)
    content = (tmp_path / "file").read_bytes()
    body = """
    const { readTensors, writeTensors } = await load("tensors");
    const { Real, canonicalJson } = await load("canonical_json");
    const { tensors, text } = readTensors("file", await fetched("file"));
    const said = canonicalJson({ metrics: { n: 3, loss: new Real(1) }, edge: "Łódź",
        class_counts: [1, 2] });
    return [Array.from(writeTensors(tensors, text)), said === text];"""
    with served_modules(file=content) as address:
        browser.get(address)
        written, is_same = evaluated(browser, body)
    assert bytes(written) == content
    assert is_same
