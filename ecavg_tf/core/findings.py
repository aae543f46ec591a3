"""What is found out about edges beside their scores in a round."""

from collections.abc import Mapping
from dataclasses import dataclass

from ecavg_tf.core.by_class import Hits
from ecavg_tf.core.scores import Score


@dataclass(frozen=True)
class Influence:
    """What an edge's update does to the average; see ``server.influence``.

    Attributes:
        edge: its name.
        norm: Euclidean norm of its change of the trained weights.
        cosine: between its change and the sum of the others', in [-1, 1].
        loss_with: loss on a few pooled examples of the plain mean of all updates, nats.
        loss_without: the same of the mean without this edge.
        judged: of its pooled examples, how many a model of the others could judge.
        implausible: how many of these have a label that it holds for wrong.
        implausible_others: the share of such labels among the others' pooled examples, each
            judged by a model that has not seen it.
        left_out: how many of all its pooled examples the server did not train on for their
            labels (``server.doubtful_labels``); None: none.
    """

    edge: str
    norm: float
    cosine: float
    loss_with: float | None = None
    loss_without: float | None = None
    judged: int | None = None
    implausible: int | None = None
    implausible_others: float | None = None
    left_out: int | None = None


@dataclass(frozen=True)
class Privacy:
    """What noised updates tell of an edge; see ``server.accounting``.

    Attributes:
        epsilon: of all updates of the edge that was asked most often, together.
        delta: at this delta.
        updates: how many these are.
    """

    epsilon: float
    delta: float
    updates: int


@dataclass(frozen=True)
class EdgeCost:
    """What a round cost one edge that was asked.

    Attributes:
        edge: its name.
        seconds: its own time by ``pretrain``, ``update`` (deciding on the round's global model)
            and ``evaluate``.
        bytes_down: size of the files that the server wrote for it: requests with the model, and
            training files. Of edges in the server's process, size that they would have.
        bytes_up: size of the files that it answered with: update, pooled data, replies.
    """

    edge: str
    seconds: Mapping[str, float]
    bytes_down: int
    bytes_up: int


@dataclass(frozen=True)
class Alone:
    """What an edge came to alone; see ``baseline.alone``.

    Attributes:
        edge: its name.
        rounds: the rounds that it trained in.
        epochs: epochs of all of them together, which it trained alone.
        processed: examples that it went through for that; 0: its local model was alone already.
        own: score on its own test distribution.
        all: score on the global test set.
        weights_sha256: of its model; None: its local model.
        seconds: what it took.
        hits: right answers on its own test examples by class; None: unknown, or those of its
            local model.
    """

    edge: str
    rounds: tuple[int, ...]
    epochs: int
    processed: int
    own: Score | None
    all: Score | None
    weights_sha256: str | None = None
    seconds: float = 0.0
    hits: Hits | None = None
