"""The process that TensorFlow's converter, or a file that it made, may crash.

    python -m export.making.converting_child

JSON lines in and out. ``{"do": "convert", …}`` makes a file of a SavedModel, ``"answer"`` runs
one on images, ``"train"`` and ``"stateless"`` run training files, ``"load"`` loads a Keras model.
Arrays and files go through paths.
"""

import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ecavg_tf.core.children import ends_first
from ecavg_tf.core.errors import brief
from ecavg_tf.core.template import Array
from export.proving.interpreter import LiteModel, kernel_outputs
from export.proving.training_steps import stateless_steps, training_steps


def main() -> None:
    """Answers requests until its input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it, and cleans up
    ends_first()
    # What the C++ side prints must not mix with answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    with contextlib.suppress(ImportError):  # told when a conversion is asked for
        import tensorflow  # noqa: F401  (seconds, while the parent prepares the model)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = _DO[request["do"]](request)
        except Exception as error:  # the converter raises many kinds
            answer = {"error": str(error) or brief(error), "kind": type(error).__name__}
        print(json.dumps(answer), file=answers, flush=True)


def _convert(request: Mapping[str, Any]) -> dict[str, Any]:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(request["saved"])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if request["resources"]:
        converter.experimental_enable_resource_variables = True
    converter.unfold_batchmatmul = request["unfolded"]
    if request["format"] != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if request["format"] == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if request["format"] == "dynamic":
        # Per-channel weights make FULLY_CONNECTED version 12, which tflite-runtime 2.14 lacks.
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    if request["calibration"] is not None:
        inputs = np.load(request["calibration"], allow_pickle=False)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.representative_dataset = lambda: _representatives(inputs)
        converter.inference_input_type = converter.inference_output_type = tf.int8
    if request["format"] == "int16x8":
        with_16 = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        converter.target_spec.supported_ops = [with_16]
        converter.inference_input_type = converter.inference_output_type = tf.int16
    Path(request["to"]).write_bytes(converter.convert())
    return {"ok": True}


def _representatives(inputs: Array) -> Iterator[list[Array]]:
    for image in inputs:
        yield [image[np.newaxis]]


def _answer(request: Mapping[str, Any]) -> dict[str, Any]:
    inputs = np.load(request["inputs"], allow_pickle=False)
    np.save(request["to"], _opened(request["file"]).answers(inputs), allow_pickle=False)
    return {"ok": True}


@lru_cache(maxsize=1)
def _opened(file: str) -> LiteModel:
    """A file, whose examples come in several requests; each file has a name of its own."""
    return LiteModel(Path(file).read_bytes())


def _outputs(request: Mapping[str, Any]) -> dict[str, Any]:
    content = Path(request["file"]).read_bytes()
    inputs = np.load(request["inputs"], allow_pickle=False)
    found = kernel_outputs(content, inputs, reference=request["reference"])
    np.save(request["to"], found, allow_pickle=False)
    return {"ok": True}


def _train(request: Mapping[str, Any]) -> dict[str, Any]:
    found = training_steps(
        Path(request["file"]).read_bytes(),
        np.load(request["inputs"], allow_pickle=False),
        np.load(request["labels"], allow_pickle=False),
        steps=request["steps"],
        rate=request["rate"],
    )
    np.save(request["to"], found, allow_pickle=False)
    return {"ok": True}


def _stateless(request: Mapping[str, Any]) -> dict[str, Any]:
    x, y, *weights = (
        np.load(request[name], allow_pickle=False) for name in ("x", "y", "kernel", "bias")
    )
    content = Path(request["file"]).read_bytes()
    found = stateless_steps(content, x, y, weights, steps=request["steps"], rate=request["rate"])
    np.save(request["to"], found, allow_pickle=False)
    return {"ok": True}


def _load(request: Mapping[str, Any]) -> dict[str, Any]:
    import keras

    keras.models.load_model(request["file"], compile=False)
    keras.backend.clear_session()
    return {"ok": True}


_DO: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "convert": _convert,
    "answer": _answer,
    "outputs": _outputs,
    "train": _train,
    "stateless": _stateless,
    "load": _load,
}


if __name__ == "__main__":
    main()
