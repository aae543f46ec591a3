"""``ecavg study``: what it answers, and what it leaves."""

import csv
import json
import re
from pathlib import Path

import pytest
from paths_for_tests import ROOT

from ecavg_tf.cli import main
from ecavg_tf.cli.config_flag import made_by
from ecavg_tf.study.arms import ARMS
from ecavg_tf.study.plan import Study
from ecavg_tf.study.runner import planned

STUDIES = sorted((ROOT / "configs" / "studies").glob("*.py"))
MINE = re.findall(
    r"```python\n(# my_study.py.*?)```", (ROOT / "docs" / "study.md").read_text(), re.DOTALL
)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--config=digits"], "say which study and where it goes"),
        (["--config=digit", "--workdir=x"], "no config 'digit'"),
        (["--config=gone.py", "--workdir=x"], "'gone.py' is not there"),
        (["--config=digits", "--workdir=x", "--dry"], "did you mean '--dry-run'"),
        (
            [f"--config={ROOT / 'configs' / 'digits.py'}", "--workdir=x"],
            "returned Config, expected ecavg_tf.study.plan.Study",
        ),
    ],
)
def test_what_is_wrong_is_told_in_one_line(
    capsys: pytest.CaptureFixture[str], argv: list[str], said: str
) -> None:
    assert main(["study", *argv]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("file", STUDIES, ids=lambda file: file.stem)
def test_studies_that_come_with_the_program(file: Path) -> None:
    study = made_by(str(file), (), Study)
    cells = planned(study)
    assert {cell.arm for cell in cells} <= set(ARMS)


def test_it_says_its_cost_runs_and_goes_on(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "my_study.py").write_text(MINE[0].replace("show nothing", "show <b>nothing</b>"))
    folder = tmp_path / "study"
    command = ["study", f"--config={tmp_path / 'my_study.py'}", f"--workdir={folder}"]
    assert main([*command, "--dry_run"]) == 0
    printed = capsys.readouterr().out
    assert "My study: 2 cells, 0 of them done." in printed
    assert "CPU hours" in printed
    assert not folder.exists()
    assert main(command) == 0
    assert "[2/2] classes, shared, 2 edges, 100 % pooled, seed 0, ours" in capsys.readouterr().out
    results = json.loads((folder / "study.json").read_text())
    assert results["status"] == "finished"
    with (folder / "study.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    ours = [row for row in rows if row["arm"] == "ours"]
    assert {row["model"] for row in ours} >= {"alone", "global", "accepted"}
    assert ours[0]["who"] == "server"
    assert float(ours[0]["accuracy"]) == results["cells"][1]["server"]["accuracy"]
    page = (folder / "study.html").read_text()
    assert "&lt;b&gt;" in page
    assert "Do edges gain?" in page
    assert (folder / "plots" / "gains.png").stat().st_size > 1000
