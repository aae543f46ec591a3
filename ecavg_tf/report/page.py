"""report.html: one file that opens offline, in light and in dark."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from ecavg_tf.core.files import canonical_json, read_whole, write_bytes, write_text
from ecavg_tf.epochs import Epoch, read_epochs
from ecavg_tf.report import costs, exports, gains, learning, plots, repeating, words
from ecavg_tf.report.by_class import by_class
from ecavg_tf.report.figure import LIGHT, NARROW, inline, render
from ecavg_tf.report.shown import left_out, shown
from ecavg_tf.results import RunResults, to_json

PAGE = "report.html"
_PARTITIONED = re.compile(r"edge-\d\d+")  # names that no data set gave
_CAPTIONS = {
    "own-accuracy": (
        "Did the edges gain?",
        "Each line is an edge in the last round, measured on test examples in the mix of classes "
        "that it meets: with its local model, with the server's global model, and with what it "
        "deploys. Green: gained over its local model; orange: lost; else level.",
    ),
    "gains": (
        "How many edges gained how much?",
        "All edges of the last round, by the change of own accuracy from the local model to what "
        "is deployed, in points. Green: gained; orange: lost; else level.",
    ),
    "by-round": (
        "What is deployed, round by round",
        "Each line is an edge, from the model that it first trained alone. Where it changed its "
        "model, the pale bar ends at what its held-out examples make an unlikely low: their lower "
        "bound of the change, from the point before. Without a legend, "
        "colours tell who gained, as above.",
    ),
    "data": ("Who has what", "How many training examples of each class every edge has."),
    "stages": (
        "The server, stage by stage",
        "On test examples of all classes: the edges' local models, their average, for a net with "
        "BatchNorm the average recalibrated, and the global model after fine-tuning.",
    ),
    "learning": (
        "How they learned",
        "Accuracy and loss on the training data while each model was trained, epoch by epoch. "
        "Lines are edges, coloured as above by what they gained in the end; dotted, where there "
        "are any, the same trained without the others; blue squares are the server's on pooled "
        "data. Every round starts from other weights, so its lines begin anew.",
    ),
}
_WITH_ALONE = {  # where each edge was also trained alone for as many epochs
    "own-accuracy": (
        "Did the edges gain?",
        "Each line is an edge after the last round, measured on test examples in the mix of "
        "classes that it meets: trained alone for as many epochs, with the server's global model, "
        "and with what it deploys. Green: better than alone; orange: worse; else level.",
    ),
    "gains": (
        "How many edges gained how much?",
        "All edges of the last round, by the change of own accuracy from training alone for as "
        "many epochs to what is deployed, in points. Green: gained; orange: lost; else level.",
    ),
    "by-round": (
        "What is deployed, round by round",
        "Each line is an edge, from the model that it first trained alone; its cross is the edge "
        "alone for as many epochs as in all rounds. Where it changed its model, the pale bar ends "
        "at what its held-out examples make an unlikely low: their lower bound of the change, "
        "from the point before. Without a legend, "
        "colours tell who gained, as above.",
    ),
}
_WITHOUT_TEST = {  # where the server has no test set, so that all scores are the edges' own
    "own-accuracy": (
        "Did the edges gain?",
        "Each line is an edge in the last round, measured on its own test set: with its local "
        "model, with the server's global model, and with what it deploys. Green: gained over its "
        "local model; orange: lost; else level.",
    ),
    "stages": (
        "The global model, round by round",
        "The mean over the edges' own test examples, as the edges report it: the server has no "
        "test set.",
    ),
}


@dataclass(frozen=True)
class Live:
    """What the page of a run that goes on has more.

    Attributes:
        every_s: seconds after which it renews itself.
        now: what the run does, as its log says.
    """

    every_s: float
    now: str


def write_page(results: RunResults, folder: Path, live: Live | None = None) -> None:
    """Writes ``report.html`` and the pictures as ``plots/*.png`` into a folder.

    Args:
        results: the run's.
        folder: where to; its ``epochs.csv`` is read.
        live: of a run that goes on; None: it does not, and the page is its last one.
    """
    pictures: list[dict[str, str]] = []
    tested = bool(results.rounds) and words.has_test(results.rounds[-1].server)
    captions = _CAPTIONS if tested else _CAPTIONS | _WITHOUT_TEST
    if len(results.rounds) > 1 and results.alone:
        captions = captions | _WITH_ALONE
    epochs = read_epochs(folder)
    for name, draw in plots.pictures(results, epochs).items():
        title, caption = captions[name]
        wide = draw(results, LIGHT)
        (folder / "plots").mkdir(exist_ok=True)
        write_bytes(folder / "plots" / f"{name}.png", render(wide, "png"))
        pictures.append(
            {
                "name": name,
                "title": title,
                "caption": caption,
                "wide": inline(wide, name),
                "narrow": inline(draw(results, NARROW), f"{name}-narrow"),
            }
        )
    mark = _mark(results) if live is None else ""  # the run's own last page is still to come
    write_text(folder / PAGE, html(results, pictures, epochs, live) + mark)


def is_written(results: RunResults, folder: Path) -> bool:
    """Whether a folder holds the page of these very results, and all pictures."""
    drawn = plots.pictures(results, read_epochs(folder))
    names = [f"plots/{name}.png" for name in drawn]
    try:
        page = read_whole(folder / PAGE).decode()
    except (OSError, ValueError):
        return False
    return page.endswith(_mark(results)) and all((folder / name).exists() for name in names)


def _mark(results: RunResults) -> str:
    """Ends the page, and names the results that it shows."""
    sha256 = hashlib.sha256(canonical_json(to_json(results)).encode()).hexdigest()
    return f"<!-- results {sha256} -->\n"


def html(
    results: RunResults,
    pictures: list[dict[str, str]],
    epochs: Sequence[Epoch] = (),
    live: Live | None = None,
) -> str:
    """The page.

    Args:
        results: a run's results.
        pictures: each with title, caption, and SVG for wide and for narrow screens.
        epochs: of all fits.
        live: of a run that goes on.
    """
    page: str = _template(results).render(
        results=results,
        alone={each.edge: each.own for each in results.alone},
        source=_source(results),
        edges_words=_edges(results),
        live=live,
        pictures=pictures,
        by_class=by_class(results),
        costs=costs,
        repeating=repeating,
        elsewhere=results.config.get("fleet", {}).get("kind", "local") != "local",
        fits=learning.tabled(learning.fits(results, epochs)),
        words=words,
        gains=gains,
        few=shown,
        left_out=left_out,
        last=results.rounds[-1] if results.rounds else None,
        seconds=sum(sum(each.seconds.values()) for each in results.rounds),
        columns=exports.FULL,
        cells=exports.cells,
        notes=exports.notes,
        legend=exports.legend(exports.FULL),
    )
    return page


def _template(results: RunResults) -> jinja2.Template:
    """The page's template, with the words for numbers that it uses."""
    template = resources.files("ecavg_tf.report").joinpath("page.html.jinja").read_text("utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["percent"] = _percent
    environment.filters["signed"] = _signed
    environment.filters["whole"] = lambda change: f"{100 * change:+.0f}" if change else "0"
    environment.filters["size"] = costs.size
    environment.filters["loss"] = lambda loss: "–" if loss is None else f"{loss:.3f}"
    environment.filters["classes"] = lambda counts: words.classes(counts, results.classes)
    return environment.from_string(template)


def _source(results: RunResults) -> str:
    """What to call the run's data."""
    data = results.config["data"]
    return "Data of edges" if data.get("spec") else str(data["name"])


def _edges(results: RunResults) -> str:
    """How many edges there are, and whence they have their data, as the results show it."""
    partition = results.config["partition"]
    names = {edge.edge for played in results.rounds for edge in played.edges}
    own = bool(results.config["data"].get("spec"))
    if own or not all(map(_PARTITIONED.fullmatch, names)):
        return f"{len(names)} edge{'s'[: len(names) != 1]} with data of their own"
    count = partition["num_edges"]
    return f"{count} edge{'s'[: count != 1]}, partition “{partition['kind']}”"


def _percent(scored: Any) -> str:
    if scored is None:
        return "–"
    return f"{100 * (scored if isinstance(scored, float) else scored.accuracy):.1f}"


def _signed(change: float | None) -> str:
    return "–" if change is None else words.signed(change)
