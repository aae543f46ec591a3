"""The cost sheet: what a file takes to store and to run, compared with its Keras model."""

import time
from collections.abc import Callable

import keras
import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.exports import Cost, Latency
from ecavg_tf.core.template import Array
from export.proving.interpreter import LiteModel
from export.reading.flatmodel import read_flatmodel

_THREADS = (1, 2)
_LEAST_RUNS = 10


def cost_sheet(
    tflite: bytes, image: Array, *, seconds: float, keras_latencies: tuple[Latency, ...] = ()
) -> Cost:
    """Reads what the file says of itself, and times it.

    Args:
        tflite: the file's bytes.
        image: one raw image, without the batch.
        seconds: time to spend on each measurement.
        keras_latencies: what the same image takes in Keras.

    Raises:
        ExportError: the file can't be read or run.
    """
    facts = read_flatmodel(tflite)
    timed = tuple(
        _latency(
            f"file, {threads} thread{'s' if threads > 1 else ''}",
            _time(LiteModel(tflite, threads=threads).ready(image), seconds),
        )
        for threads in _THREADS
    )
    return Cost(
        parameters=facts.parameters,
        macs=facts.macs,
        peak_activation_bytes=facts.peak_activation_bytes,
        min_runtime=facts.min_runtime,
        operators=facts.operators,
        latencies=(*timed, *keras_latencies),
    )


def keras_latencies(model: keras.Model, image: Array, seconds: float) -> tuple[Latency, ...]:
    """Times Keras' own ways to answer one example: ``predict`` and ``model(x)``.

    Args:
        model: a built model.
        image: one raw image, without the batch.
        seconds: time to spend on each.
    """
    batch = image[np.newaxis].astype(np.float32)
    calls: tuple[tuple[str, Callable[[], object]], ...] = (
        ("Keras predict", lambda: model.predict(batch, verbose=0)),
        ("Keras model(x)", lambda: np.asarray(model(batch, training=False))),
    )
    return tuple(_latency(what, _time(call, seconds)) for what, call in calls)


def _time(call: Callable[[], object], seconds: float) -> NDArray[np.float64]:
    """Seconds of single calls, after two that don't count: the first one traces."""
    call()
    call()
    spent: list[float] = []
    until = time.perf_counter() + seconds
    while len(spent) < _LEAST_RUNS or time.perf_counter() < until:
        began = time.perf_counter()
        call()
        spent.append(time.perf_counter() - began)
    return np.asarray(spent)


def _latency(what: str, spent: NDArray[np.float64]) -> Latency:
    return Latency(
        what,
        median_ms=float(1e3 * np.median(spent)),
        p95_ms=float(1e3 * np.percentile(spent, 95)),
        runs=len(spent),
    )
