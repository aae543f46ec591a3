"""Whole runs with models of users, and what is found out before a run begins."""

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from paths_for_tests import ROOT

import ecavg_tf
from ecavg_tf.cli import main
from ecavg_tf.config import Config, FleetKind, Output
from ecavg_tf.core.errors import ConfigError, ECAvgError, ModelError, WorkdirError
from ecavg_tf.events import Event, StageStarted

Make = Callable[[], Config]
MINE = "models_for_tests:"


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "model",
    [
        pytest.param("subclassed_logits", marks=SLOW),
        pytest.param("nested_and_shared", marks=SLOW),
        pytest.param("frozen_backbone", marks=SLOW),
    ],
)
def test_users_models_run_and_resume(small: Make, tmp_path: Path, model: str) -> None:
    def make() -> Config:
        config = small()
        config.rounds = 2
        config.model.name = MINE + model
        config.edge.augment = True
        if model == "subclassed_logits":
            config.model.output = Output.LOGITS
        return config

    def interrupt(event: Event) -> None:
        if event == StageStarted(2, "average", "server"):
            raise KeyboardInterrupt

    whole = ecavg_tf.run(make(), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        ecavg_tf.run(make(), tmp_path / "cut", listener=interrupt)
    resumed = ecavg_tf.run(make(), tmp_path / "cut")
    assert resumed.rounds[1].server.global_ == whole.rounds[1].server.global_
    suffix = ".weights.h5" if model == "subclassed_logits" else ".keras"
    assert (tmp_path / "whole" / "rounds" / "0002" / f"global{suffix}").is_file()
    assert (tmp_path / "whole" / "edges" / "edge-00" / f"accepted{suffix}").is_file()


@pytest.mark.slow
def test_without_recalibration_statistics_are_only_averaged(small: Make, tmp_path: Path) -> None:
    config = small()
    config.model.name = MINE + "dropout_and_batchnorm"
    with_it = ecavg_tf.run(config, tmp_path / "with").rounds[0]
    config.edge.recalibrate = config.server.recalibrate = False
    without = ecavg_tf.run(config, tmp_path / "without").rounds[0]
    assert without.server.averaged.all == without.server.recalibrated.all
    assert with_it.server.averaged.all != with_it.server.recalibrated.all
    assert with_it.edges[0].local != without.edges[0].local


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("edge.optimizer", "adm", 2),
        ("model.init", "nosuch.keras", 7),
        ("update.policy", "nosuch:function", 2),
        ("server.combine", "models_for_tests:nosuch", 2),
        ("server.callbacks", "models_for_tests:SPEC", 2),
        ("server.pool_edges", "edge-7", 2),
        ("model.name", "models_for_tests:subclassed_logits", 7),
        ("model.output", "logits", 7),
        ("model.init", "imagenet", 2),
        ("model.weights_path", "some.h5", 2),
    ],
)
def test_what_is_wrong_is_found_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], field: str, value: str, code: int
) -> None:
    workdir = tmp_path / "run"
    config = ROOT / "configs" / "two_edges.py"
    flags = [f"--config={config}", f"--workdir={workdir}", f"--config.{field}={value}"]
    assert main(["run", *flags]) == code
    printed = capsys.readouterr()
    assert len(printed.err.strip().splitlines()) == 1
    assert not workdir.exists()


def test_an_exchange_folder_with_something_else_in_it(small: Make, tmp_path: Path) -> None:
    config = small()
    config.fleet.kind = FleetKind.FOLDER
    config.fleet.folder = str(tmp_path / "exchange")
    (tmp_path / "exchange").mkdir()
    (tmp_path / "exchange" / "holiday.jpg").write_bytes(b"")
    with pytest.raises(WorkdirError, match=r"holds holiday\.jpg"):
        ecavg_tf.run(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_callback_that_fails_is_one_line(
    small: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = small()
    config.edge.callbacks = MINE + "bad_callback"
    with pytest.raises(ECAvgError, match=r"bad_callback.*fails: RuntimeError: no callback"):
        ecavg_tf.run(config, tmp_path / "run")
    conf = tmp_path / "conf.py"
    conf.write_text(
        "from ecavg_tf import Config\n"
        "def get_config():\n"
        "    config = Config()\n"
        f"    config.edge.callbacks = '{MINE}bad_callback'\n"
        "    return config\n"
    )
    assert main(["run", f"--config={conf}", f"--workdir={tmp_path / 'cli'}"]) == 5
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 1


@pytest.mark.skipif(
    importlib.util.find_spec("tensorboard") is not None, reason="tensorboard is installed"
)
def test_tensorboard_that_is_missing(small: Make, tmp_path: Path) -> None:
    config = small()
    config.tensorboard = True
    with pytest.raises(ECAvgError, match=r"pip install 'ecavg-tf\[tensorboard\]'"):
        ecavg_tf.run(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_two_processes_do_not_share_a_directory(small: Make, tmp_path: Path) -> None:
    caught: list[str] = []

    def second(event: Event) -> None:
        if isinstance(event, StageStarted) and not caught:
            with pytest.raises(WorkdirError, match="another process is running") as error:
                ecavg_tf.run(small(), tmp_path / "run")
            caught.append(str(error.value))

    ecavg_tf.run(small(), tmp_path / "run", listener=second)
    assert caught


@pytest.mark.slow
def test_what_a_killed_process_leaves_does_no_harm(small: Make, tmp_path: Path) -> None:
    config = small()
    config.rounds = 2

    def interrupt(event: Event) -> None:
        if isinstance(event, StageStarted) and event.round == 2:
            raise KeyboardInterrupt

    whole = ecavg_tf.run(config, tmp_path / "whole")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".ecavg-a1b2-config.json").write_bytes(b"{")
    with pytest.raises(KeyboardInterrupt):
        ecavg_tf.run(config, tmp_path / "run", listener=interrupt)
    pooled = tmp_path / "run" / "pooled"
    (pooled / ".ecavg-c3d4-edge-00.safetensors").write_bytes(b"half")
    shutil.copyfile(pooled / "edge-00.safetensors", pooled / ".ecavg-e5f6-edge-01.safetensors")
    assert ecavg_tf.run(config, tmp_path / "run").rounds[1].server == whole.rounds[1].server


def test_a_wrong_output_is_named_with_its_cure(small: Make, tmp_path: Path) -> None:
    config = small()
    config.model.name = MINE + "subclassed_logits"
    with pytest.raises(ModelError, match=r"set --config.model.output=logits"):
        ecavg_tf.run(config, tmp_path / "run")
    config.edge.optimizer = "adamm"
    config.model.name = "mlp"
    with pytest.raises(ConfigError, match="adamm"):
        ecavg_tf.run(config, tmp_path / "run")
