"""The table that ``ecavg export`` prints: formats by size, accuracy, agreement, latency."""

import shutil
import sys
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ecavg_tf.core.exports import Exported

_COLUMNS = (
    "size kB", "Keras %", "file %", "change, 95 %", "agree %", "ties", "max diff", "ms", "runs on",
)  # fmt: skip


def print_exports(exports: Sequence[Exported]) -> None:
    """Prints a row a file, then calibrations, Keras' own times, and what went wrong."""
    width = None if sys.stdout.isatty() else max(140, shutil.get_terminal_size().columns)
    console = Console(width=width)
    console.print(exports_table(exports))
    console.print(
        Text(
            "agree: same best class as Keras, ties aside (best two closer than the file's output "
            "can tell) · ms: median for one image, 1 thread · runs on: oldest TFLite",
            style="dim",
        )
    )
    for said in dict.fromkeys(_notes(exports)):
        console.print(Text(said))


def exports_table(exports: Sequence[Exported]) -> Table:
    """One row a file."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), collapse_padding=True, pad_edge=False)
    table.add_column("model", no_wrap=True)
    table.add_column("file", no_wrap=True)
    for name in _COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("gate", no_wrap=True)
    for row in exports:
        style = {"passed": "green", "failed": "red"}.get(row.status, "yellow")
        table.add_row(row.model, row.variant, *_cells(row), Text(row.status, style=style))
    return table


def _cells(row: Exported) -> list[str]:
    parity, cost = row.parity, row.cost
    size = "–" if row.size_bytes is None else f"{row.size_bytes / 1000:,.1f}"
    if parity is None:
        return [size, *"–" * (len(_COLUMNS) - 1)]
    accuracy = ["–", "–", "–"]
    if parity.keras_accuracy is not None and parity.file_accuracy is not None:
        low, high = parity.accuracy_change_low or 0.0, parity.accuracy_change_high or 0.0
        accuracy = [
            f"{100 * parity.keras_accuracy.value:.2f}",
            f"{100 * parity.file_accuracy.value:.2f}",
            f"{100 * low:+.1f}…{100 * high:+.1f}",
        ]
    return [
        size,
        *accuracy,
        f"{100 * parity.agreement:.2f}",
        f"{parity.ties}/{parity.n}",
        f"{parity.max_difference:.1g}",
        "–" if cost is None else f"{cost.latencies[0].median_ms:.3g}",
        "–" if cost is None else cost.min_runtime or "?",
    ]


def _notes(exports: Sequence[Exported]) -> list[str]:
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
    return notes
