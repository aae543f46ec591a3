"""Tables in CSV files, which may be damaged or hostile: a header, numbers, and some texts.

Every column is a column of numbers, but those whose names say that they are texts: the label, the
group and the edge of an example. The first row is the header. Rows count from 1, as in a
spreadsheet, so the first example is in row 2.
"""

import csv
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

import numpy as np
from numpy.typing import NDArray

from ecavg_tf.core.columns import fault_of, shown
from ecavg_tf.core.errors import DataError, brief
from ecavg_tf.core.fields import short
from ecavg_tf.core.files import NotRegularError, open_regular

SUFFIX = ".csv"
LABEL = "label"
TEXTS = ("group", "edge")  # columns that are no inputs, if they are there
MOST_COLUMNS = 100_000
LONGEST_TEXT = 200  # characters of a name; what an array of texts needs goes with the longest
_LONGEST_LINE = 2**24  # bytes
_CELLS_AT_ONCE = 2**18  # as Python texts, before they become numbers
_SEPARATORS = ",;\t"


@dataclass(frozen=True)
class Table:
    """A table that was read.

    Attributes:
        columns: names of the columns of numbers, in the file's order.
        inputs: the numbers, shape (n, columns), float32; shape (0, columns) if they were not
            asked for.
        texts: the other columns by name, each of shape (n,).
        rows: the row of each example in the file, shape (n,); the header is row 1.
    """

    columns: tuple[str, ...]
    inputs: NDArray[np.float32]
    texts: Mapping[str, NDArray[np.str_]]
    rows: NDArray[np.int64]


def is_table(path: Path) -> bool:
    """Whether a file's name says that it is a table."""
    return path.suffix.lower() == SUFFIX


def read_table(
    path: Path,
    *,
    label: str = LABEL,
    texts: Collection[str] = TEXTS,
    labelled: bool = True,
    numbers: bool = True,
) -> Table:
    """Reads a table. The separator is a comma, or what the header has instead: ``;`` or a tab.

    Args:
        path: the file, UTF-8.
        label: the name of the column with the examples' labels.
        texts: names of other columns that hold texts, if they are there.
        labelled: whether the column of labels must be there; if not, ``label`` means nothing,
            and the columns of ``texts`` are passed over.
        numbers: whether the numbers are read; without them, only texts are.

    Raises:
        DataError: it can't be read; the line names row and column.
    """
    try:
        with open_regular(path) as stream:
            reader = _Reader(path, stream, label if labelled else None, texts)
            return reader.read(numbers)
    except FileNotFoundError as error:
        raise DataError(f"{path} is not there") from error
    except NotRegularError as error:
        raise DataError(f"{path} is no regular file; give the .csv file itself") from error
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror}") from error


def read_header(path: Path, *, label: str = LABEL, texts: Collection[str] = TEXTS) -> Table:
    """The columns of a labelled table, without its rows.

    Returns:
        A table without examples, with the texts' columns that are there.

    Raises:
        DataError: as ``read_table``.
    """
    try:
        with open_regular(path) as stream:
            return _Reader(path, stream, label, texts).header()
    except OSError:
        return read_table(path, label=label, texts=texts)  # which says why it can't be read


class _Reader:
    """Reads one file, once."""

    def __init__(
        self, path: Path, stream: IO[bytes], label: str | None, texts: Collection[str]
    ) -> None:
        self._path, self._label = path, label
        self._words = sorted(texts) if label is None else [label, *sorted(set(texts) - {label})]
        self._records = self._rows(stream)
        found = next(self._records, None)
        if found is None:
            raise DataError(f"{path} is empty; expected a header with the columns' names")
        self._names = tuple(name.strip() for name in found[1])
        self._check_header()
        self._texts = [at for at, name in enumerate(self._names) if name in self._words]
        self._numbers = [at for at, name in enumerate(self._names) if name not in self._words]

    def header(self) -> Table:
        """The columns alone."""
        if self._label is not None and self._label not in self._names:
            raise DataError(
                f"{self._path} has no column {self._label!r} for the labels; its columns are "
                f"{shown(self._names)}; say which it is: --label-column (in a run: "
                "data.label_column)"
            )
        if not self._numbers:
            raise DataError(f"{self._path} has no column of numbers beside {shown(self._names)}")
        names = tuple(self._names[at] for at in self._numbers)
        nothing = np.zeros((0, len(names)), np.float32)
        texts = {self._names[at]: np.zeros(0, np.str_) for at in self._texts}
        return Table(names, nothing, texts, np.zeros(0, np.int64))

    def read(self, numbers: bool) -> Table:
        """The whole table."""
        head = self.header()
        held: dict[int, list[str]] = {at: [] for at in self._texts if self._label is not None}
        parts, rows, cells, seen = [head.inputs], [], [], dict[str, str]()
        at_once = max(1, _CELLS_AT_ONCE // len(head.columns))
        for row, found in self._records:
            if len(found) != len(self._names):
                raise DataError(
                    f"{self._path}: row {row} has {len(found)} cells, the header {len(self._names)}"
                )
            rows.append(row)
            for at, column in held.items():
                text = self._text(row, at, found[at].strip())
                column.append(seen.setdefault(text, text))
            if numbers:
                cells.append([found[at] for at in self._numbers])
            if len(cells) == at_once:
                parts.append(self._floats(rows[-at_once:], cells))
                cells = []
        if not rows:
            raise DataError(f"{self._path} has a header and no row; give at least one example")
        if cells:
            parts.append(self._floats(rows[-len(cells) :], cells))
        texts = {self._names[at]: np.array(column, np.str_) for at, column in held.items()}
        return Table(head.columns, np.concatenate(parts), texts, np.array(rows, np.int64))

    def _rows(self, stream: IO[bytes]) -> Iterator[tuple[int, list[str]]]:
        """Each row that is not blank, with its number."""
        lines = self._lines(stream)
        first = next(lines, "")
        separator = next((each for each in _SEPARATORS if each in first), ",")
        row = 0
        try:
            for row, cells in enumerate(
                csv.reader(
                    _joined(first, lines), delimiter=separator, strict=True, skipinitialspace=True
                ),
                1,
            ):
                if cells not in ([], [""]):
                    yield row, cells
        except csv.Error as error:
            said = brief(error)
            if said.startswith("new-line character"):  # Python's words speak of its own functions
                said = "its lines end in a carriage return alone; save it with other line ends"
            raise DataError(f"{self._path}: row {row + 1} can't be read as CSV: {said}") from error

    def _lines(self, stream: IO[bytes]) -> Iterator[str]:
        number = 0
        while line := stream.readline(_LONGEST_LINE + 1):
            number += 1
            if len(line) > _LONGEST_LINE:
                raise DataError(
                    f"{self._path}: line {number} has more than {_LONGEST_LINE} bytes; it is no "
                    "CSV file, or its lines end in another way"
                )
            if b"\0" in line:
                raise DataError(
                    f"{self._path}: line {number} holds a NUL byte; save the file as CSV in UTF-8"
                )
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{self._path}: line {number} is no UTF-8 text; save the file as CSV in UTF-8"
                ) from error

    def _check_header(self) -> None:
        if len(self._names) > MOST_COLUMNS:
            raise DataError(
                f"{self._path} has {len(self._names)} columns, at most {MOST_COLUMNS} are read"
            )
        counted = [str(number) for number in range(len(self._names))]  # as pandas names them
        if all(map(_is_number, self._names)) and list(self._names) != counted:
            raise DataError(
                f"{self._path}: its first row is {shown(self._names)}; expected a header with the "
                "columns' names"
            )
        if fault := fault_of(self._names, LONGEST_TEXT):
            raise DataError(f"{self._path}: {fault}")

    def _text(self, row: int, at: int, text: str) -> str:
        if not text:
            self._refuse(row, at, "is empty; fill it in, or leave the row out")
        if len(text) > LONGEST_TEXT:
            self._refuse(row, at, f"has {len(text)} characters, at most {LONGEST_TEXT} are read")
        return text

    def _floats(self, rows: Sequence[int], cells: list[list[str]]) -> NDArray[np.float32]:
        try:
            with np.errstate(over="ignore"):  # what is too large is found below
                values = np.array(cells, np.float64).astype(np.float32)
        except ValueError:
            values = None
        if values is None or not np.isfinite(values).all() or any(map(_grouped, cells)):
            for row, line in zip(rows, cells, strict=True):
                for at, cell in zip(self._numbers, line, strict=True):
                    self._check_number(row, at, cell)
            raise AssertionError("one of the cells is no number")
        return values

    def _check_number(self, row: int, at: int, cell: str) -> None:
        if not cell.strip():
            self._refuse(row, at, "is empty; fill it in, or leave the row out")
        if not _is_number(cell):
            comma = "; write numbers with a decimal point" if "," in cell else ""
            but = f" but {shown(self._words)}" if self._words else ""
            self._refuse(
                row,
                at,
                f"is {short(cell)}; expected a number, as in every column{but}{comma}",
            )
        with np.errstate(over="ignore"):
            finite = np.isfinite(np.float32(float(cell)))
        if not finite:
            self._refuse(row, at, f"is {short(cell)}; expected a finite number of float32")

    def _refuse(self, row: int, at: int, what: str) -> NoReturn:
        raise DataError(f"{self._path}: row {row}, column {self._names[at]!r} {what}")


def _joined(first: str, others: Iterator[str]) -> Iterator[str]:
    if first:
        yield first
    yield from others


def _grouped(cells: Sequence[str]) -> bool:
    """Whether one has an underscore, which Python takes for a separator within a number."""
    return "_" in ",".join(cells)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text
