"""Fine-tuning towards what the edges' models answer together: ensemble distillation.

Hinton et al., "Distilling the knowledge in a neural network" (arXiv 1503.02531), and for models of
edges: Lin et al., "Ensemble distillation for robust model fusion in federated learning" (NeurIPS
2020, arXiv 2006.07242). Of a pooled example x with class y, the fine-tuning learns

    t(c) = (1 - d) [c = y] + d (1/K) sum_k p_k(c | x)

with d = ``server.distill``, and p_k what the model of edge k of K gives (temperature 1). Its loss
is the cross-entropy with t.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ecavg_tf.core.messages.update_file import Update
from ecavg_tf.core.template import Array, Template
from ecavg_tf.data.dataset import Examples, SoftExamples, one_hot


@dataclass(frozen=True)
class Teacher:
    """The edges of a round as one teacher.

    Attributes:
        share: of the target that is theirs, in (0, 1].
        probabilities: what a model gives for examples, shape (n, classes).
    """

    share: float
    probabilities: Callable[[Examples, Sequence[Array]], Array]

    def __call__(
        self, updates: Sequence[Update], template: Template, base: Sequence[Array], pooled: Examples
    ) -> SoftExamples:
        """Pooled examples with targets; one model in memory at a time.

        Args:
            updates: the edges' models, at least one.
            template: the run's template.
            base: what the round started from, for weights that an update leaves out.
            pooled: what the server fine-tunes on.
        """
        total: Array | None = None
        for update in updates:
            named = {spec.key: array for spec, array in update.items(template)}
            said = np.asarray(self.probabilities(pooled, template.listed(named, base)), np.float64)
            total = said if total is None else total + said
        assert total is not None  # a round has at least one update
        labels = one_hot(pooled.labels, total.shape[1])
        targets = (1 - self.share) * labels + self.share * total / len(updates)
        return SoftExamples(pooled.inputs, pooled.labels, targets.astype(np.float32))
