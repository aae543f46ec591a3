"""A round's results with the decisions that edges made on its global model."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ecavg_tf.core.scores import Accepted, Decision, Scores, mean
from ecavg_tf.results import EdgeResult, RoundResult, ServerResult


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
    return replace(result, edges=edges, seconds=seconds, server=server)
