"""What every picture is drawn on: themes, axes, labels, rendering."""

import io
import re
import warnings
from dataclasses import dataclass, fields, replace

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure

from ecavg_tf.core.scores import Accepted, Scores

NAMED = 12  # edges that a picture can name one by one
WIDTH = 7.2  # inches
_NARROW = 4.0  # of a picture for a phone: it is shown at about its own size


@dataclass(frozen=True)
class Theme:
    """Colours of one mode; the hues are Okabe and Ito's, told apart by everybody.

    Attributes:
        ink: text and axes.
        paper: the background.
        faint: grid lines and what is not in focus.
        won: an edge that gained.
        lost: an edge that lost.
        server: the server's models, and counts.
        width: of the picture, in inches.
    """

    ink: str
    paper: str
    faint: str
    won: str
    lost: str
    server: str
    width: float = WIDTH

    @property
    def narrow(self) -> bool:
        """Whether there is room for the shortest words only."""
        return self.width < WIDTH

    @property
    def scale(self) -> LinearSegmentedColormap:
        """Colours for counts: the more, the less of the background shines through."""
        rgb = to_rgb(self.server)
        return LinearSegmentedColormap.from_list("counts", [(*rgb, 0.0), (*rgb, 1.0)])


LIGHT = Theme("#1f2328", "#ffffff", "#d0d7de", "#009e73", "#d55e00", "#0072b2")
NARROW = replace(LIGHT, width=_NARROW)
_PLACES = re.compile(r'\b(?:d|x|y)="[^"]*"')
_DIGITS = re.compile(r"(?<=\.\d\d)\d+")  # a hundredth of a point is less than a screen can show
ON_COLOUR = "#fefefe"  # text on a strong colour, in light and in dark


def render(figure: Figure, kind: str) -> bytes:
    """A figure as ``png`` or ``svg`` bytes, the same for the same figure."""
    stream = io.BytesIO()
    with (
        warnings.catch_warnings(),
        matplotlib.rc_context({"svg.hashsalt": "ecavg", "svg.fonttype": "none"}),
    ):
        # A script that the font lacks becomes boxes; the page has the names as text, too.
        warnings.filterwarnings("ignore", message="Glyph")
        # Not savefig, which draws everything twice.
        if kind == "svg":
            FigureCanvasSVG(figure).print_svg(stream, metadata={"Date": None})
        else:
            figure.set_dpi(160)
            FigureCanvasAgg(figure).print_png(stream, metadata={"Software": None})
    figure.set_layout_engine("none")  # it is laid out, and another format needs no other places
    return stream.getvalue()


def inline(figure: Figure, name: str) -> str:
    """A figure drawn with ``LIGHT`` or ``NARROW`` as SVG for a page that says its colours in CSS.

    Args:
        figure: the figure.
        name: of this picture on the page, where no two may share an id.

    Returns:
        An ``svg`` element without a size, as wide as what it stands in. Colours of the theme are
        ``var(--plot-…)``, so that the same picture serves a light and a dark page.
    """
    text = render(figure, "svg").decode()
    text = text[text.index("<svg") :]
    text = re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', r"\1", text, count=1)
    text = re.sub(r" font-family: [^;]*;", "", text)  # the page says it once
    text = _PLACES.sub(lambda found: _DIGITS.sub("", found[0]), text)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", text)
    for field in fields(Theme):
        if field.name != "width":
            text = text.replace(getattr(LIGHT, field.name), f"var(--plot-{field.name})")
    return text


def blank(theme: Theme, height: float) -> tuple[Figure, Axes]:
    """An empty figure of the report's width, and its axes; the height is in inches."""
    figure, (axes,) = panels(theme, height, 1)
    return figure, axes


def panels(theme: Theme, height: float, rows: int) -> tuple[Figure, tuple[Axes, ...]]:
    """As ``blank``, with several axes, one below the other."""
    figure = Figure(figsize=(theme.width, height), facecolor=theme.paper, layout="constrained")
    found = tuple(figure.subplots(rows, squeeze=False)[:, 0])
    for axes in found:
        axes.set_facecolor(theme.paper)
        axes.tick_params(colors=theme.ink, which="both")
        axes.xaxis.label.set_color(theme.ink)
        axes.yaxis.label.set_color(theme.ink)
        axes.grid(axis="y", color=theme.faint, lw=0.6)
        axes.set_axisbelow(True)
        for side, spine in axes.spines.items():
            spine.set_visible(side in ("left", "bottom"))
            spine.set_color(theme.faint)
    return figure, found


def label(text: str, most: int = 20) -> str:
    """A name as matplotlib shall show it: not too long, and no mathematics."""
    short = text if len(text) <= most else text[: most - 1] + "…"
    return short.replace("$", r"\$")


def percent(scores: Scores | Accepted | None) -> float:
    """Own accuracy in percent; NaN where there is none."""
    return np.nan if scores is None or scores.own is None else 100 * scores.own.accuracy
