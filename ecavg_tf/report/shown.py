"""Which edges a report shows one by one: all of a few, and of many some that tell most."""

from collections.abc import Sequence, Sized

from ecavg_tf.report.gains import gain
from ecavg_tf.results import EdgeResult

FIRST = 50  # edges, by name
EXTREMES = 5  # that gained most, and that lost most


def shown(edges: Sequence[EdgeResult]) -> Sequence[EdgeResult]:
    """All edges; of many the first, those that lost most and those that gained most.

    Args:
        edges: of a round, in order of names.

    Returns:
        A part of them, in the same order.
    """
    if not are_many(edges):
        return edges
    changes = {edge.edge: change for edge in edges if (change := gain(edge)) is not None}
    order = sorted(changes, key=changes.__getitem__)
    names = {edge.edge for edge in edges[:FIRST]} | {*order[:EXTREMES], *order[-EXTREMES:]}
    return [edge for edge in edges if edge.edge in names]


def are_many(edges: Sized) -> bool:
    """Whether there are more than a report shows one by one."""
    return len(edges) > FIRST + 2 * EXTREMES


def left_out(edges: Sequence[EdgeResult]) -> str:
    """Says which edges are shown; empty: all are."""
    if not are_many(edges):
        return ""
    return (
        f"Shown are the first {FIRST} of {len(edges):,} edges, the {EXTREMES} that lost most and "
        f"the {EXTREMES} that gained most; results.csv has all."
    )
