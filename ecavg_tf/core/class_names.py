"""Checks the names of classes: each is one printable line, and no two are the same."""

import unicodedata
from collections import Counter
from collections.abc import Sequence

from ecavg_tf.core.errors import JOINERS

_LONGEST = 1000
# What Python says can be printed, and shows nothing: letters as wide as others, and marks.
_NO_INK = {**dict.fromkeys(map(ord, "\u115f\u1160\u2800\u3164\uffa0"), " "), 0x34F: "", 0xFE0F: ""}


def fault_of(classes: Sequence[str]) -> str | None:
    """What is wrong with names of classes, and how to mend it; None: nothing.

    Args:
        classes: the names, in label order.
    """
    for label, name in enumerate(classes):
        if not _look(name):
            return f"class {label} has an empty name; give it one"
        if name.splitlines() != [name]:
            return f"class {name!r} holds a line break; rename the class"
        if len(name) > _LONGEST:
            return (
                f"the name of class {label} has {len(name)} characters, at most {_LONGEST} are "
                "allowed; give it a shorter one"
            )
        if not all(map(_can_be_printed, name)):
            return f"class {name!r} holds a character that can't be printed; rename the class"
    name, count = Counter(classes).most_common(1)[0] if classes else ("", 1)
    if count > 1:
        labels = ", ".join(str(n) for n, other in enumerate(classes) if other == name)
        return f"class name {name!r} stands for the labels {labels}; give each a name of its own"
    return None


def alike_of(classes: Sequence[str]) -> str | None:
    """A line on two names that people can't tell apart; None: there are none.

    They differ in spaces, in marks at their ends that show nothing, or in how an accent is
    written.
    """
    looks: dict[str, str] = {}
    for name in classes:
        other = looks.setdefault(_look(name), name)
        if other != name:
            return f"the class names {other!a} and {name!a} look the same: rename one"
    return None


def _look(name: str) -> str:
    words = unicodedata.normalize("NFC", name).translate(_NO_INK).split()
    return " ".join(word.strip(JOINERS) for word in words)


def _can_be_printed(letter: str) -> bool:
    # Spaces of any width count as printable here; Python's isprintable knows only the usual one.
    return letter.isprintable() or letter in JOINERS or unicodedata.category(letter) == "Zs"
