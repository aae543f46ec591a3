"""The labels inside a file: a line each, of any language, and nothing else."""

import io
import json
import zipfile
from dataclasses import replace
from typing import Any

import pytest

from ecavg_tf.core.errors import ExportError
from export.reading.metadata import Description, attach, read_description

PLAIN = Description(("a", "b"), "uint8", (0.0, 255.0), "probabilities", {"edge": None})


def test_names_of_any_language_come_back() -> None:
    classes = ("[red] ça va", "日本　語", "خانه‌ها", "👩‍🚀", "a\u00a0b", "x" * 1000)
    described = replace(PLAIN, classes=classes)
    assert read_description(attach(b"model", described)) == described


@pytest.mark.parametrize(
    "name", ["a\n", "a\r", "a\x85b", "a\u2028", "a\x1cb", "a\tb", "\ud800", "b"]
)
def test_names_that_are_no_line_of_their_own(name: str) -> None:
    with pytest.raises(ExportError, match=r"rename the class|name of its own"):
        attach(b"model", replace(PLAIN, classes=(name, "b")))


def packed(kind: int = zipfile.ZIP_STORED, **changes: Any) -> bytes:
    """A description as another program may write it."""
    plain = io.BytesIO(attach(b"", PLAIN))
    with zipfile.ZipFile(plain) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    said = json.loads(members["ecavg.json"]) | changes
    members["ecavg.json"] = json.dumps(said).encode()
    stream = io.BytesIO(b"model")
    with zipfile.ZipFile(stream, "a", kind) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def test_damage_that_only_shows_when_it_is_unpacked() -> None:
    content = bytearray(packed(zipfile.ZIP_DEFLATED))
    at = content.index(b"ecavg.json") + len("ecavg.json")
    content[at : at + 8] = b"\xff" * 8
    with pytest.raises(ExportError, match=r"can't be read: Error -3 while decompressing"):
        read_description(bytes(content))


def test_a_compression_and_a_cipher_that_python_does_not_know() -> None:
    for place, said in ((8, "can't be read: File .* is encrypted"), (10, "compression method")):
        content = bytearray(packed())
        entry = content.index(b"PK\x01\x02")
        content[entry + place] = 1 if place == 8 else 99
        with pytest.raises(ExportError, match=said):
            read_description(bytes(content))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"origin": [1]}, r"origin is \[1\], expected an object"),
        ({"inputs_dtype": {}}, r"inputs_dtype is \{\}, expected bool or"),
        ({"value_range": ["0", "1"]}, "value_range is '0', expected a finite number"),
        ({"declared": 1}, "declared is 1, expected true or false"),
        ({"more": 1}, "more is unknown"),
        ({"columns": [1]}, r"columns is \[1\], expected a list of texts"),
    ],
)
def test_a_field_that_is_something_else(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ExportError, match=said):
        read_description(packed(**changes))
