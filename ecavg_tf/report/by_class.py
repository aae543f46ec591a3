"""Class by class: what each edge's model labels right, before and after it decided."""

from collections.abc import Sequence
from dataclasses import dataclass

from ecavg_tf.core.by_class import Compared, compared, from_evidence
from ecavg_tf.core.by_class import Hits as ClassHits
from ecavg_tf.report.shown import shown
from ecavg_tf.results import EdgeResult, RunResults

_WIDEST = 96  # characters that the names of all classes may take in one table
_MOST_CLASSES = 16
_NAMED = 3  # classes that gained or lost most, where there are too many for a table
_SMALL, _LARGE = 0.05, 0.15  # changes of accuracy that get another colour


@dataclass(frozen=True)
class Cell:
    """One class of one edge.

    Attributes:
        name: of the class.
        n: test examples of it.
        before: share of them that was labelled right before.
        after: share of them that is labelled right now.
    """

    name: str
    n: int
    before: float
    after: float

    @property
    def change(self) -> float:
        """Of accuracy."""
        return self.after - self.before

    @property
    def tone(self) -> str:
        """Colour and strength, as the page names them."""
        if self.change == 0:
            return "same"
        size = abs(self.change)
        return f"{'up' if self.change > 0 else 'down'}{1 + (size >= _SMALL) + (size >= _LARGE)}"

    @property
    def words(self) -> str:
        """The cell without a table around it."""
        return f"{self.name} {100 * self.before:.0f} → {100 * self.after:.0f} %"


@dataclass(frozen=True)
class Row:
    """The classes of one edge."""

    edge: str
    cells: tuple[Cell, ...]

    def cell(self, name: str) -> Cell | None:
        """The cell of a class; None: it was not measured."""
        return next((each for each in self.cells if each.name == name), None)

    def most(self, sign: int) -> str:
        """The classes that changed most in one direction, and how many others did."""
        moved = [each for each in self.cells if sign * each.change > 0]
        moved.sort(key=lambda each: -abs(each.change))
        more = f" and {len(moved) - _NAMED} more" if len(moved) > _NAMED else ""
        return ", ".join(each.words for each in moved[:_NAMED]) + more or "none"


@dataclass(frozen=True)
class Classes:
    """What the page shows.

    Attributes:
        before: what ``before`` is: ``alone`` or ``local``.
        names: the classes that are columns; empty: there are too many, each row names its own.
        rows: the edges.
        tested: how many test examples a class has: fewest and most.
    """

    before: str
    names: tuple[str, ...]
    rows: tuple[Row, ...]
    tested: tuple[int, int]

    @property
    def change(self) -> str:
        """In words: how often a class of an edge became better or worse."""
        cells = [cell for row in self.rows for cell in row.cells]
        better, worse = (sum(sign * cell.change > 0 for cell in cells) for sign in (1, -1))
        return (
            f"Each edge's classes together are {len(cells):,}: {better:,} became better, "
            f"{worse:,} became worse."
        )


def by_class(results: RunResults) -> Classes | None:
    """The last round, class by class; None: it was not measured.

    Args:
        results: a run's. Compared with are the edges alone where they trained alone, else their
            local models.
    """
    if not results.rounds:
        return None
    known = {each.edge: each.hits for each in results.alone if each.processed}
    alone = known if len(results.rounds) > 1 else {}
    rows = []
    for edge in shown(results.rounds[-1].edges):
        found = _of_edge(edge, alone.get(edge.edge))
        cells = () if found is None else _cells(found, results.classes)
        if cells:
            rows.append(Row(edge.edge, cells))
    if not rows:
        return None
    counts = [cell.n for row in rows for cell in row.cells]
    return Classes(
        "alone" if alone else "local",
        _columns(results.classes, rows),
        tuple(rows),
        (min(counts), max(counts)),
    )


def _of_edge(edge: EdgeResult, alone: ClassHits | None) -> Compared | None:
    """The accepted model against the edge alone, where that is known, else against its local."""
    found = None if edge.accepted is None else from_evidence(edge.accepted.evidence)
    if found is None or alone is None:
        return found
    return compared(alone, ClassHits(found.classes, found.n, found.after))


def _cells(found: Compared, names: Sequence[str]) -> tuple[Cell, ...]:
    rows = zip(found.classes, found.n, found.before, found.after, strict=True)
    return tuple(
        Cell(names[label], n, before / n, after / n)
        for label, n, before, after in rows
        if label < len(names)
    )


def _columns(names: Sequence[str], rows: Sequence[Row]) -> tuple[str, ...]:
    used = {cell.name for row in rows for cell in row.cells}
    kept = tuple(name for name in names if name in used)
    width = sum(max(len(name), 4) + 2 for name in kept)
    return kept if len(kept) <= _MOST_CLASSES and width <= _WIDEST else ()
