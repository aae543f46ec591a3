"""Exported files: formats by size, accuracy, agreement, latency."""

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from ecavg_tf.core.exports import Exported

BRIEF = ("size kB", "Keras %", "file %", "agree %", "ms")
FULL = (
    "size kB", "Keras %", "file %", "change, 95 %", "agree %", "ties", "max diff", "ms", "runs on",
)  # fmt: skip
LEGEND = (
    "agree: same best class as Keras, ties aside (best two closer than the file's output "
    "can tell) · ms: median for one image, 1 thread"
)


def exports_table(exports: Sequence[Exported], columns: Sequence[str] = FULL) -> Table:
    """One row a file."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), collapse_padding=True, pad_edge=False)
    table.add_column("model", no_wrap=True)
    table.add_column("file", no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("gate", no_wrap=True)
    for row in exports:
        style = {"passed": "green", "failed": "red"}.get(row.status, "yellow")
        shown = cells(row)
        figures = (shown.get(name, "–") for name in columns)
        table.add_row(row.model, row.variant, *figures, Text(row.status, style=style))
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
            found["ms"] = f"{cost.latencies[0].median_ms:.3g}"
    return found


def notes(exports: Sequence[Exported]) -> list[str]:
    """Calibrations, parity images, Keras' own times, and what went wrong, each once."""
    notes = []
    for row in exports:
        if row.calibration:
            notes.append(f"{row.model}: int8 calibrated on {row.calibration}")
        notes += [f"{row.model}, {row.variant} {row.status}: {reason}" for reason in row.reasons]
        if row.parity is not None:
            notes.append(f"{row.model}: compared on {row.parity.images}")
        if row.cost is not None and len(row.cost.latencies) > 2:
            spent = ", ".join(f"{t.what} {t.median_ms:.3g} ms" for t in row.cost.latencies[2:])
            notes.append(f"beside: {spent}")
    return list(dict.fromkeys(notes))
