"""A run directory that was damaged, cut down or left unfinished, taken up again."""

import json
import shutil
from pathlib import Path

import pytest

import ecavg_tf
from ecavg_tf.config import Config, PartitionKind
from ecavg_tf.core.errors import WorkdirError
from ecavg_tf.events import Event, Note, StageStarted
from ecavg_tf.results import load_results
from ecavg_tf.rundir import RunDirectory
from export.jobs.run import export_run


def two_rounds() -> Config:
    config = Config()
    config.rounds = 2
    config.data.train_examples = 200
    config.data.test_examples = 100
    config.partition.kind = PartitionKind.CLASSES
    config.model.hidden_units = 16
    config.edge.epochs = config.server.epochs = 2
    return config


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was killed in its second round, after both edges had decided on the first."""

    def cut(event: Event) -> None:
        if event == StageStarted(2, "evaluate", "server"):
            raise KeyboardInterrupt

    folder = tmp_path_factory.mktemp("cut") / "run"
    with pytest.raises(KeyboardInterrupt):
        ecavg_tf.run(two_rounds(), folder, listener=cut)
    return folder


@pytest.fixture
def run(original: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(original, tmp_path / "run"))


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("environment.json", "{}", r"environment\.json is damaged \(run_id is missing\); restore"),
        ("config.json", '{"edge": 5}', r"config\.json is damaged \(edge is 5, expected an object"),
        ("template.json", "{}", r"template\.json is damaged"),
        ("rounds/0001/metrics.json", "{}", r"metrics\.json is damaged"),
        ("rounds/0001/decisions.json", '{"edge-00": 5}', r"decisions\.json is damaged"),
        ("edges/edge-00/owner.json", "{}", r"edge-00 does not hold what edge-00 kept"),
        ("edges/edge-00", None, r"edge-00 does not hold what edge-00 kept of round 1; restore"),
        ("pooled/edge-00.safetensors", None, r""),
        ("results.json", "{}", r""),
        ("results.json", '{"schema_version": "1"}', r""),
    ],
)
def test_damage_is_one_line_or_mended(run: Path, file: str, content: str | None, said: str) -> None:
    if content is not None:
        (run / file).write_text(content)
    elif (run / file).is_dir():
        shutil.rmtree(run / file)
    else:
        (run / file).unlink()
    if said:
        with pytest.raises(WorkdirError, match=said) as refused:
            ecavg_tf.run(two_rounds(), run)
        assert len(str(refused.value)) < 400
    else:
        assert ecavg_tf.run(two_rounds(), run).status == "finished"


def test_pooled_bytes_are_those_that_the_round_took(original: Path, run: Path) -> None:
    first = load_results(original).rounds[0]
    (run / "rounds" / "0001" / "metrics.json").unlink()  # as after a kill just before it
    (run / "rounds" / "0001" / "decisions.json").unlink()
    shutil.rmtree(run / "edges")
    again = ecavg_tf.run(two_rounds(), run).rounds[0]
    assert again.pooled_bytes == first.pooled_bytes > 0
    assert again.server == first.server


def test_a_recorded_decision_stays(run: Path) -> None:
    path = run / "rounds" / "0001" / "decisions.json"
    decisions = json.loads(path.read_text())
    decisions["edge-01"]["accepted"]["weights_sha256"] = "0" * 64
    path.write_text(json.dumps(decisions))
    told: list[str] = []
    ecavg_tf.run(
        two_rounds(),
        run,
        listener=lambda e: told.append(e.text) if isinstance(e, Note) else None,
    )
    assert json.loads(path.read_text())["edge-01"]["accepted"]["weights_sha256"] == "0" * 64
    assert any(
        text.startswith("edge-01 decided otherwise on the model of round 1") for text in told
    )


def test_decisions_of_a_finished_round_are_missed(run: Path) -> None:
    ecavg_tf.run(two_rounds(), run)
    (run / "rounds" / "0001" / "decisions.json").unlink()
    (run / "results.json").unlink()
    with pytest.raises(WorkdirError, match=r"decisions\.json is missing, but round 2 is finished"):
        ecavg_tf.run(two_rounds(), run)


@pytest.mark.slow
@pytest.mark.pictures
def test_a_killed_run_gets_its_page_when_it_is_started_again(run: Path) -> None:
    ecavg_tf.run(two_rounds(), run)
    page = (run / "report.html").read_bytes()
    left = run / "rounds" / "0001" / f".ecavg-{'0a' * 8}-global.safetensors"
    left.write_text("half")
    (run / "report.html").write_text("the page of an interrupted run")
    (run / "plots" / "stages.png").unlink()
    ecavg_tf.run(two_rounds(), run)
    assert (run / "report.html").read_bytes() == page
    assert (run / "plots" / "stages.png").exists()
    assert not left.exists()


@pytest.mark.slow
def test_an_interrupted_run_exports_what_its_edges_accepted(run: Path) -> None:
    rows = export_run(run, formats="float32", out=run.parent / "files")
    assert {row.model for row in rows} == {"edge-00", "edge-01", "global"}
    # 100 test examples may be too few to prove what they don't speak against.
    assert {row.status for row in rows} <= {"passed", "undecided"}, rows


def test_nothing_is_written_while_another_process_has_the_directory(run: Path) -> None:
    ecavg_tf.run(two_rounds(), run)
    (run / "report.html").unlink()
    other = RunDirectory(run, two_rounds())
    other.open()
    try:
        with pytest.raises(WorkdirError, match="another process is running"):
            ecavg_tf.run(two_rounds(), run)
    finally:
        other.close()
