"""Results whose parts are of the right kinds and say nonsense: one line, and no traceback."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fuzz_trees import unpacked
from paths_for_tests import ROOT

from ecavg_tf.cli import main
from ecavg_tf.core.errors import WorkdirError
from ecavg_tf.decided import with_decisions
from ecavg_tf.report.showing import showing
from ecavg_tf.results import round_from_json

CORPUS = ROOT / "tests/fuzz/corpus/run_directory/run"


def written() -> dict[str, Any]:
    """What a real run wrote."""
    (found,) = (each for each in unpacked(CORPUS.read_bytes()) if each.name == "results.json")
    said: dict[str, Any] = json.loads(found.content)
    return said


def last_round(said: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = said["rounds"][-1]
    return found


def no_config(said: dict[str, Any]) -> None:
    said["config"] = {}


def an_edge_twice(said: dict[str, Any]) -> None:
    last_round(said)["edges"].append(last_round(said)["edges"][0])


def judged_by_nobody(said: dict[str, Any]) -> None:
    last_round(said)["influence"][0] |= {"judged": 3, "implausible": None}


@pytest.mark.parametrize(
    ("damage", "runs"), [(no_config, 1), (judged_by_nobody, 1), (an_edge_twice, 2)]
)
def test_damage_is_a_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    damage: Callable[[dict[str, Any]], None],
    runs: int,
) -> None:
    said = written()
    damage(said)
    (tmp_path / "results.json").write_text(json.dumps(said))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ecavg_tf.report.plots.pictures", lambda *_: {})
        code = main(["report", *[str(tmp_path)] * runs])
    errors = capsys.readouterr().err
    assert code == 4
    assert "holds results that can't be shown (" in errors
    assert len(errors.splitlines()) == 1


def test_an_error_of_ours_and_of_the_disk_keep_their_words() -> None:
    for error in (WorkdirError("mine"), OSError(28, "No space left on device", "a")):
        with pytest.raises(type(error)) as caught, showing("a run"):
            raise error
        assert caught.value is error


def test_a_round_without_the_time_of_its_evaluation() -> None:
    said = last_round(written())
    said["seconds"] = {}
    assert with_decisions(round_from_json(said), {}).seconds["evaluate"] == 0
