"""Training bundles of a run's model, for edges without TensorFlow."""

from collections.abc import Sequence
from pathlib import Path

from ecavg_tf.core.bundles.training_bundle import (
    frozen_sha256,
    training_file_name,
    write_training_bundle,
)
from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import Examples
from ecavg_tf.task import Task
from export.making.training import TrainingExporter, optimizer_spec


class TrainingFiles:
    """Makes a training bundle for every set of frozen weights, once.

    Where the layers that edges don't train stay as they are (``model.train=head``, or
    a net of Dense layers alone), that is one file a run. Where the server trains them, it
    is a new one a round.

    Args:
        task: the model, and how edges train it.
        test: the examples that a file is compared with Keras on.
        folder: where the bundles go.
        run_id: names the run.
    """

    def __init__(self, task: Task, test: Examples, folder: Path, run_id: str | None) -> None:
        self._test = test
        self._folder = folder
        self._run_id = run_id
        self._exporter = TrainingExporter(
            task.server_trainer.model,
            task.spec,
            task.config.fleet.training_file.value,
            optimizer_spec(task.config.edge.optimizer),
            task.config.edge.batch_size,
        )
        self._held = self._exporter.held()[0]

    def bundle_for(self, weights: Sequence[Array]) -> Path:
        """The bundle of a model, made and compared with Keras where it is a new one.

        Args:
            weights: in template order.

        Raises:
            ExportError: the file differs from Keras.
        """
        name = training_file_name(frozen_sha256(weights, self._held))
        path = self._folder / name
        if not path.exists():
            self._exporter.model.set_weights(weights)
            origin = {"run": self._run_id}
            write_training_bundle(path, self._exporter.bundle(self._test, origin))
        return path
