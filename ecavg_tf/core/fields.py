"""Reads the fields of a JSON object that came from elsewhere; a wrong one is refused by name."""

import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ecavg_tf.core.errors import one_line

T = TypeVar("T")

DTYPES = (
    *("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"),
    *("float16", "float32", "float64"),
)
_LARGEST_SIZE = 2**31 - 1
LARGEST_COUNT = 2**53  # counts are used in float64 arithmetic, which is exact up to here


class FieldError(ValueError):
    """A field is missing, or is not what it must be; the text names it, in one printable line."""

    def __init__(self, text: str) -> None:
        super().__init__(one_line(text))


@dataclass(frozen=True)
class Fields:
    """A JSON object to read field by field.

    Every method takes a field's name, and raises a ``FieldError`` that says what came and
    what was expected.

    Attributes:
        values: the object.
        prefix: what its fields' names begin with, in errors.
    """

    values: Mapping[str, Any]
    prefix: str = ""

    @classmethod
    def of(cls, value: Any, prefix: str = "") -> "Fields":
        """The fields of an object; any other value is refused."""
        if not isinstance(value, dict):
            raise FieldError(f"{prefix.rstrip('.') or 'it'} is {short(value)}, expected an object")
        return cls(value, prefix)

    def only(self, names: Collection[str]) -> None:
        """Refuses fields that are not among ``names``."""
        for name in self.values:
            if name not in names:
                raise FieldError(f"{self.prefix}{name} is unknown")

    def get(self, name: str) -> Any:
        """A field's value, unchecked."""
        if name not in self.values:
            raise FieldError(f"{self.prefix}{name} is missing")
        return self.values[name]

    def refuse(self, name: str, expected: str) -> FieldError:
        """The error of a field that is not what was expected."""
        return FieldError(
            f"{self.prefix}{name} is {short(self.values.get(name))}, expected {expected}"
        )

    def inner(self, name: str) -> "Fields":
        """A field that is an object itself."""
        return Fields.of(self.get(name), f"{self.prefix}{name}.")

    def each(self, name: str, read: Callable[["Fields", str], T]) -> tuple[T, ...]:
        """A list, with ``read`` for each of its members: ``each("counts", Fields.count)``."""
        value = self.get(name)
        if not isinstance(value, list):
            raise self.refuse(name, "a list")
        members = Fields({str(at): one for at, one in enumerate(value)}, f"{self.prefix}{name}.")
        return tuple(read(members, at) for at in members.values)

    def maybe(self, name: str, read: Callable[["Fields", str], T]) -> T | None:
        """What ``read`` makes of a field that may be null: ``maybe("alpha", Fields.number)``."""
        return None if self.get(name) is None else read(self, name)

    def text(self, name: str) -> str:
        """A text, which may hold anything."""
        value = self.get(name)
        if not isinstance(value, str):
            raise self.refuse(name, "a text")
        return value

    def line(self, name: str) -> str:
        """A text for people, as one printable line of a bounded length."""
        return one_line(self.text(name))

    def choice(self, name: str, choices: Collection[str]) -> str:
        """One of some words."""
        value = self.get(name)
        if not isinstance(value, str) or value not in choices:
            raise self.refuse(name, " or ".join(choices))
        return value

    def number(
        self, name: str, lowest: float = -math.inf, highest: float = math.inf, *, zero: bool = True
    ) -> float:
        """A finite number from ``lowest`` to ``highest``; ``zero``: whether it may be 0."""
        value = self.get(name)
        if (
            type(value) not in (int, float)
            or not lowest <= value <= highest
            or abs(value) > 1e300  # also a whole number that no float can hold
            or (value == 0 and not zero)
        ):
            if math.isinf(highest):
                finite = "a finite number" if math.isinf(lowest) else f"a number from {lowest:g}"
                raise self.refuse(name, finite if zero else "a number above 0")
            raise self.refuse(name, f"a number from {lowest:g} to {highest:g}")
        return float(value)

    def whole(self, name: str, lowest: int = -(2**63), highest: int = 2**63) -> int:
        """A whole number from ``lowest`` to ``highest``."""
        value = self.get(name)
        if not _whole(value, lowest, highest):
            raise self.refuse(name, f"a whole number from {lowest} to {highest}")
        return int(value)

    def count(self, name: str) -> int:
        """A whole number from 0 that float64 holds."""
        return self.whole(name, 0, LARGEST_COUNT)

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self.get(name)
        if not isinstance(value, bool):
            raise self.refuse(name, "true or false")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of at least one text."""
        value = self.get(name)
        if not (isinstance(value, list) and value and all(map(_is_text, value))):
            raise self.refuse(name, "a list of texts")
        return tuple(value)

    def sizes(self, name: str, *, dynamic: bool = False) -> tuple[int, ...]:
        """A shape; ``dynamic``: whether its first size may be -1."""
        value = self.get(name)
        if not (
            isinstance(value, list)
            and len(value) <= 8
            and all(
                _whole(size, 1, _LARGEST_SIZE) or (dynamic and at == 0 and _whole(size, -1, -1))
                for at, size in enumerate(value)
            )
        ):
            raise self.refuse(name, "a list of sizes")
        return tuple(value)

    def positions(self, name: str, count: int) -> tuple[int, ...]:
        """Different positions in a list of ``count``."""
        value = self.get(name)
        if not (
            isinstance(value, list)
            and all(_whole(at, 0, count - 1) for at in value)
            and len(set(value)) == len(value)
        ):
            raise self.refuse(name, f"different positions from 0 to {count - 1}")
        return tuple(value)

    def value_range(self, name: str) -> tuple[float, float]:
        """Lowest and highest value."""
        value = self.get(name)
        if not (isinstance(value, list) and len(value) == 2):
            raise self.refuse(name, "two numbers")
        low, high = (Fields({name: end}, self.prefix).number(name) for end in value)
        if low > high:
            raise self.refuse(name, "the lowest first")
        return low, high

    def release(self, name: str) -> str | None:
        """A release of TensorFlow, or null."""
        value = self.get(name)
        release = r"[0-9]{1,5}(\.[0-9]{1,5}){0,3}"
        if value is not None and not (isinstance(value, str) and re.fullmatch(release, value)):
            raise self.refuse(name, "a release such as 2.14.0")
        return value

    def sha256(self, name: str) -> str:
        """A SHA-256 in hex."""
        value = self.get(name)
        if not (isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value)):
            raise self.refuse(name, "64 hexadecimal digits")
        return value

    def operators(self, name: str) -> tuple[tuple[str, int, int], ...]:
        """A list of (name, version, count)."""
        value = self.get(name)
        if not isinstance(value, list) or not all(
            isinstance(row, list)
            and len(row) == 3
            and isinstance(row[0], str)
            and all(_whole(number, 0, _LARGEST_SIZE) for number in row[1:])
            for row in value
        ):
            raise self.refuse(name, "a list of [name, version, count]")
        return tuple((row[0], row[1], row[2]) for row in value)


def _whole(value: Any, lowest: int, highest: int) -> bool:
    return type(value) is int and lowest <= value <= highest


def _is_text(value: Any) -> bool:
    """Whether it is a text without half characters and control codes, which JSON can express."""
    return isinstance(value, str) and not re.search("[\ud800-\udfff\x00-\x1f\x7f-\x9f]", value)


def short(value: Any) -> str:
    """A value as a part of one line; a long one is cut."""
    said = repr(value)
    return said if len(said) <= 60 else said[:60] + "…"
