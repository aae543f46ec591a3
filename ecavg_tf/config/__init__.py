"""The settings of a run: fields, their choices, checks and overrides.

This package's own names are the ones that a config file needs.
"""

from ecavg_tf.config.baseline_section import BaselineConfig
from ecavg_tf.config.checks import with_fields
from ecavg_tf.config.choices import (
    Align,
    ClassWeights,
    DoubtfulLabels,
    FleetKind,
    Format,
    GuardRule,
    LevelFor,
    Output,
    PartitionKind,
    PoolEpochs,
    PoolRate,
    Rescale,
    Schedule,
    TrainingFile,
    Trains,
    Weighting,
)
from ecavg_tf.config.export_section import ExportConfig, Limits
from ecavg_tf.config.fleet_section import FleetConfig
from ecavg_tf.config.levels import decision_level
from ecavg_tf.config.sections import (
    Config,
    DataConfig,
    EdgeConfig,
    FitConfig,
    ModelConfig,
    PartitionConfig,
    ServerConfig,
    UpdateConfig,
)

__all__ = [
    "Align",
    "BaselineConfig",
    "ClassWeights",
    "Config",
    "DataConfig",
    "DoubtfulLabels",
    "EdgeConfig",
    "ExportConfig",
    "FitConfig",
    "FleetConfig",
    "FleetKind",
    "Format",
    "GuardRule",
    "LevelFor",
    "Limits",
    "ModelConfig",
    "Output",
    "PartitionConfig",
    "PartitionKind",
    "PoolEpochs",
    "PoolRate",
    "Rescale",
    "Schedule",
    "ServerConfig",
    "TrainingFile",
    "Trains",
    "UpdateConfig",
    "Weighting",
    "decision_level",
    "with_fields",
]
