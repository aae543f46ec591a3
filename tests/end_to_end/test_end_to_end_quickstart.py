"""The quickstart ends as README shows it: edges gain, and the table is the one that comes out."""

import re
from pathlib import Path

import pytest
from paths_for_tests import ROOT

from ecavg_tf.cli import main

README = (ROOT / "README.md").read_text()
ROW = re.compile(
    r"^ (?P<edge>edge-\d\d) +(?P<examples>\d+)  (?P<classes>.+?)  +"
    r"(?P<scores>[\d.]+(?: +[\d.]+){3})  (?P<gain>[+-][\d.]+)  (?P<takes>\w+) *$",
    re.MULTILINE,
)
NEAR = 2.0  # points: another processor adds in another order


def table(text: str) -> list[dict[str, str]]:
    """The rows of the last round's table."""
    last = text[text.rindex("Round 2 of 2: the edges") :]
    return [found.groupdict() for found in ROW.finditer(last)]


def test_the_quickstart_ends_as_readme_shows_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    (command,) = re.findall(r"^(ecavg run --config=digits) --workdir=runs/digits$", README, re.M)
    words = [*command.split()[1:], f"--workdir={tmp_path / 'digits'}"]
    assert main([*words, "--config.export.enabled=false"]) == 0
    told = capsys.readouterr().out
    shown, came = table(README), table(told)
    assert len(shown) == 4
    for one, other in zip(shown, came, strict=True):
        exact = ("edge", "examples", "classes")
        assert [one[name] for name in exact] == [other[name] for name in exact]
        pairs = zip(one["scores"].split(), other["scores"].split(), strict=True)
        assert all(abs(float(a) - float(b)) <= NEAR for a, b in pairs), (one, other)
    assert "4 of 4 edges gained own accuracy over training alone for as many epochs" in re.sub(
        r"\s+", " ", told
    )
