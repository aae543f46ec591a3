"""``check`` and ``predict``: what they print."""

import json
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.bundles.bundle import BundleInfo
from ecavg_tf.core.bundles.training_bundle import is_training_bundle
from ecavg_tf.core.commands import one_line
from ecavg_tf.core.errors import ECAvgError, printable
from ecavg_tf.core.exports import Verdict
from ecavg_tf.core.raw_inputs import maybe_rescaled
from ecavg_tf.core.table import LABEL
from edge.device.check import Checked, check_bundle
from edge.device.check_training import check_training_bundle
from edge.predict import Predictor
from edge.predicting.inputs import Wanted, load_inputs


def check(bundles: Sequence[str], *, as_json: bool) -> int:
    """Checks bundles and prints a line each.

    Returns:
        0, or the exit code of the first that is refused; the others are checked too.
    """
    code, rows = 0, []
    for path in bundles:
        try:
            row, line = _check(path)
        except ECAvgError as error:
            code = code or error.exit_code
            rows.append({"bundle": path, "sound": False, "error": str(error)})
            verdict = "REFUSED: " if Path(path).exists() else ""  # of a mistyped name there is none
            print(f"{verdict}{one_line(str(error))}", file=sys.stderr)
            continue
        rows.append(row)
        if not as_json:
            print(line)
    if as_json:
        print(json.dumps({"bundles": rows}, indent=2))
    return code


def predict(
    predictor: Predictor,
    inputs: Sequence[str],
    *,
    top: int,
    as_json: bool,
    label_column: str = LABEL,
) -> int:
    """Labels examples and prints a line each.

    Args:
        predictor: what labels them.
        inputs: files, folders, or ``-``.
        top: how many labels to print of each example.
        as_json: one JSON object instead of lines.
        label_column: of a table: a column that is no input, if it is there.

    Returns:
        0.
    """
    model = predictor.model
    wanted = Wanted(
        model.input_shape,
        model.inputs_dtype,
        model.value_range,
        model.declared,
        model.columns,
        label_column,
    )
    rows: list[dict[str, Any]] = []
    lowest, highest = math.inf, -math.inf
    for name, example in load_inputs(inputs, wanted, tell=_note):
        lowest, highest = min(lowest, float(example.min())), max(highest, float(example.max()))
        began = time.perf_counter()
        (probabilities,) = predictor.predict(example)
        milliseconds = 1000 * (time.perf_counter() - began)
        best = _best(probabilities, model.classes, top)
        if as_json:
            rows.append({"input": name, "top": best, "latency_ms": round(milliseconds, 4)})
        else:
            said = ", ".join(
                f"class {row['label']} ({100 * row['probability']:.1f} %)" for row in best
            )
            print(printable(f"{name}: {said} in {milliseconds:.2f} ms"))
    if model.declared and (note := maybe_rescaled(lowest, highest, model.value_range)):
        _note(f"note: {note}")
    if as_json:
        described = {**model.source, "runtime": str(model.runtime)}
        print(json.dumps({**described, "inputs": rows}, indent=2))
    return 0


def _note(text: str) -> None:
    print(printable(text), file=sys.stderr)


def _best(
    probabilities: NDArray[np.float32], classes: Sequence[str], top: int
) -> list[dict[str, Any]]:
    order = np.argsort(-probabilities, kind="stable")[:top]
    return [{"label": classes[i], "probability": float(probabilities[i])} for i in order]


def _check(path: str) -> tuple[dict[str, Any], str]:
    """A sound bundle as a row of JSON and as a line."""
    if not is_training_bundle(path):
        checked = check_bundle(path)
        return _checked_row(path, checked), _checked_line(path, checked)
    trains = check_training_bundle(path)
    row = {
        "bundle": path,
        "sound": True,
        "format": "training",
        "runtime": str(trains.runtime),
        "difference": trains.difference,
    }
    line = (
        f"{path}: sound (trains {trains.bundle.info.trainable} with "
        f"{trains.bundle.info.optimizer.name} in {trains.runtime}; largest difference "
        f"{trains.difference:.2g})"
    )
    return row, line


def _checked_row(path: str, checked: Checked) -> dict[str, Any]:
    return {
        "bundle": path,
        "sound": True,
        "format": checked.bundle.info.format,
        "runtime": str(checked.runtime),
        "golden_examples": checked.inputs,
        "difference": checked.difference,
        "agreement": checked.agreement,
        "proved_as": checked.bundle.info.proved_as,
        "verdict": checked.bundle.info.verdict,
    }


def _checked_line(path: str, checked: Checked) -> str:
    return (
        f"{path}: sound ({checked.bundle.info.format} in {checked.runtime}; {checked.inputs} "
        f"golden examples, largest difference {checked.difference:.2g}, labels agree on "
        f"{checked.agreement:.0%}){_proof(checked.bundle.info)}"
    )


def _proof(info: BundleInfo) -> str:
    """What the exporter proved of the file, where it says so."""
    if info.proved_as is None:
        return ""
    if info.verdict is Verdict.UNDECIDED:
        return f"; unproved: too few examples showed that it is {info.proved_as}"
    return f"; proved as {info.proved_as}"
