"""Writes docs/performance.md from the tables that the other scripts left in benchmarks/results.

python benchmarks/performance_page.py
"""

import json
from pathlib import Path
from typing import Any

from ecavg_tf.core.files import write_text

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "performance.md"
HEAD = """\
# Performance

This page is written by `python benchmarks/performance_page.py`, from what the scripts in
`benchmarks/` measured. Each table names its command. Compare within a table: seconds alone say
little about a machine that others use, too, and here at least one other job ran all the time,
unless a table says that nothing else ran. The fields that change speed are explained in
[Configuration](configuration.md#speed).
"""
KNOWN = {  # in the page's order; tables that are not named here come last
    "round_overhead": "A round against the same calls by hand",
    "round_profile_mobilenet_v2": "What is left",
    "training_speed": "Training against Keras",
    "first_fit": "Before the first batch",
    "kernels": "TensorFlow's kernels",
    "startup": "Start-up",
}
WORDS = {
    "round_overhead": """\
The goals at this size are 1.05 for `replace` and 1.15 for `guarded`. A deep net misses them, and
the next table says what is left beside training. A run of one round pays all that a run pays once:
writing Keras files and checking them. With more images or rounds its share falls.
""",
    "training_speed": """\
Keras' `model.fit` hands every batch to Python and back. For a small net that costs several times
its training. Here TensorFlow trains on up to 64 batches before Python hears of them. The steps are
the same, to the bit. XLA (`jit_compile=on`) changes bits.
""",
    "first_fit": """\
The first fit of a deep net traces it in Python, and TensorFlow then optimizes its graph, before
anything is trained. Keras traces a step twice, because its metrics make their variables while it
is traced. Here they are made before, so it is traced once.
""",
    "kernels": """\
For `resnet50` and `mobilenet_v2` oneDNN is decided before TensorFlow is imported. On a processor
with AVX-512 both train with it, which is also TensorFlow's own choice on processors that have
AVX-512 VNNI or AMX. On a processor without AVX-512 `resnet50` trains with it and `mobilenet_v2`
without. For other models TensorFlow chooses itself. Rows that are missing here were not measured on
this machine yet. Each cell is a process of its own, and others used the machine meanwhile: measure
on yours before you set `TF_ENABLE_ONEDNN_OPTS`.
""",
    "flower_simulation": """\
A short run here is mostly start-up: it imports TensorFlow and Keras, reads the data and draws the
page of its report.
""",
    "workers_mlp": """\
Each process imports TensorFlow first, which the edges' part contains. The last row is what this
machine gives at most: two whole runs at once, with half of the edges each.
""",
}


def cell(word: str) -> str:
    """A word inside a table."""
    return word.replace("|", r"\|")


def section(name: str, kept: dict[str, Any]) -> str:
    """One table with its command, machine and versions."""
    machine, versions = kept["machine"], kept["versions"]
    width = "with AVX-512" if machine["avx512"] else "without AVX-512"
    lines = [f"## {KNOWN.get(name, kept['title'])}", ""]
    if name in WORDS:
        lines += [WORDS[name]]
    if name in KNOWN:
        lines += [f"{kept['title']}.", ""]
    lines += ["```", kept["command"], "```", ""]
    rows = [kept["columns"], ["---"] * len(kept["columns"]), *kept["rows"]]
    lines += [f"| {' | '.join(map(cell, row))} |" for row in rows]
    lines += ["", *(f"{note}\n" for note in kept["notes"])]
    installed = ", ".join(f"{package} {version}" for package, version in versions.items())
    lines += [f"*{machine['processor']} {width}, {machine['cores']} cores; {installed}.*", ""]
    return "\n".join(lines)


def page(folder: Path) -> str:
    """The whole page."""
    tables = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    order = [*(name for name in KNOWN if name in tables), *(n for n in tables if n not in KNOWN)]
    return "\n".join([HEAD, *(section(name, tables[name]) for name in order)]).rstrip() + "\n"


if __name__ == "__main__":
    write_text(PAGE, page(HERE / "results"))
