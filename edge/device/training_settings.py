"""Training settings of a device: the part of a run's config that a training file can follow."""

from dataclasses import dataclass

from ecavg_tf.config import ClassWeights, EdgeConfig, Schedule
from ecavg_tf.core.bundles.training_bundle import OptimizerSpec
from ecavg_tf.core.errors import ConfigError
from ecavg_tf.core.schedules import cosine_rate


@dataclass(frozen=True)
class TrainingSettings:
    """How a device trains.

    Attributes:
        epochs: passes over the examples.
        batch_size: examples a step; the last of an epoch may have fewer.
        learning_rate: of the first epoch.
        cosine: whether it falls towards 0 along a cosine, epoch by epoch.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    cosine: bool = False

    @classmethod
    def of(cls, config: EdgeConfig, optimizer: OptimizerSpec) -> "TrainingSettings":
        """An edge's part of a run's config.

        Args:
            config: the run's.
            optimizer: what the training file has.

        Raises:
            ConfigError: a training file can't do what it asks for.
        """
        for name, asked, able in (
            ("optimizer", config.optimizer.lower(), optimizer.name),
            ("weight_decay", config.weight_decay, 0),
            ("augment", config.augment, False),
            ("callbacks", config.callbacks, ""),
            ("patience", config.patience, 0),
            ("class_weights", config.class_weights.value, ClassWeights.NONE.value),
        ):
            if asked != able:
                raise ConfigError(
                    f"the run has edge.{name}={asked!r}, this device's training file can do "
                    f"{able!r} only; change the run's config, or export another file"
                )
        if optimizer != OptimizerSpec(optimizer.name):
            raise ConfigError(
                f"the training file has {optimizer}, the run's edge.optimizer={config.optimizer!r} "
                "means Keras' defaults; export a file without --momentum"
            )
        return cls(
            config.epochs,
            config.batch_size,
            config.learning_rate,
            config.schedule is Schedule.COSINE,
        )

    def rate(self, epoch: int) -> float:
        """The learning rate of an epoch, from 0."""
        if self.cosine:
            return cosine_rate(self.learning_rate, epoch, self.epochs)
        return self.learning_rate
