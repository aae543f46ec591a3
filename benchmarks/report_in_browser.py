r"""How a report does in a real browser: nothing to swipe, no error, nothing inaccessible.

    pip install selenium; npm pack axe-core and unpack it; install Chromium and its driver
    python benchmarks/report_in_browser.py --run=runs/digits --axe=package/axe.min.js \
        --pictures=runs/browser

Makes the run's report anew for its own edges, for 50 and for 1,000 (the run's own, repeated under
other names), and opens each at three widths, light and dark. For each it tells the seconds until
the page is there, the pixels by which it is wider than the window, the errors in the console, and
what axe-core finds that is serious or critical.
"""

import argparse
import json
import math
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from ecavg_tf.epochs import EpochsFile, read_epochs
from ecavg_tf.events import EpochEnded, StageStarted
from ecavg_tf.report.page import PAGE, write_page
from ecavg_tf.results import RunResults, load_results

WIDTHS = (390, 1280, 2560)
COUNTS = (0, 50, 1000)  # edges; 0: the run's own
_PATIENCE_S = 300  # axe-core takes long for a large page on a busy machine
_WIDER = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
_AXE = """
const done = arguments[arguments.length - 1];
axe.run(document, {resultTypes: ["violations"]}).then(found => done(found.violations.filter(
    one => ["serious", "critical"].includes(one.impact)).map(one => [one.id, one.nodes.length,
    one.nodes[0].html.slice(0, 120)])));
"""


def main() -> None:
    """Parses, opens every page, prints a table; fails where one has a fault."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--axe", type=Path, required=True)
    parser.add_argument("--pictures", type=Path, required=True, help="where screenshots go")
    arguments = parser.parse_args()
    arguments.pictures.mkdir(parents=True, exist_ok=True)
    results, axe = load_results(arguments.run), arguments.axe.read_text()
    table = Table(box=box.MARKDOWN)
    for column in ("edges", "mode", "width", "seconds", "wider by", "errors", "axe: serious"):
        table.add_column(column)
    faults = 0
    for count in COUNTS:
        shown = repeated(results, count) if count else results
        edges = len(shown.rounds[-1].edges)
        with tempfile.TemporaryDirectory() as folder:
            tell_epochs(arguments.run, Path(folder), edges)
            write_page(shown, Path(folder))
            for dark in (False, True):
                for width in WIDTHS:
                    mode = "dark" if dark else "light"
                    picture = arguments.pictures / f"{edges}-{width}-{mode}.png"
                    seconds, wider, errors, serious = opened(
                        Path(folder) / PAGE, width, dark, axe, picture
                    )
                    faults += (wider > 0) + len(errors) + len(serious)
                    cells = (edges, mode, width, f"{seconds:.1f}", wider, len(errors))
                    told = "; ".join(f"{name} ({n}): {where}" for name, n, where in serious)
                    table.add_row(*map(str, cells), told or "none")
    Console(width=200).print(table)
    raise SystemExit(bool(faults))


def repeated(results: RunResults, count: int) -> RunResults:
    """The same run with its edges repeated under other names."""

    def many(edges: tuple[Any, ...]) -> tuple[Any, ...]:
        numbers = range(count if edges else 0)
        return tuple(replace(edges[at % len(edges)], edge=f"edge-{at:04d}") for at in numbers)

    rounds = tuple(
        replace(
            each,
            participants=tuple(f"edge-{at:04d}" for at in range(count)),
            edges=many(each.edges),
            influence=many(each.influence),
            costs=many(each.costs),
        )
        for each in results.rounds
    )
    return replace(results, rounds=rounds, alone=many(results.alone))


def tell_epochs(run: Path, folder: Path, edges: int) -> None:
    """Gives the folder an ``epochs.csv`` in which the repeated edges learn as the run's own."""
    told = read_epochs(run)
    own = sorted({each.who for each in told} - {"server"})
    names = own if edges == len(own) else [f"edge-{at:04d}" for at in range(edges)]
    tell = EpochsFile(folder)
    for each in told:
        copies = [name for at, name in enumerate(names) if own[at % len(own)] == each.who]
        for who in copies or [each.who]:
            tell(StageStarted(each.round, each.stage, who))
            values = each.loss or math.nan, each.accuracy or math.nan, each.seconds
            tell(EpochEnded(each.round, who, each.epoch, each.epochs, *values))


def opened(
    page: Path, width: int, dark: bool, axe: str, picture: Path
) -> tuple[float, int, list[str], list[Any]]:
    """Seconds to open it, pixels too wide, console errors, and what axe-core finds."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    for word in ("headless", "no-sandbox", "disable-gpu", "hide-scrollbars"):
        options.add_argument(f"--{word}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options)
    browser.set_script_timeout(_PATIENCE_S)
    try:
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": width < 600},
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        began = time.perf_counter()
        browser.get(page.as_uri())
        seconds = time.perf_counter() - began
        wider = int(browser.execute_script(_WIDER))
        browser.save_screenshot(str(picture))
        browser.execute_script(axe)
        serious = browser.execute_async_script(_AXE)
        logged = browser.get_log("browser")
    finally:
        browser.quit()
    errors = [each["message"] for each in logged if each["level"] == "SEVERE"]
    return seconds, wider, errors, json.loads(json.dumps(serious))


if __name__ == "__main__":
    main()
