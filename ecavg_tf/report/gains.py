"""Who gained own accuracy and who lost: over training alone, or over the first local model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from ecavg_tf.core.findings import Alone
from ecavg_tf.report.words import signed
from ecavg_tf.results import EdgeResult, RoundResult, RunResults

TIE = 5e-5  # a change that two decimals of a percent can't show counts as no change
NAMED = 4  # losers that a sentence names


@dataclass(frozen=True)
class Verdict:
    """Who gained and who lost.

    Attributes:
        text: in a sentence or two.
        tone: ``lost`` if any edge lost, else ``won`` if any gained, else ``even``.
    """

    text: str
    tone: str


@dataclass(frozen=True)
class _Tally:
    """Changes of own accuracy by edge; and the number of edges without one, by reason."""

    changes: Mapping[str, float]
    unknown: Mapping[str, int]

    def words(self, gained: str) -> str:
        edges = len(self.changes) + sum(self.unknown.values())
        if not self.changes:
            whys = ", ".join(f"{why}: {n} of {edges}" for why, n in self.unknown.items())
            return f"no edge's gain was measured ({whys or 'no edge took part'})."
        won = [change for change in self.changes.values() if change > TIE]
        lost = {name: change for name, change in self.changes.items() if change < -TIE}
        level = len(self.changes) - len(won) - len(lost)
        parts = [f"{len(won)} of {edges} {gained}{_span(won)}"]
        if level:
            parts.append(f"{level} stayed level")
        if lost:
            parts.append(f"{len(lost)} lost ({_named(lost)})")
        parts += [f"{n} not measured ({why})" for why, n in self.unknown.items()]
        return "; ".join(parts) + "."

    @property
    def tone(self) -> str:
        changes = self.changes.values()
        if any(change < -TIE for change in changes):
            return "lost"
        return "won" if any(change > TIE for change in changes) else "even"


def gain(edge: EdgeResult) -> float | None:
    """Own accuracy of the accepted model minus that of the round's local model."""
    return _change(edge, edge)


def gains_since_first(rounds: Sequence[RoundResult]) -> dict[str, float]:
    """Own accuracy of what is deployed minus that of the local model of round 1, by edge.

    Args:
        rounds: the run's, from the first; what the last one deployed is compared. Edges
            without an own score in both are left out.
    """
    found = {edge: _change(last, first) for edge, (first, last) in _pairs(rounds).items()}
    return {edge: change for edge, change in found.items() if change is not None}


def gains_over_alone(last: RoundResult, alone: Sequence[Alone]) -> dict[str, float]:
    """Own accuracy of what is deployed minus that of the edge alone with as many epochs.

    Args:
        last: the last round.
        alone: what the edges came to alone. Edges without an own score in both are left out.
    """
    own = _own(alone)
    return {
        edge.edge: edge.accepted.own.accuracy - own[edge.edge]
        for edge in last.edges
        if edge.edge in own and edge.accepted is not None and edge.accepted.own is not None
    }


def mean_deployed(last: RoundResult) -> float | None:
    """Mean own accuracy of what the edges deploy; None: no edge has a score."""
    own = [e.accepted.own.accuracy for e in last.edges if e.accepted and e.accepted.own]
    return fmean(own) if own else None


def mean_before(rounds: Sequence[RoundResult], alone: Sequence[Alone]) -> tuple[str, float] | None:
    """What to compare that with, in words, and its mean own accuracy over the same edges."""
    deploy = {e.edge for e in rounds[-1].edges if e.accepted and e.accepted.own}
    known, words = _own(alone), "alone, with as many epochs"
    if len(rounds) == 1 or not known:
        known = _local_own(rounds[0].edges)
        words = "alone, in round 1" if len(rounds) > 1 else "as they trained it"
    if not deploy or not deploy <= known.keys():
        return None
    return words, fmean(known[edge] for edge in deploy)


@dataclass(frozen=True)
class Before:
    """What the last round's pictures compare with.

    Attributes:
        label: under the first point of a line; the second part is an explanation.
        own: own accuracy by edge.
    """

    label: tuple[str, str]
    own: Mapping[str, float]

    def change(self, edge: EdgeResult) -> float | None:
        """Own accuracy of what the edge deploys minus that; None: one of them isn't known."""
        if edge.edge not in self.own or edge.accepted is None or edge.accepted.own is None:
            return None
        return edge.accepted.own.accuracy - self.own[edge.edge]


def before(results: RunResults) -> Before:
    """The edge alone with as many epochs where that is known, else its last local model."""
    alone = _own(results.alone) if len(results.rounds) > 1 else {}
    if alone:
        return Before(("alone", "as many epochs"), alone)
    return Before(("local", "its own training"), _local_own(results.rounds[-1].edges))


def verdict(rounds: Sequence[RoundResult], alone: Sequence[Alone] = ()) -> Verdict:
    """Who gained and who lost by the last of some rounds, which begin with the first.

    Args:
        rounds: the rounds.
        alone: what the edges came to alone by the last of them, if that was measured.
    """
    last = rounds[-1]
    if not any(edge.accepted is not None for edge in last.edges):
        return Verdict("No edge has decided on the global model yet.", "even")
    known = _own(alone) if len(rounds) > 1 else {}
    if known:
        tally = _tally(rounds, gains_over_alone(last, alone), missing="not trained alone")
        what = "edges gained own accuracy over training alone for as many epochs"
    elif len(rounds) > 1:
        tally = _tally(rounds, gains_since_first(rounds), missing="not there in round 1")
        what = "edges gained own accuracy over the model they first trained alone"
    else:
        tally = _tally(rounds, gains_since_first(rounds), missing="did not train")
        alike = "what each trained alone" if not last.warmed_up else "their local model"
        what = f"edges gained own accuracy over {alike}"
    known = known or _local_own(rounds[0].edges)
    when = f"In {len(rounds)} rounds, " if len(rounds) > 1 else ""
    more = _MORE_EPOCHS if len(rounds) > 1 and not alone and tally.changes else ""
    text = f"{when}{tally.words(what)}{more}{_if_replaced(last, known, tally)}"
    return Verdict(text[0].upper() + text[1:], tally.tone)


_MORE_EPOCHS = (
    " More epochs are part of that: baseline.alone=true measures what they alone would give."
)


def _if_replaced(last: RoundResult, known: Mapping[str, float], tally: "_Tally") -> str:
    """What the paper's update, the global model everywhere, would have meant for the same edges."""
    if all(edge.accepted is None or edge.accepted.rung == "global" for edge in last.edges):
        return ""  # that is what they did
    changes = {
        edge.edge: edge.global_.own.accuracy - known[edge.edge]
        for edge in last.edges
        if edge.edge in tally.changes and edge.edge in known
        if edge.global_ is not None and edge.global_.own is not None
    }
    if not changes:
        return ""
    lost = {name: change for name, change in changes.items() if change < -TIE}
    deployed = fmean(tally.changes[edge] for edge in changes)
    worse = f"make {len(lost)} worse ({_named(lost)})" if lost else "make none worse"
    return (
        f" What they deploy is {signed(deployed)} points on average; the global model on all of "
        f"them, the paper's update, would be {signed(fmean(changes.values()))} and {worse}."
    )


def _own(alone: Sequence[Alone]) -> dict[str, float]:
    return {each.edge: each.own.accuracy for each in alone if each.own is not None}


def _local_own(edges: Sequence[EdgeResult]) -> dict[str, float]:
    return {e.edge: e.local.own.accuracy for e in edges if e.local and e.local.own}


def _tally(rounds: Sequence[RoundResult], changes: Mapping[str, float], missing: str) -> _Tally:
    unknown = [pair for edge, pair in _pairs(rounds).items() if edge not in changes]
    return _Tally(changes, _reasons(unknown, missing))


def _pairs(
    rounds: Sequence[RoundResult],
) -> dict[str, tuple[EdgeResult | None, EdgeResult]]:
    first = {edge.edge: edge for edge in rounds[0].edges}
    return {edge.edge: (first.get(edge.edge), edge) for edge in rounds[-1].edges}


def _reasons(
    unknown: Sequence[tuple[EdgeResult | None, EdgeResult]], missing: str
) -> dict[str, int]:
    """Why a change of own accuracy isn't known, with how many edges."""
    found: dict[str, int] = {}
    for _, last in unknown:
        if last.accepted is None:
            why = "no decision yet"
        elif last.accepted.own is None:
            why = "no own test examples"
        else:
            why = missing
        found[why] = found.get(why, 0) + 1
    return found


def _change(last: EdgeResult, first: EdgeResult | None) -> float | None:
    if first is None or first.local is None or last.accepted is None:
        return None
    if first.local.own is None or last.accepted.own is None:
        return None
    return last.accepted.own.accuracy - first.local.own.accuracy


def _span(gains: Sequence[float]) -> str:
    """The smallest and the largest of some gains."""
    if not gains:
        return ""
    low, high = signed(min(gains)), signed(max(gains))
    return f" ({low} points)" if low == high else f" ({low} to {high} points)"


def _named(lost: Mapping[str, float]) -> str:
    worst = sorted(lost, key=lost.__getitem__)
    named = ", ".join(f"{edge} {signed(lost[edge])} points" for edge in worst[:NAMED])
    return named + ", …" * (len(worst) > NAMED)
