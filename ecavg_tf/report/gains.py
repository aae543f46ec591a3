"""Who gained own accuracy and who lost: over this round's local models, and since round 1."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ecavg_tf.report.words import signed
from ecavg_tf.results import EdgeResult, RoundResult

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


def verdict(rounds: Sequence[RoundResult]) -> Verdict:
    """Who gained and who lost by the last of some rounds, which begin with the first."""
    decided = [edge for edge in rounds[-1].edges if edge.accepted is not None]
    if not decided:
        return Verdict("No edge has decided on the global model yet.", "even")
    now = _over_local(rounds[-1].edges)
    since = _since_first(rounds)
    if len(rounds) == 1 or not since.changes:
        return Verdict(now.words("edges gained own accuracy over their local model"), now.tone)
    alone = since.words("edges gained own accuracy over the model they first trained alone")
    text = (
        f"In {len(rounds)} rounds, {alone} "
        f"In round {rounds[-1].round}, {now.words('gained over the local model of that round')}"
    )
    tones = {since.tone, now.tone}
    return Verdict(text, next(tone for tone in ("lost", "won", "even") if tone in tones))


def _over_local(edges: Sequence[EdgeResult]) -> _Tally:
    changes = {edge.edge: change for edge in edges if (change := gain(edge)) is not None}
    return _Tally(changes, _reasons([(e, e) for e in edges if e.edge not in changes]))


def _since_first(rounds: Sequence[RoundResult]) -> _Tally:
    changes = gains_since_first(rounds)
    unknown = [pair for edge, pair in _pairs(rounds).items() if edge not in changes]
    return _Tally(changes, _reasons(unknown))


def _pairs(
    rounds: Sequence[RoundResult],
) -> dict[str, tuple[EdgeResult | None, EdgeResult]]:
    first = {edge.edge: edge for edge in rounds[0].edges}
    return {edge.edge: (first.get(edge.edge), edge) for edge in rounds[-1].edges}


def _reasons(unknown: Sequence[tuple[EdgeResult | None, EdgeResult]]) -> dict[str, int]:
    """Why a change of own accuracy isn't known, with how many edges."""
    found: dict[str, int] = {}
    for first, last in unknown:
        if last.accepted is None:
            why = "no decision yet"
        elif last.accepted.own is None:
            why = "no test examples of its own"
        elif first is last:
            why = "did not train"
        else:
            why = "not there in round 1"
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
