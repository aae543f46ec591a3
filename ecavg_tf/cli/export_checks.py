"""What ``ecavg export`` is given, checked before modules are imported that take seconds."""

import math
from collections.abc import Sequence
from pathlib import Path

from ecavg_tf.config.checks import one_of
from ecavg_tf.core.bundles.bundle import OUTPUT_KINDS
from ecavg_tf.core.errors import ConfigError, ModelError
from ecavg_tf.resuming import stored_config


def check_source(source: Path, edges: Sequence[str] = ()) -> None:
    """Refuses a wrong path at once: the modules that read it take seconds to import.

    Args:
        source: a run directory or a .keras file.
        edges: whose models of it are asked for; empty: all.
    """
    from export.reading.model_files import check_model_file

    check_model_file(source)
    if source.suffix != ".keras":
        stored_config(source)
    elif not source.is_file():
        raise ModelError(f"{source} is not there; give a run directory or a .keras file")
    elif edges:
        raise ConfigError(f"--edge is for a run, and {source} is one model; leave it out")


def gives_logits(output: str, *, logits: bool) -> bool:
    """Whether a model gives logits, by ``--output`` and ``--logits``."""
    if output == "values":
        raise ConfigError(
            "--output=values: the command line exports classifiers; "
            "export.to_tflite(model, …, output='values') makes files of other models from Python"
        )
    if output:
        one_of("--output", output, OUTPUT_KINDS)
    if logits and output == "probabilities":
        raise ConfigError("--logits and --output=probabilities contradict; give one of them")
    return logits or output == "logits"


def range_of(words: Sequence[str]) -> tuple[float, float]:
    """The lowest and the highest value of ``--value-range``."""
    try:
        low, high = (float(word) for word in words)
    except ValueError as error:
        raise ConfigError(f"--value-range is {','.join(words)!r}; expected LOW,HIGH") from error
    if not -math.inf < low < high < math.inf:
        raise ConfigError(
            f"--value-range is {','.join(words)!r}; LOW must be below HIGH, both finite"
        )
    return low, high
