"""What every picture is drawn on: themes, axes, labels, rendering."""

import io
import warnings
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from ecavg_tf.core.scores import Accepted, Scores

NAMED = 12  # edges that a picture can name one by one
WIDTH = 7.2  # inches


@dataclass(frozen=True)
class Theme:
    """Colours of one mode; the hues are Okabe and Ito's, told apart by everybody.

    Attributes:
        ink: text and axes.
        paper: the background.
        faint: grid lines and what is not in focus.
        won: an edge that gained.
        lost: an edge that lost.
        server: the server's models.
        scale: matplotlib's colour map for counts.
    """

    ink: str
    paper: str
    faint: str
    won: str
    lost: str
    server: str
    scale: str


LIGHT = Theme("#1f2328", "#ffffff", "#d0d7de", "#009e73", "#d55e00", "#0072b2", "Blues")
DARK = Theme("#e6edf3", "#0d1117", "#3d444d", "#2ec4a0", "#ff8c42", "#56b4e9", "cividis")


def render(figure: Figure, kind: str) -> bytes:
    """A figure as ``png`` or ``svg`` bytes, the same for the same figure."""
    stream = io.BytesIO()
    with (
        warnings.catch_warnings(),
        matplotlib.rc_context({"svg.hashsalt": "ecavg", "svg.fonttype": "path"}),
    ):
        # A script that the font lacks becomes boxes; the page has the names as text, too.
        warnings.filterwarnings("ignore", message="Glyph")
        # Not savefig, which draws everything twice.
        if kind == "svg":
            FigureCanvasSVG(figure).print_svg(stream, metadata={"Date": None})
        else:
            figure.set_dpi(160)
            FigureCanvasAgg(figure).print_png(stream, metadata={"Software": None})
    return stream.getvalue()


def blank(theme: Theme, height: float) -> tuple[Figure, Axes]:
    """An empty figure of the report's width, and its axes; the height is in inches."""
    figure = Figure(figsize=(WIDTH, height), facecolor=theme.paper, layout="constrained")
    axes = figure.subplots()
    axes.set_facecolor(theme.paper)
    axes.tick_params(colors=theme.ink, which="both")
    axes.xaxis.label.set_color(theme.ink)
    axes.yaxis.label.set_color(theme.ink)
    axes.grid(axis="y", color=theme.faint, lw=0.6)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(theme.faint)
    return figure, axes


def label(text: str, most: int = 20) -> str:
    """A name as matplotlib shall show it: not too long, and no mathematics."""
    short = text if len(text) <= most else text[: most - 1] + "…"
    return short.replace("$", r"\$")


def percent(scores: Scores | Accepted | None) -> float:
    """Own accuracy in percent; NaN where there is none."""
    return np.nan if scores is None or scores.own is None else 100 * scores.own.accuracy
