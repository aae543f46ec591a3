"""What a study leaves to be read: study.html, plots, and study.csv."""

from collections.abc import Callable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from matplotlib.figure import Figure

from ecavg_tf.core.files import write_bytes, write_text
from ecavg_tf.report.figure import LIGHT, Theme, inline, render
from ecavg_tf.results_csv import as_csv
from ecavg_tf.study import plots
from ecavg_tf.study.analysis import Cells
from ecavg_tf.study.arms import ARMS
from ecavg_tf.study.results import left_out
from ecavg_tf.study.tables import tables

PAGE, CSV = "study.html", "study.csv"
_COLUMNS = (
    *("seed", "split", "start", "edges", "pool", "arm", "who", "model", "distribution"),
    *("accuracy", "loss", "takes", "n", "wins", "losses"),
    *("samples_edges", "samples_server", "samples_path", "samples_deciding", "samples_tuning"),
    "rate",
)
_READ = (
    "Points are seeds, a diamond is their mean, a bar the 95 % interval. Green: all of it above 0; "
    "orange: all of it below 0; else the study shows no difference."
)
Draw = Callable[[Theme], Figure | None]


def write_page(results: Mapping[str, Any], folder: Path) -> None:
    """Writes the page, its pictures as ``plots/*.png``, and the CSV into a folder."""
    cells = Cells(results["cells"])
    pictures = []
    for name, (title, draw) in _pictures(cells).items():
        figure = draw(LIGHT)
        if figure is None:
            continue
        (folder / "plots").mkdir(exist_ok=True)
        write_bytes(folder / "plots" / f"{name}.png", render(figure, "png"))
        pictures.append({"title": title, "caption": _READ, "svg": inline(figure, name)})
    template = resources.files("ecavg_tf.study").joinpath("page.html.jinja").read_text("utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    page = environment.from_string(template).render(
        study=results["study"],
        status=results["status"],
        cells=results["cells"],
        tables=tables(cells),
        pictures=pictures,
        left_out=list(left_out(results)),
        arms={name: ARMS[name].says for name in cells.arms if name in ARMS},
    )
    write_text(folder / PAGE, page)
    write_text(folder / CSV, as_csv(_COLUMNS, list(_rows(results))))


def _pictures(cells: Cells) -> dict[str, tuple[str, Draw]]:
    """Titles and pictures, by file name."""
    found: dict[str, tuple[str, Draw]] = {
        "gains": ("Do edges gain?", lambda theme: plots.gains(cells, theme))
    }
    for split, start, edges in dict.fromkeys((s.split, s.start, s.edges) for s in cells.settings):
        here = [s for s in cells.settings if (s.split, s.start, s.edges) == (split, start, edges)]
        name = "".join(c if c.isalnum() else "-" for c in f"arms-{split}-{start}-{edges}")
        found[name] = (
            f"Ours against the arms: {split}, {start} start, {edges} edges",
            lambda theme, here=here: plots.against_arms(cells, here, theme),  # type: ignore[misc]
        )
    return found


def _rows(results: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """One row for every score."""
    for cell in results["cells"]:
        spent = {f"samples_{kind}": count for kind, count in cell["samples"].items()}
        common = dict.fromkeys(_COLUMNS) | cell["cell"] | spent | {"rate": cell["rate"]}
        if cell["server"] is not None:
            who = {"who": "server", "model": "global", "distribution": "all"}
            yield common | who | cell["server"]
        for edge in cell["edges"]:
            for model, scored in edge["own"].items():
                yield (
                    common
                    | {"who": edge["edge"], "model": model, "distribution": "own"}
                    | scored
                    | edge["against_alone"].get(model, {})
                    | {"takes": edge["takes"] if model == "accepted" else None}
                )
