"""Decisions in plain words, from the evidence in results.json."""

from collections.abc import Mapping, Sequence
from typing import Any

from ecavg_tf.core.deciding.guard import VETO
from ecavg_tf.core.scores import Accepted, Decision, Rung
from ecavg_tf.results import ServerResult

FEW = 100  # certifying examples: with fewer, only large gains can be seen
POOLED_ONLY = "without the edges' weights"  # baseline.pooled
MORE = "partition.guard_fraction"
_NOTHING = "nothing better"

RUNGS = {
    "global": "the global model",
    "prior": "the global model under its own label mix",
    "blend": "a blend of its local and the global model",
    "local-head": "the global model with its own last layer",
    "local-batchnorm": "the global model with its own BatchNorm",
    "previous": "the model it had accepted before",
    "local": "its local model",
}


def rung(name: str | None, alpha: float | None = None) -> str:
    """A rung in words; a user's own name as it is."""
    words = RUNGS.get(name or "", f"{name!r}")
    return words if alpha is None else f"{words} ({100 * alpha:.0f} % global)"


def points(change: float) -> str:
    """A size of accuracy in percentage points."""
    return f"{100 * change:.1f} points"


def signed(change: float) -> str:
    """A change of accuracy in percent, with two digits where one digit would show 0."""
    digits = 2 if 0 < abs(change) < 5e-4 else 1
    return f"{100 * change:+.{digits}f}"


def decision(accepted: Accepted) -> str:
    """Why an edge took what it took: one or two sentences without a name."""
    evidence = accepted.evidence
    if evidence.get("policy") == "replace":
        return "took the global model, as update.policy=replace always does; nothing was tested."
    if evidence.get("policy") != "guarded":
        return f"took {rung(accepted.rung, accepted.alpha)}, by a policy of its own."
    try:
        return _GUARDED[evidence["reason"]](accepted, evidence)
    except (KeyError, TypeError, ValueError):  # an edge may have sent anything as evidence
        return f"took {rung(accepted.rung, accepted.alpha)}; its evidence can't be read."


def brief(accepted: Accepted) -> str:
    """What an edge took and why, in one sentence without figures of the test; see ``decision``."""
    evidence = accepted.evidence
    try:
        why = _brief(evidence) if evidence.get("policy") == "guarded" else ""
        stays = accepted.rung in ("local", "previous")
        taken = _stays(accepted) if stays else f"took {rung(accepted.rung, accepted.alpha)}"
        return f"{taken}: {why}." if why else decision(accepted)
    except (KeyError, TypeError, ValueError):  # an edge may have sent anything as evidence
        return decision(accepted)


def _brief(evidence: Mapping[str, Any]) -> str:
    held = f"its {evidence.get('n', 0):,} held-out examples"
    reason = evidence["reason"]
    if reason == "certified":
        return f"{held} show that it is better ({_confidence(evidence)} confidence)"
    tested = reason == "not certified"
    if reason == "accuracy loss" or (tested and evidence["p_loss"] <= VETO):
        return f"{_challenger(evidence)} gets significantly more of {held} wrong"
    if tested and evidence["gain"] > 0:
        return (
            f"{_challenger(evidence)} looks better on {held} by log-likelihood, but they are too "
            "few to be sure"
        )
    if tested:
        return f"{_challenger(evidence)} looks no better on {held}"
    return f"no candidate looks better on {held}" if reason == _NOTHING else ""


def decided(made: Decision) -> str:
    """A line for the log: what an edge took, and how right that is."""
    own = made.accepted.own
    right = "" if own is None else f" Own accuracy: {100 * own.accuracy:.1f} %."
    return f"round {made.round}: {made.edge} {brief(made.accepted)}{right}"


def _certified(accepted: Accepted, evidence: Mapping[str, Any]) -> str:
    return (
        f"took {rung(accepted.rung, accepted.alpha)}. {_tested(evidence)} its gain over "
        f"{rung(evidence['base'])} is {evidence['gain']:.3f} nats of log-likelihood, and at least "
        f"{evidence['bound']:.3f} with {_confidence(evidence)} confidence; {_hits(evidence)}."
    )


def _not_certified(accepted: Accepted, evidence: Mapping[str, Any]) -> str:
    begun = f"{_stays(accepted)}. {_tested(evidence)} {_challenger(evidence)}"
    gain, bound = evidence["gain"], evidence["bound"]
    if evidence["p_loss"] <= VETO:
        return (
            f"{begun} gets significantly more wrong: {_hits(evidence)} ({_p(evidence)}). Its "
            f"log-likelihood can't certify it, either: {gain:+.3f} nats, lower bound {bound:+.3f}."
        )
    if gain <= 0:
        return f"{begun} is behind by {-gain:.3f} nats of log-likelihood; {_hits(evidence)}."
    doubt = "accuracy does not speak for it: " if evidence["losses"] > evidence["wins"] else ""
    return (
        f"{begun} is ahead by {gain:.3f} nats of log-likelihood; with this many examples, a gain "
        f"under {evidence['smallest_gain']:.3f} nats can't be certified; {doubt}"
        f"{_hits(evidence)}. "
        f"{_smallest(evidence)} What would help: a larger {MORE}, or, at more risk of an error, "
        "a higher update.level."
    )


def _accuracy_loss(accepted: Accepted, evidence: Mapping[str, Any]) -> str:
    return (
        f"{_stays(accepted)} and refused {_challenger(evidence)}, which gets significantly more "
        f"examples wrong. {_tested(evidence)} {_hits(evidence)} ({_p(evidence)}), although it "
        f"gains {evidence['gain']:.3f} nats of log-likelihood, at least {evidence['bound']:.3f}."
    )


def _challenger(evidence: Mapping[str, Any]) -> str:
    return rung(evidence["tested"], evidence.get("alpha"))


def _stays(accepted: Accepted) -> str:
    changed = isinstance(accepted.evidence.get("since_previous"), Mapping)
    if accepted.rung == "local" and changed:
        return "took its new local model"
    return f"kept {rung(accepted.rung)}"


def _nothing_better(accepted: Accepted, evidence: Mapping[str, Any]) -> str:
    helps = f" A larger {MORE} would show smaller ones." if evidence["n"] < FEW else ""
    together = evidence.get("rule") == "together"
    where = "its held-out data" if together else "the half of its held-out data that selects"
    return (
        f"{_stays(accepted)}: no candidate looked better on {where}. {_smallest(evidence)}{helps}"
    )


def _no_guard(accepted: Accepted, evidence: Mapping[str, Any]) -> str:
    del evidence
    return (
        f"{_stays(accepted)}: it holds out fewer than two examples, so nothing can be "
        f"certified; raise {MORE}."
    )


def _nothing_to_lose(accepted: Accepted, evidence: Mapping[str, Any]) -> str:
    del evidence
    return f"took {rung(accepted.rung, accepted.alpha)}: it had no model of its own to lose."


_GUARDED = {
    "certified": _certified,
    "not certified": _not_certified,
    "accuracy loss": _accuracy_loss,
    _NOTHING: _nothing_better,
    "no guard data": _no_guard,
    "nothing to lose": _nothing_to_lose,
}


def _tested(evidence: Mapping[str, Any]) -> str:
    if evidence.get("rule") == "together":
        return f"On {evidence['n']:,} held-out examples that tested all candidates together,"
    return f"On {evidence['n']:,} held-out examples that had no part in choosing it,"


def _hits(evidence: Mapping[str, Any]) -> str:
    wins, losses = evidence["wins"], evidence["losses"]
    right = "1 example turns" if wins == 1 else f"{wins:,} examples turn"
    return f"{right} right and {losses:,} turn{'s' if losses == 1 else ''} wrong"


def _p(evidence: Mapping[str, Any]) -> str:
    p = evidence["p_loss"]
    return f"McNemar's p {f'= {p:.3f}' if p >= 5e-4 else '< 0.001'}"


def _smallest(evidence: Mapping[str, Any]) -> str:
    """What accuracy, which is easier to picture than nats, could have shown."""
    inputs, least = f"{evidence['n']:,} examples", evidence["smallest_accuracy_gain"]
    if least >= 1:
        return f"By accuracy alone, {inputs} can't show any gain."
    return f"By accuracy alone, {inputs} show only gains of {points(least)} or more."


def _confidence(evidence: Mapping[str, Any]) -> str:
    return f"{100 * (1 - evidence['level']):g} %"


def absent(accepted: Accepted | None) -> Mapping[str, Any]:
    """Rungs that were absent from an edge's decision, and why."""
    found = None if accepted is None else accepted.evidence.get("absent")
    return found if isinstance(found, Mapping) else {}


def tested(rung: Rung) -> str:
    """What the certifying examples said of a rung, for a table."""
    if rung.certify is None:
        return ""
    try:
        return f"gain {rung.certify['gain']:+.4f}, at least {rung.certify['bound']:+.4f} nats"
    except (KeyError, TypeError, ValueError):
        return "can't be read"


def level(update: Mapping[str, Any]) -> str:
    """A run's error rate, from its config."""
    whose = {"decision": "each decision", "edge": "all of an edge's decisions", "run": "the run"}
    what = whose.get(str(update.get("level_for")), "each decision")
    return f"{100 * update['level']:g} % chance of error for {what}"


def since_previous(accepted: Accepted) -> str | None:
    """What is certified of a change against the model that was deployed before."""
    evidence = accepted.evidence.get("since_previous")
    if not isinstance(evidence, Mapping):
        return None
    try:
        return (
            f"Against what it had deployed before, its accuracy on the certifying examples changed "
            f"by {signed(evidence['accuracy_change'])} points; on examples like them, a change "
            f"below {signed(evidence['accuracy_bound'])} points is unlikely "
            f"({_confidence(evidence)} bound)."
        )
    except (KeyError, TypeError, ValueError):
        return None


def has_test(server: ServerResult) -> bool:
    """Whether the server scored its models itself; else the edges' reports are all there is."""
    return server.averaged.all is not None


def server_test(server: ServerResult) -> str:
    """What the server's models were scored on."""
    if has_test(server):
        return "whole test set"
    scored = server.global_.all
    if scored is None:
        return "which has no test set"
    return f"mean over the edges' own {scored.n:,} test examples, as they report it"


def own(server: ServerResult) -> str:
    """What an own score was measured on."""
    if has_test(server):
        return "the edge's own test set, else the test set in its label mix"
    return "the edge's own test set"


def classes(counts: Sequence[int], names: Sequence[str]) -> str:
    """Which classes an edge has, short enough for a table."""
    present = [names[label] for label, count in enumerate(counts) if count]
    if len(present) == len(names):
        return f"all {len(names)}"
    listed = ", ".join(present)
    return listed if len(listed) <= 16 else f"{len(present)} of {len(names)}"
