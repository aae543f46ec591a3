"""An edge with data of its own exports what it accepted, at the end of its run and later."""

import json
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

import ecavg_tf
from ecavg_tf.cli import main
from ecavg_tf.config import Config, FleetKind
from ecavg_tf.core.bundles.bundle import read_bundle
from ecavg_tf.core.errors import ConfigError, DataError, WorkdirError
from ecavg_tf.core.messages.inputs import Inputs
from ecavg_tf.data.federated import federated_data
from ecavg_tf.rounds.joined_export import export_state
from ecavg_tf.rounds.joined_task import JoinedTask, joined_edges

INPUTS = Inputs("pets", (2,), "float32", (0.0, 9.0), ("dog", "cat"), columns=("age", "size"))


def kept(folder: Path, data: Path) -> JoinedTask:
    task = JoinedTask({"edge.epochs": 2}, INPUTS, data, "kind")
    task.save(folder)
    return task


def test_what_an_edge_keeps_of_its_task(tmp_path: Path) -> None:
    task = kept(tmp_path / "north", tmp_path / "mine.csv")
    assert JoinedTask.load(tmp_path / "north") == task
    assert joined_edges(tmp_path) == ("north",)
    assert joined_edges(tmp_path / "no") == ()
    path = tmp_path / "north" / "task.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"inputs": {"name": "x"}}))
    with pytest.raises(WorkdirError, match=r"task\.json is damaged: inputs\.\w+ is missing"):
        JoinedTask.load(tmp_path / "north")
    with pytest.raises(
        WorkdirError, match="south does not say what its model is: only 'ecavg edge"
    ):
        JoinedTask.load(tmp_path / "south")


def test_states_that_hold_nothing_to_export(tmp_path: Path) -> None:
    with pytest.raises(WorkdirError, match="holds no edge that joined a run"):
        export_state(tmp_path)
    kept(tmp_path / "north", tmp_path / "mine.csv")
    with pytest.raises(ConfigError, match="--edge is 'south'; valid: north"):
        export_state(tmp_path, ("south",))
    with pytest.raises(ConfigError, match="formats is 'int9'"):
        export_state(tmp_path, formats="int9")
    with pytest.raises(DataError, match=r"mine\.csv: the data of north is not there; .* --data"):
        export_state(tmp_path)


def test_unproved_files_may_be_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "mine.csv"
    data.write_text("age,size,kind\n" + "1,2,cat\n3,4,dog\n" * 4)
    kept(tmp_path / "north", data)
    seen: list[bool] = []

    def export(*given: Any, **more: object) -> tuple[object, ...]:
        del more
        seen.append(given[1].config.export.accept_unproved)
        return (None,)

    monkeypatch.setattr("ecavg_tf.rounds.joined_export.export_edges", export)
    export_state(tmp_path, accept_unproved=True)
    export_state(tmp_path)
    assert seen == [True, False]


def test_words_that_do_not_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["edge", "--edge=a", "--exchange=x", "--data=x.csv", "--state=s", "--export=int9"]
    assert main(words) == ConfigError.exit_code
    assert "formats is 'int9'" in capsys.readouterr().err
    assert main(["export", str(tmp_path), f"--state={tmp_path}"]) == ConfigError.exit_code
    assert "give one run directory or .keras file, or --state=DIR; 2 came" in (
        capsys.readouterr().err
    )


@pytest.mark.slow
def test_at_the_end_of_a_run_and_later(
    small: Callable[[], Config], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = small()
    config.partition.num_edges = 1
    train = federated_data(config).edge("edge-00").train
    data, state = tmp_path / "mine.npz", tmp_path / "state"
    np.savez(data, x_train=train.inputs, y_train=train.labels)
    config.fleet.kind, config.fleet.folder = FleetKind.FOLDER, str(tmp_path / "exchange")
    config.fleet.timeout_s = 120
    words = [
        *("edge", "--edge=edge-00", f"--exchange={tmp_path / 'exchange'}", f"--data={data}"),
        *(f"--state={state}", "--export=float32", "--timeout=120"),
    ]
    server = Thread(target=ecavg_tf.run, args=(config, tmp_path / "server"))
    server.start()
    assert main(words) == 0
    server.join(timeout=60)
    printed = capsys.readouterr().out
    assert f"Files and bundles are in {state / 'exports'}." in printed
    assert "held-out examples of edge-00's own" in printed
    bundle = state / "exports" / "edge-00" / "float32.bundle.zip"
    origin = read_bundle(bundle).info.origin
    assert (origin["edge"], origin["round"]) == ("edge-00", 1)
    before = bundle.read_bytes()

    moved = data.rename(tmp_path / "moved.npz")
    assert main(["export", f"--state={state}", "--formats=float32"]) == DataError.exit_code
    capsys.readouterr()
    later = ["export", f"--state={state}", "--edge=edge-00", f"--data={moved}"]
    # 32 held-out examples are too few to prove an int8 file.
    assert main([*later, "--formats=float32,int8", "--accept-unproved"]) == 0
    assert "own training examples of edge-00" in capsys.readouterr().out
    assert bundle.read_bytes() == before
    assert read_bundle(bundle.with_name("int8.bundle.zip")).info.format == "int8"
    assert main(["predict", f"--state={state}", str(moved)]) == WorkdirError.exit_code
    assert "predict with a bundle that was exported of this model:" in capsys.readouterr().err
