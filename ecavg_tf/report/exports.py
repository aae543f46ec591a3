"""Exported files: formats by size, accuracy, agreement, latency."""

from collections.abc import Iterable, Sequence
from statistics import median

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from ecavg_tf.core.exports import Attempt, Exported, Parity, ProvedAs, Verdict
from ecavg_tf.report.plain import plain

BRIEF = ("size kB", "Keras %", "file %", "agree %", "time")
FULL = (
    "size kB", "Keras %", "file %", "change, 95 %", "agree %", "ties", "max diff", "time",
    "runs on",
)  # fmt: skip
# In a narrow terminal these columns are left out, the first one first; others always stay.
_DROPPED = ("max diff", "ties", "runs on", "change, 95 %", "time", "Keras %")
_WIDE = 10_000
_MEANINGS = {
    "file %": "Keras %, file %: accuracy, each test example counted once (an edge's own accuracy "
    "weights them to its label mix, and can be far from it)",
    "change, 95 %": "change: of accuracy, in points, its 95 % interval",
    "agree %": "agree: same best class as Keras, ties aside (best two closer than the file's "
    "output can tell)",
    "max diff": "max diff: of a probability",
    "time": "time: median for one example, 1 thread",
    "runs on": "runs on: oldest TFLite runtime",
}


def legend(columns: Sequence[str]) -> str:
    """What these columns mean."""
    return " · ".join(_MEANINGS[name] for name in columns if name in _MEANINGS)


def fitting(
    exports: Sequence[Exported], console: Console, columns: Sequence[str] = FULL
) -> tuple[str, ...]:
    """The columns that a console has room for; figures that are cut can't be read."""
    kept = tuple(columns)
    unbounded = console.options.update_width(_WIDE)
    for name in _DROPPED:
        table = exports_table(exports, kept)
        if Measurement.get(console, unbounded, table).maximum <= console.width:
            break
        kept = tuple(each for each in kept if each != name)
    return kept


def exports_table(exports: Sequence[Exported], columns: Sequence[str] = FULL) -> Table:
    """One row a file."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), collapse_padding=True, pad_edge=False)
    table.add_column("model", no_wrap=True)
    table.add_column("file", no_wrap=True)
    table.add_column("gate", no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for row in exports:
        style = {"passed": "green", "failed": "red"}.get(row.status, "yellow")
        shown = cells(row)
        figures = (plain(shown.get(name, "–")) for name in columns)
        table.add_row(plain(row.model), plain(row.variant), Text(row.status, style=style), *figures)
    return table


def formats_table(exports: Sequence[Exported]) -> Table:
    """One row a format, of the files of all models."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), collapse_padding=True, pad_edge=False)
    table.add_column("file", no_wrap=True)
    for name in ("passed", "size kB", "agree % (least)", "time (median)"):
        table.add_column(name, justify="right", no_wrap=True)
    for variant in dict.fromkeys(row.variant for row in exports):
        rows = [row for row in exports if row.variant == variant]
        passed = sum(row.status == "passed" for row in rows)
        sizes = [row.size_bytes / 1000 for row in rows if row.size_bytes is not None]
        agree = [100 * row.parity.agreement for row in rows if row.parity is not None]
        times = [row.cost.latencies[0].median_ms for row in rows if row.cost and row.cost.latencies]
        table.add_row(
            plain(variant),
            Text(f"{passed} of {len(rows)}", style="green" if passed == len(rows) else "yellow"),
            f"{median(sizes):,.1f}" if sizes else "–",
            f"{min(agree):.2f}" if agree else "–",
            duration(median(times)) if times else "–",
        )
    return table


def cells(row: Exported) -> dict[str, str]:
    """A file's figures as text, by the names of ``FULL``; what is not known is absent."""
    parity, cost = row.parity, row.cost
    found: dict[str, str] = {}
    if row.size_bytes is not None:
        found["size kB"] = f"{row.size_bytes / 1000:,.1f}"
    if parity is not None:
        found |= {
            "agree %": f"{100 * parity.agreement:.2f}",
            "ties": f"{parity.ties}/{parity.n}",
            "max diff": f"{parity.max_difference:.1g}",
        }
        if parity.keras_accuracy is not None and parity.file_accuracy is not None:
            low, high = parity.accuracy_change_low or 0.0, parity.accuracy_change_high or 0.0
            found |= {
                "Keras %": f"{100 * parity.keras_accuracy.value:.2f}",
                "file %": f"{100 * parity.file_accuracy.value:.2f}",
                "change, 95 %": f"{100 * low:+.1f}…{100 * high:+.1f}",
            }
    if cost is not None:
        found["runs on"] = cost.min_runtime or "?"
        if cost.latencies:
            found["time"] = duration(cost.latencies[0].median_ms)
    return found


def duration(milliseconds: float) -> str:
    """A short time with a unit that suits it and about three digits."""
    value, unit = (milliseconds, "ms") if milliseconds >= 1 else (1000 * milliseconds, "µs")
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f} {unit}"


def notes(exports: Sequence[Exported]) -> list[str]:
    """For each model its examples, calibration and the times of Keras; then what went wrong."""
    facts: dict[str, list[str]] = {}
    for row in exports:
        facts.setdefault(row.model, []).extend(_facts(row))
    for model, said in facts.items():
        own = [row for row in exports if row.model == model]
        said.extend((*_proofs(own), *_ways(own)))
    told = [f"{model}: {'; '.join(dict.fromkeys(said))}" for model, said in facts.items() if said]
    return [*told, *_wrong(exports)]


def _wrong(exports: Sequence[Exported]) -> Iterable[str]:
    """Why files did not pass; of several undecided models the reasons of the first are told."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for row in exports:
        # Of an undecided file the reason that wants the most examples, which is the first.
        for why in row.reasons[:1] if row.undecided else row.reasons:
            found.setdefault((row.model, row.status, why), []).append(row.variant)
    lacking = list(dict.fromkeys(row.model for row in exports if row.undecided))
    for (model, status, why), files in found.items():
        if model not in lacking[1:] or status != Verdict.UNDECIDED:
            yield f"{model}, {', '.join(dict.fromkeys(files))} {status}: {why}"
    if lacking[1:]:
        yield f"not proved either (the report says why): files of {', '.join(lacking[1:])}"


def _proofs(rows: Sequence[Exported]) -> Iterable[str]:
    """What each file is, as far as it was proved."""
    for what in ProvedAs:
        shown = [row.variant for row in rows if row.proved_as is what and row.status == "passed"]
        if shown:
            yield f"{', '.join(shown)} proved as {what}"


def _ways(rows: Sequence[Exported]) -> Iterable[str]:
    """By which way a file was made that the converter alone does not make well enough."""
    for row in rows:
        if len(row.attempts) > 1:
            yield f"{row.variant} made {row.way}; ways tried: {_tried(row.attempts)}"


def _tried(attempts: Sequence[Attempt]) -> str:
    return ", ".join(
        each.way
        + ("" if each.agreement is None else f" ({100 * each.agreement:.1f} % agree)")
        + f" {each.seconds:.0f} s"
        for each in attempts
    )


def compared_on(parity: Parity) -> str:
    """The examples that a file's proof rests on: seen ones, too, where test ones are few."""
    most = max(parity.claims, key=lambda claim: claim.n, default=None)
    return parity.inputs if most is None or parity.inputs not in most.examples else most.examples


def _facts(row: Exported) -> Iterable[str]:
    if row.parity is not None:
        yield f"compared on {compared_on(row.parity)}"
    if row.calibration:
        yield f"int8 calibrated on {row.calibration}"
    if row.cost is not None and row.cost.float_operators:
        names = ", ".join(row.cost.float_operators)
        yield (
            f"{row.variant} is not 8 bits throughout: {names} run in float32, which a "
            "microcontroller refuses"
        )
    if row.cost is not None:
        beside = [each for each in row.cost.latencies if each.what.startswith("Keras")]
        if beside:
            spent = ", ".join(f"{each.what} {duration(each.median_ms)}" for each in beside)
            yield f"for comparison, {spent}"
