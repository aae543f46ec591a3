"""A round's results with the decisions that edges made on its global model."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ecavg_tf.core.errors import WorkdirError
from ecavg_tf.core.fields import Fields
from ecavg_tf.core.files import read_json, write_json
from ecavg_tf.core.findings import EdgeCost
from ecavg_tf.core.scores import Accepted, Decision, Scores, mean
from ecavg_tf.results import EdgeResult, RoundResult, ServerResult

_FINISH = "finish.json"


def _all_of(accepted: Accepted, entry: EdgeResult) -> Accepted:
    """What was accepted, with the score on all that is known of the same model."""
    known = {"global": entry.global_, "local": entry.local}.get(accepted.rung)
    if accepted.all is not None or known is None:
        return accepted
    return replace(accepted, all=known.all)


def _with_reported(server: ServerResult, edges: Iterable[EdgeResult]) -> ServerResult:
    """The server's stages; without a test set of its own, the global model as edges report it."""
    if server.global_.all is not None:
        return server
    scores = [edge.global_.own for edge in edges if edge.global_ and edge.global_.own]
    return replace(server, global_=replace(server.global_, all=mean(scores)))


def with_decisions(result: RoundResult, decisions: Mapping[str, Decision]) -> RoundResult:
    """The round with the decisions that edges made on its global model."""
    known = {edge.edge: edge for edge in result.edges}
    for name, decision in decisions.items():
        entry = known.get(name) or EdgeResult(
            name, decision.examples, decision.class_counts, None, None, None
        )
        shown = next((rung for rung in decision.rungs if rung.rung == "global"), None)
        if shown is not None:
            measured = Scores(shown.own, shown.all).completed(entry.global_)
            entry = replace(entry, global_=measured)
        accepted = _all_of(decision.accepted, entry)
        known[name] = replace(entry, rungs=decision.rungs, accepted=accepted)
    seconds = {
        **result.seconds,
        "update": sum(d.seconds for d in decisions.values()),
        "evaluate": result.seconds.get("evaluate", 0.0)
        + sum(d.evaluate_seconds for d in decisions.values()),
    }
    edges = tuple(known[name] for name in sorted(known))
    server = _with_reported(result.server, edges)
    costs = _with_times(result.costs, decisions)
    return replace(result, edges=edges, seconds=seconds, server=server, costs=costs)


def _with_times(
    costs: Sequence[EdgeCost], decisions: Mapping[str, Decision]
) -> tuple[EdgeCost, ...]:
    """The costs with the time that deciding took; of an older run nothing is known."""
    known = {cost.edge: cost for cost in costs}
    for name, decision in decisions.items() if costs else ():
        cost = known.get(name) or EdgeCost(name, {}, 0, 0)
        evaluating = cost.seconds.get("evaluate", 0.0) + decision.evaluate_seconds
        times = {"update": decision.seconds, "evaluate": evaluating}
        known[name] = replace(cost, seconds={**cost.seconds, **times})
    return tuple(known[name] for name in sorted(known))


def write_finish_sizes(folder: Path, sizes: Mapping[str, tuple[int, int]]) -> None:
    """Keeps the bytes of a run's last exchange, down and up by edge, in its last round's folder."""
    told = {edge: {"down": down, "up": up} for edge, (down, up) in sizes.items()}
    write_json(folder / _FINISH, told)


def with_finish_sizes(result: RoundResult, folder: Path) -> RoundResult:
    """The round with the bytes of the run's last exchange, if it was the last one.

    Raises:
        WorkdirError: the file is damaged.
    """
    path = folder / _FINISH
    if not path.exists():
        return result
    known = {cost.edge: cost for cost in result.costs}
    told = Fields(read_json(path))
    try:
        for edge in told.values:
            cost, sizes = known.get(edge) or EdgeCost(edge, {}, 0, 0), told.inner(edge)
            down, up = cost.bytes_down + sizes.count("down"), cost.bytes_up + sizes.count("up")
            known[edge] = replace(cost, bytes_down=down, bytes_up=up)
    except ValueError as error:
        raise WorkdirError(f"{path} is damaged ({error}); remove it") from error
    return replace(result, costs=tuple(known[name] for name in sorted(known)))
