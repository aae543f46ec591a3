"""Decisions in plain words, from the evidence in results.json."""

from collections.abc import Mapping, Sequence
from typing import Any

from ecavg_tf.core.scores import Accepted, Rung
from ecavg_tf.results import EdgeResult

TIE = 5e-5  # what a table with one decimal of a percent can't show is no gain and no loss

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


def points(change: float, signed: bool = False) -> str:
    """A change of accuracy in percentage points."""
    return f"{100 * change:{'+' if signed else ''}.1f} points"


def decision(accepted: Accepted) -> str:
    """Why an edge took what it took: one or two sentences without a name."""
    evidence = accepted.evidence
    if evidence.get("policy") == "replace":
        return "took the global model, as update.policy=replace always does; nothing was tested."
    if evidence.get("policy") != "guarded":
        return f"took {rung(accepted.rung, accepted.alpha)}, by a policy of its own."
    try:
        return _GUARDED[evidence["reason"]](accepted, evidence)
    except (KeyError, TypeError, ValueError):  # evidence that came over a wire
        return f"took {rung(accepted.rung, accepted.alpha)}; its evidence can't be read."


def _certified(accepted: Accepted, evidence: Mapping[str, Any]) -> str:
    return (
        f"took {rung(accepted.rung, accepted.alpha)}. {_tested(evidence)} its gain over "
        f"{rung(evidence['base'])} is {evidence['gain']:.3f} nats of log-likelihood, and at least "
        f"{evidence['bound']:.3f} with {_confidence(evidence)} confidence; {_hits(evidence)}."
    )


def _not_certified(accepted: Accepted, evidence: Mapping[str, Any]) -> str:
    return (
        f"{_gains(accepted, evidence)} on that many, a gain under "
        f"{evidence['smallest_gain']:.3f} can't be certified (lower bound "
        f"{evidence['bound']:+.3f}); {_hits(evidence)}. {_smallest(evidence)}"
    )


def _accuracy_loss(accepted: Accepted, evidence: Mapping[str, Any]) -> str:
    return (
        f"{_gains(accepted, evidence)} but it loses accuracy: {_hits(evidence)} "
        f"(p = {evidence['p_loss']:.3f})."
    )


def _gains(accepted: Accepted, evidence: Mapping[str, Any]) -> str:
    challenger = rung(evidence["tested"], evidence.get("alpha"))
    return (
        f"{_stays(accepted)}. {_tested(evidence)} {challenger} gains {evidence['gain']:+.3f} nats;"
    )


def _stays(accepted: Accepted) -> str:
    changed = isinstance(accepted.evidence.get("since_previous"), Mapping)
    if accepted.rung == "local" and changed:
        return "took its new local model"
    return f"kept {rung(accepted.rung)}"


def _nothing_better(accepted: Accepted, evidence: Mapping[str, Any]) -> str:
    return (
        f"{_stays(accepted)}: no candidate looked better on the half of its held-out "
        f"data that selects. {_smallest(evidence)}"
    )


def _no_guard(accepted: Accepted, evidence: Mapping[str, Any]) -> str:
    del evidence
    return (
        f"{_stays(accepted)}: it holds out fewer than two images, so nothing can be "
        "certified; raise partition.guard_fraction."
    )


def _nothing_to_lose(accepted: Accepted, evidence: Mapping[str, Any]) -> str:
    del evidence
    return f"took {rung(accepted.rung, accepted.alpha)}: it had no model of its own to lose."


_GUARDED = {
    "certified": _certified,
    "not certified": _not_certified,
    "accuracy loss": _accuracy_loss,
    "nothing better": _nothing_better,
    "no guard data": _no_guard,
    "nothing to lose": _nothing_to_lose,
}


def _tested(evidence: Mapping[str, Any]) -> str:
    return f"On {evidence['n']:,} held-out images that had no part in choosing it,"


def _hits(evidence: Mapping[str, Any]) -> str:
    return f"{evidence['wins']:,} images turn right and {evidence['losses']:,} turn wrong"


def _smallest(evidence: Mapping[str, Any]) -> str:
    return (
        f"Of {evidence['n']:,} images, a gain in accuracy under "
        f"{points(evidence['smallest_accuracy_gain'])} can't be told from chance by accuracy alone."
    )


def _confidence(evidence: Mapping[str, Any]) -> str:
    return f"{100 * (1 - evidence['level']):g} %"


def absent(accepted: Accepted | None) -> Mapping[str, Any]:
    """Rungs that an edge could not have, and why."""
    found = None if accepted is None else accepted.evidence.get("absent")
    return found if isinstance(found, Mapping) else {}


def tested(rung: Rung) -> str:
    """What the certifying half said of a rung, for a table."""
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
            f"Against what it had deployed before, its accuracy on the certifying images changed "
            f"by {points(evidence['accuracy_change'], signed=True)}; on images like them, a change "
            f"below {points(evidence['accuracy_bound'], signed=True)} is unlikely "
            f"({_confidence(evidence)} bound)."
        )
    except (KeyError, TypeError, ValueError):
        return None


def gain(edge: EdgeResult) -> float | None:
    """Own accuracy of the accepted model minus that of the local model."""
    if edge.local is None or edge.accepted is None:
        return None
    if edge.local.own is None or edge.accepted.own is None:
        return None
    return edge.accepted.own.accuracy - edge.local.own.accuracy


def verdict(edges: Sequence[EdgeResult]) -> tuple[str, bool | None]:
    """Who gained and who lost, in a sentence.

    Returns:
        The sentence, and whether all is well; None: there is nothing to tell yet.
    """
    gains = {edge.edge: change for edge in edges if (change := gain(edge)) is not None}
    if not gains:
        return "No edge has decided on the global model yet.", None
    lost = {name: change for name, change in gains.items() if change < -TIE}
    won = sum(change > TIE for change in gains.values())
    kept = len(gains) - won - len(lost)
    text = f"{won} of {len(gains)} edges gained own accuracy over their local model"
    if kept:
        text += f"; {kept} stayed level"
    if lost:
        losers = ", ".join(f"{name} {points(change, True)}" for name, change in lost.items())
        text += f"; {len(lost)} lost ({losers})"
    return text + ".", not lost


def classes(counts: Sequence[int], names: Sequence[str]) -> str:
    """Which classes an edge has, short enough for a table."""
    held = [names[label] for label, count in enumerate(counts) if count]
    if len(held) == len(names):
        return f"all {len(names)}"
    listed = ", ".join(held)
    return listed if len(listed) <= 16 else f"{len(held)} of {len(names)}"
