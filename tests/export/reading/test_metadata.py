"""The labels inside a file: a line each, of any language, and nothing else."""

from dataclasses import replace

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
