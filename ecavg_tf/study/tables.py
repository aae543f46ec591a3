"""A study's tables, in words: for the page, and for Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass

from ecavg_tf.study.analysis import (
    Cells,
    Interval,
    Setting,
    interval,
    is_above,
    is_below,
    own,
    samples,
    server,
    significantly_below,
)

OURS = "ours"
_CANDIDATES = ("best-edge-tuned", "start-server")  # what auto may take instead of the average
_ACCEPTED = own("accepted")


@dataclass(frozen=True)
class Table:
    """A table in words.

    Attributes:
        title: its heading.
        caption: sentences that explain its columns.
        columns: the header.
        rows: as long as the header.
    """

    title: str
    caption: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]

    def markdown(self) -> str:
        """The heading, the caption and the table."""
        lines = [" | ".join(row) for row in (self.columns, ("---",) * len(self.columns))]
        lines += [" | ".join(row) for row in self.rows]
        return f"## {self.title}\n\n{self.caption}\n\n" + "".join(f"| {x} |\n" for x in lines)


def tables(cells: Cells) -> list[Table]:
    """All tables that a study's cells fill."""
    groups = dict.fromkeys((s.split, s.start, s.edges) for s in cells.settings)
    found = [
        _gains(cells),
        *(_arms(cells, [s for s in cells.settings if (s.split, s.start, s.edges) == group])
          for group in groups),
        _choice(cells),
        _alignment(cells),
        _guard(cells),
    ]  # fmt: skip
    return [table for table in found if table.rows]


def _gains(cells: Cells) -> Table:
    rows = []
    for setting in cells.settings:
        ours = cells.of(setting, OURS)
        if not ours:
            continue
        below = [_of(significantly_below(list(ours.values()), model))
                 for model in ("global", "prior", "accepted")]  # fmt: skip
        rows.append((
            str(setting),
            str(len(ours)),
            _plain(cells.mean(setting, OURS, own("alone"))),
            _plain(cells.mean(setting, OURS, _ACCEPTED)),
            signed(cells.difference(setting, OURS, OURS, _ACCEPTED, own("alone"))),
            signed(cells.difference(setting, OURS, "alone-longer", _ACCEPTED)),
            *below,
        ))  # fmt: skip
    return Table(
        "What edges gain",
        "Own accuracies in %, means over edges and seeds; differences in points with the 95 % "
        "interval of Student's t over seeds. *alone*: an edge alone, for its epochs of all "
        "rounds. *alone, longer*: for the server's epochs, too. *below*: edges (of all seeds) "
        "on which a model is significantly worse than the edge alone on own test examples (exact "
        "one-sided McNemar test at 5 % for each edge).",
        ("setting", "seeds", "alone", "accepted", "accepted − alone", "accepted − alone, longer",
         "below: global", "below: prior", "below: accepted"),
        rows,
    )  # fmt: skip


def _arms(cells: Cells, settings: Sequence[Setting]) -> Table:
    rows = []
    for setting in settings:
        for arm in cells.arms:
            there = cells.of(setting, arm)
            if not there:
                continue
            path, deciding = (
                _count(cells.mean(setting, arm, samples(kind))) for kind in ("path", "deciding")
            )
            rows.append((
                f"{100 * setting.pool:g} %",
                arm,
                str(len(there)),
                _plain(cells.mean(setting, arm, server)),
                signed(cells.difference(setting, OURS, arm, server), same=arm == OURS),
                _plain(cells.mean(setting, arm, _ACCEPTED)),
                signed(cells.difference(setting, OURS, arm, _ACCEPTED), same=arm == OURS),
                _of(significantly_below(list(there.values()), "accepted")),
                _count(cells.mean(setting, arm, samples("edges", "server"))),
                _count(cells.mean(setting, arm, samples("server"))),
                path,
                deciding,
            ))  # fmt: skip
    first = settings[0]
    return Table(
        f"Arms: {first.split}, {first.start} start, {first.edges} edges",
        "*all*: the server's model on the whole test set, %. *own*: what edges deploy, on their "
        "own mix, %. Differences in points with 95 % intervals: above 0, ours is better. "
        "*below*: edges that deploy a model significantly worse than their own alone. Examples "
        "processed, every pass counted: *total* (edges and server), *server*, *path* (the slowest "
        "edge and the server), *deciding* (the edges' guards).",
        ("pooled", "arm", "seeds", "all", "ours − arm, all", "own", "ours − arm, own",
         "below", "total", "server", "path", "deciding"),
        rows,
    )  # fmt: skip


def _choice(cells: Cells) -> Table:
    rows = []
    for setting in cells.settings:
        auto = cells.of(setting, "ours-auto")
        average = "ours-average" if cells.of(setting, "ours-average") else OURS
        others = [cells.of(setting, arm) for arm in (average, *_CANDIDATES)]
        if not auto or not all(others):
            continue
        differences, dearer = [], []
        for seed in sorted(set(auto).intersection(*others)):
            known = [server(each[seed]) for each in others]
            mine = server(auto[seed])
            if mine is not None:
                differences.append(mine - max(value for value in known if value is not None))
                dearer.append(samples("server")(auto[seed]) or 0)
        plain = cells.mean(setting, average, samples("server"))
        cost = interval(dearer)
        more = (
            "–" if plain is None or cost is None else f"{100 * (cost.mean / plain.mean - 1):+.0f} %"
        )
        took = [(cell["choice"] or {}).get("taken", "?").split()[0] for cell in auto.values()]
        chosen = ", ".join(f"{name} {took.count(name)}" for name in dict.fromkeys(took))
        rows.append((str(setting), str(len(auto)), signed(interval(differences)), more, chosen))
    return Table(
        "The server's choice of start",
        "Accuracy of the server's model with `server.combine=auto` against the best of its "
        "candidates in each seed (the average, the best edge, the round's start, each with the "
        "same fine-tune), in points. The best one is picked on the test set here, as nobody can in "
        "a run, so this difference is pessimistic. *server*: examples that its server processes, "
        "against the average's.",
        ("setting", "seeds", "auto − best candidate", "server", "taken"),
        rows,
    )


def _alignment(cells: Cells) -> Table:
    rows = []
    pairs = (("no", "averaged", "averaged-aligned"), ("yes", OURS, "ours-aligned"))
    for setting in [each for each in cells.settings if each.start == "independent"]:
        for tuned, plain, aligned in pairs:
            gain = cells.difference(setting, aligned, plain, server)
            if gain is not None:
                means = [_plain(cells.mean(setting, arm, server)) for arm in (plain, aligned)]
                rows.append((str(setting), str(len(gain.values)), tuned, *means, signed(gain)))
    return Table(
        "Alignment",
        "Accuracy of the server's model on the whole test set, where the hidden units of edges "
        "that began apart are matched before they are averaged (`server.align=apart`), and where "
        "they are not. *fine-tuned*: whether the server then trains it on the pool.",
        ("setting", "seeds", "fine-tuned", "as they are", "aligned", "difference"),
        rows,
    )


def _guard(cells: Cells) -> Table:
    rows = []
    for arm in cells.arms:
        if not arm.startswith(OURS) or arm == "ours-replace":
            continue
        gained = taken = worse = edges = 0
        for setting in cells.settings:
            for cell in cells.of(setting, arm).values():
                for edge in cell["edges"]:
                    against = edge["against_alone"]
                    clear = any(
                        is_above(against[each]) for each in ("global", "prior") if each in against
                    )
                    edges += 1
                    gained += clear
                    taken += clear and edge["takes"] != "local"
                    worse += is_below(against["accepted"])
        rows.append((arm, str(edges), _of((taken, gained)), _of((worse, edges))))
    return Table(
        "The guard",
        "Over all settings and seeds. *gains taken*: edges that left their local model, of those "
        "on which the global model or the prior is significantly better than the edge alone on "
        "own test examples; after round 1 a local model began at a global one, so keeping it can "
        "be a gain, too, and who stays with the model of the round before counts as one that left "
        "it. *losses*: edges that deploy a model significantly worse than alone.",
        ("arm", "edges", "gains taken", "losses"),
        rows,
    )


def signed(found: Interval | None, *, same: bool = False) -> str:
    """A difference with its interval."""
    if same or found is None:
        return "–"
    if found.half is None:
        return f"{found.mean:+.2f} (one seed)"
    return f"{found.mean:+.2f} ({found.mean - found.half:+.2f} … {found.mean + found.half:+.2f})"


def _plain(found: Interval | None) -> str:
    return "–" if found is None else f"{found.mean:.2f}"


def _count(found: Interval | None) -> str:
    return "–" if found is None else f"{found.mean:,.0f}"


def _of(counts: tuple[int, int]) -> str:
    return f"{counts[0]} of {counts[1]}" if counts[1] else "–"
