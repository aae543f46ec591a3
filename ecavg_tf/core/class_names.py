"""Checks the names of classes: each is one printable line, and no two are the same."""

import unicodedata
from collections import Counter
from collections.abc import Sequence

_LONGEST = 1000
_JOINERS = "\u200c\u200d"  # Persian, Indic scripts and emoji need them


def fault_of(classes: Sequence[str]) -> str | None:
    """What is wrong with names of classes, and how to mend it; None: nothing.

    Args:
        classes: the names, in label order.
    """
    for label, name in enumerate(classes):
        if not name.strip():
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


def _can_be_printed(letter: str) -> bool:
    # Spaces of any width count as printable here; Python's isprintable knows only the usual one.
    return letter.isprintable() or letter in _JOINERS or unicodedata.category(letter) == "Zs"
