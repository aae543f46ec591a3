"""What the server finds out about its edges in a round."""

from dataclasses import dataclass


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
