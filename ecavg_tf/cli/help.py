"""``ecavg run --help``: every config field, its default and what it is for."""

import dataclasses
import enum
import re
from collections.abc import Iterator
from typing import Any

from ecavg_tf.config import Config


def fields_help() -> str:
    """One line a field, from the config classes' own docstrings."""
    return "\n".join(_lines(Config(), ""))


def _lines(config: Any, prefix: str) -> Iterator[str]:
    kinds = reversed(type(config).__mro__)  # what a class itself says comes last and wins
    docs = {name: said for kind in kinds for name, said in _attributes(kind.__doc__ or "").items()}
    for item in dataclasses.fields(config):
        value = getattr(config, item.name)
        if dataclasses.is_dataclass(value):
            yield from _lines(value, f"{prefix}{item.name}.")
            continue
        shown = value.value if isinstance(value, enum.Enum) else value
        said = docs.get(item.name, "").replace("``", "'")
        yield f"  --config.{prefix}{item.name}={shown!s}\n      {said}"


def _attributes(doc: str) -> dict[str, str]:
    """The ``Attributes:`` section of a Google-style docstring."""
    section = doc.partition("Attributes:")[2]
    entries = re.findall(r"^ {8}(\w+): (.*(?:\n {12}.*)*)", section, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}
