"""Writes docs/results-study.md from docs/studies/*.json; no number in it is typed.

    python benchmarks/results_study.py                        # the page, from what is there
    python benchmarks/results_study.py mnist=runs/study-mnist # takes a study.json over first

Every sentence about a difference says what its interval says: above 0, below 0, or neither.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ecavg_tf.core.files import read_json, write_text
from ecavg_tf.study.analysis import Cells, Interval, Setting, own, server
from ecavg_tf.study.results import RESULTS, left_out, lines_of
from ecavg_tf.study.tables import OURS, Table, signed, tables

DOCS = Path(__file__).resolve().parent.parent / "docs"
STUDIES = DOCS / "studies"
INTRODUCTION = """\
# Studies

When does averaging help? `ecavg study` compares it with its controls: what edges reach alone, and
what a server reaches that trains on the pooled data in other ways. This page was written by
`python benchmarks/results_study.py` from the files in `docs/studies`, which `ecavg study` wrote.
The [glossary](glossary.md) explains the words.

- Differences are in points, taken within a seed. Intervals are 95 % intervals of Student's t over
  the seeds. There are few seeds, so intervals are wide: *no difference shown* is not *no
  difference*.
- No arm sees a test example. Rates and models are chosen on guard sets or on pooled data that is
  held out (a test, tests/study/test_runner.py, changes the test labels and compares the bits).
- [How a study works](study.md) and what makes the comparison fair is on a page of its own.
- Every control restarts its optimizer wherever a round restarts it.
- *own* is accuracy on an edge's own mix of classes, *all* on the whole test set.
"""
SERVERS = (  # what ours is compared with on the server
    ("start-server", "the start with the same fine-tune (equal server compute)"),
    ("start-path", "the start at equal time"),
    ("start-total", "the start at equal total compute"),
    ("best-edge-tuned", "the best edge with the same fine-tune"),
    ("untrained-mean", "the mean of untrained starts with the same fine-tune"),
    ("fedavg", "federated averaging without a pool"),
    ("ensemble", "the ensemble of the edges"),
)

_KINDS: dict[Callable[[Interval], bool], str] = {
    lambda found: found.above: "is better than",
    lambda found: found.below: "is worse than",
    lambda found: not (found.above or found.below): "shows no difference to",
}


def main() -> None:
    """Parses, takes studies over, writes the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("studies", nargs="*", metavar="NAME=WORKDIR")
    for given in parser.parse_args().studies:
        name, _, folder = given.partition("=")
        write_text(STUDIES / f"{name}.json", lines_of(read_json(Path(folder) / RESULTS)))
    write_text(DOCS / "results-study.md", whole_page())


def whole_page() -> str:
    """docs/results-study.md."""
    pages = [page(path) for path in sorted(STUDIES.glob("*.json"))]
    return "\n".join([INTRODUCTION, *pages])


def page(path: Path) -> str:
    """One study: what was run, what it shows, and its tables."""
    results: dict[str, Any] = json.loads(path.read_text())
    cells = Cells(results["cells"])
    command = (
        f"ecavg study --config=configs/studies/{path.stem}.py --workdir=runs/study-{path.stem}"
    )
    lines = [f"## {results['study']['title']}", "", "```", command, "```", ""]
    notes = [*results["study"]["notes"], *_known_to_edges(results["study"]), *left_out(results)]
    lines += [_was_run(results), "", *[f"{note}\n" for note in notes]]
    lines += ["What it shows:", "", *_says(cells), ""]
    return "\n".join(lines) + "\n" + "\n".join(_lower(table) for table in tables(cells))


def _known_to_edges(study: dict[str, Any]) -> list[str]:
    """What an older study did not know of its choice of rates."""
    if len(study["rates"]) < 2 or "rates_on" in study:
        return []
    return [
        "The edges had trained on the examples that chose the server's rate. That favours small "
        "rates where an arm begins with the edges' models (*published*, *best-edge-tuned*, and all "
        "*ours*), and may count against these. A study that is run now holds these examples out of "
        "the edges' training, too."
    ]


def _was_run(results: dict[str, Any]) -> str:
    cells, task = results["cells"], results["study"]["task"]
    seeds = len({cell["cell"]["seed"] for cell in cells})
    minutes = sum(cell["seconds"] for cell in cells) / 60
    took = f"{minutes:.0f} minutes" if minutes < 90 else f"{minutes / 60:.1f} hours"
    left = "" if results["status"] == "finished" else (
        " It was not finished: settings, arms or seeds that a table lacks are still missing."
    )  # fmt: skip
    epochs = f"{task['edge']['epochs']} + {task['server']['epochs']} epochs"
    if task["server"].get("epochs_for_pool") == "full":
        epochs += " (an epoch of the server is as many examples as the edges have)"
    return (
        f"{len(cells)} cells, {seeds} seeds; rounds: {task['rounds']}, each {epochs}; {took} "
        f"on a shared machine.{left}"
    )


def _says(cells: Cells) -> Iterator[str]:
    """Sentences that claim what intervals show, setting by setting."""
    for setting in cells.settings:
        gain = cells.difference(setting, OURS, OURS, own("accepted"), own("alone"))
        if gain is None:
            continue
        compared = [f"  - {said}." for said in _compared(cells, setting)]
        subject = " The global model" if compared else ""
        yield f"- **{setting}.** Edges, accepted − alone: {_verdict(gain)}.{subject}"
        yield from compared


def _compared(cells: Cells, setting: Setting) -> Iterator[str]:
    for kind, said in _KINDS.items():
        parts = [
            f"{words}: {signed(found)}"
            for arm, words in SERVERS
            if (found := cells.difference(setting, OURS, arm, server)) and kind(found)
        ]
        if parts:
            yield f"{said} {'; '.join(parts)}"


def _verdict(found: Interval) -> str:
    kind = "a gain" if found.above else "a loss" if found.below else "no difference shown"
    return f"{kind}, {signed(found)}"


def _lower(table: Table) -> str:
    """A table one heading below its study's."""
    return "#" + table.markdown()


if __name__ == "__main__":
    main()
