"""Edge-cloud collaborative learning in Keras (ECAvg, arXiv 2310.03823).

Importing this package loads no TensorFlow; the functions below load it when they are
first asked for.
"""

import importlib
import sys
from typing import TYPE_CHECKING, Any

from ecavg_tf import forked as forked  # sees forks from here on

if TYPE_CHECKING:
    from ecavg_tf.config import Config, with_fields
    from ecavg_tf.config.choices import (
        FleetKind,
        LevelFor,
        Output,
        PartitionKind,
        Schedule,
        TrainingFile,
        Trains,
        Weighting,
    )
    from ecavg_tf.core.averaging import average_weights
    from ecavg_tf.core.errors import ECAvgError
    from ecavg_tf.data.dataset import Dataset, DataSpec, Examples
    from ecavg_tf.live import progress
    from ecavg_tf.models.batchnorm import recalibrate_batchnorm
    from ecavg_tf.results import RunResults, load_results
    from ecavg_tf.rounds.loop import run

_HOMES = {
    "Weighting": "ecavg_tf.config.choices",
    "Trains": "ecavg_tf.config.choices",
    "TrainingFile": "ecavg_tf.config.choices",
    "Schedule": "ecavg_tf.config.choices",
    "PartitionKind": "ecavg_tf.config.choices",
    "Output": "ecavg_tf.config.choices",
    "LevelFor": "ecavg_tf.config.choices",
    "FleetKind": "ecavg_tf.config.choices",
    "Config": "ecavg_tf.config",
    "DataSpec": "ecavg_tf.data.dataset",
    "Dataset": "ecavg_tf.data.dataset",
    "ECAvgError": "ecavg_tf.core.errors",
    "Examples": "ecavg_tf.data.dataset",
    "RunResults": "ecavg_tf.results",
    "average_weights": "ecavg_tf.core.averaging",
    "load_results": "ecavg_tf.results",
    "progress": "ecavg_tf.live",
    "recalibrate_batchnorm": "ecavg_tf.models.batchnorm",
    "run": "ecavg_tf.rounds.loop",
    "with_fields": "ecavg_tf.config",
}

_WITH_TENSORFLOW = ("recalibrate_batchnorm", "run")

__all__ = [
    "Config",
    "DataSpec",
    "Dataset",
    "ECAvgError",
    "Examples",
    "FleetKind",
    "LevelFor",
    "Output",
    "PartitionKind",
    "RunResults",
    "Schedule",
    "TrainingFile",
    "Trains",
    "Weighting",
    "average_weights",
    "load_results",
    "progress",
    "recalibrate_batchnorm",
    "run",
    "with_fields",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ecavg_tf' has no attribute {name!r}")
    if name in _WITH_TENSORFLOW and "tensorflow" not in sys.modules:
        from ecavg_tf.quiet import import_tensorflow

        import_tensorflow()  # without the lines that it prints on the way
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
