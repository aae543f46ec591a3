"""``~`` is the home folder wherever a path is given; nothing named ``~`` appears."""

import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from absl import flags
from bundles_for_tests import made
from device_for_tests import local_arrays
from keys_for_tests import keys

import ecavg_tf
from ecavg_tf.cli import main
from ecavg_tf.cli.config_flag import parse_config
from ecavg_tf.config import Config, FleetKind
from ecavg_tf.core.bundles import bundle as bundles
from ecavg_tf.core.bundles.bundle import read_bundle
from ecavg_tf.core.errors import ECAvgError, ModelError, RoundError
from ecavg_tf.data.dataset import DataSpec
from ecavg_tf.data.sources import load_data
from ecavg_tf.models.builders import build_model
from edge.device.check import check_bundle
from edge.device.check_training import check_training_bundle
from edge.predict import Predictor
from export.delivering.signing import load_private_key, load_public_key
from export.jobs.keras_file import export_file
from export.jobs.run import export_run
from export.jobs.training import export_training

CONFIG = """\
from ecavg_tf import Config


def get_config(rounds="1"):
    config = Config(rounds=int(rounds))
    config.data.name = "~/data.npz"
    config.model.init = "~/start.keras"
    config.model.hidden_units = 8
    config.edge.epochs = config.server.epochs = 1
    return config
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: Callable[[], Config]) -> Path:
    """A home folder with a config, data and a model; the current folder is another one."""
    folder, here = tmp_path / "home", tmp_path / "here"
    folder.mkdir()
    here.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.chdir(here)
    np.savez(folder / "data.npz", value_range=np.array([0.0, 16.0]), **local_arrays(200))
    (folder / "config.py").write_text(CONFIG)
    config = small()
    config.model.hidden_units = 8
    config.data.name = "~/data.npz"
    build_model(config, load_data(config.data, 0).spec).save(folder / "start.keras")
    return folder


@pytest.mark.slow
def test_a_run_its_report_and_an_export(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys(home)
    said = []
    for words in (
        ["run", "--config=~/config.py", "--workdir=~/run"],
        ["report", "~/run"],
        ["export", "~/start.keras", "--formats=float32", "--out=~/out", "--sign=~/key.pem"],
        ["export", "~/out", "--verify=~/key.pub.pem"],
        ["predict", "~/out/start/float32.bundle.zip", "~/data.npz", "--no-check"],
    ):
        code = main(words)
        printed = capsys.readouterr()
        assert code == 0, (words, printed.err)
        said.append(printed.out)
    assert f"Everything is in {home / 'run'}" in said[0]
    assert {path.name for path in home.iterdir()} >= {"run", "out"}
    assert list((tmp_path / "here").iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        "report ~/none",
        "export ~/none",
        "export ~/none.keras",
        "export ~/none --trainable=head",
        "export ~/start.keras --data=~/none.npz",
        "export ~/none --verify=~/key.pub.pem",
        "check ~/none.bundle.zip",
        "predict ~/none.bundle.zip ~/data.npz",
        "predict --state=~/none ~/data.npz",
        "train --edge=north --bundle=~/none.zip --data=~/data.npz --state=~/state",
        "train --edge=north --exchange=~/none --data=~/data.npz --state=~/state --timeout=0.1",
        "run --config=~/none.py --workdir=~/run",
        "run --config=~/config.py --workdir=~/run --config.data.name=~/none.npz",
        "run --config=~/config.py --workdir=~/run --config.model.init=~/none.keras",
    ],
)
def test_what_is_missing_is_missed_at_home(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    keys(home)
    assert main(words.split()) in (2, 3, 4, 5, 7, 8)
    assert f"{home}/none" in capsys.readouterr().err
    assert list((tmp_path / "here").iterdir()) == []


def test_the_library(home: Path, tmp_path: Path, small: Callable[[], Config]) -> None:
    config = small()
    config.data.name, config.model.hidden_units = "~/data.npz", 8
    config.edge.epochs = config.server.epochs = 1
    results = ecavg_tf.run(config, "~/run")
    assert ecavg_tf.load_results("~/run") == results
    bundles.write_bundle(home / "a.bundle.zip", made())
    assert read_bundle("~/a.bundle.zip").info.format == "int8"
    calls: list[Callable[[str], object]] = [
        Predictor,
        Predictor.from_state,
        check_bundle,
        check_training_bundle,
        export_run,
        load_private_key,
        load_public_key,
        lambda path: export_file(path, "~/out"),
        lambda path: export_training(path, trainable="head"),
    ]
    for call in calls:
        with pytest.raises(ECAvgError, match=f"{home}/none"):
            call("~/none")
    assert list((tmp_path / "here").iterdir()) == []


def test_the_exchange_folder(home: Path, tmp_path: Path, small: Callable[[], Config]) -> None:
    config = small()
    config.fleet.kind, config.fleet.folder = FleetKind.FOLDER, "~/exchange"
    config.fleet.timeout_s = 0.01
    with pytest.raises(RoundError):
        ecavg_tf.run(config, "~/run")
    assert (home / "exchange" / "edge-00" / "inbox").is_dir()
    assert list((tmp_path / "here").iterdir()) == []


def test_pretrained_weights_are_looked_for_at_home(home: Path, small: Callable[[], Config]) -> None:
    config = small()
    config.model.name, config.model.init = "mobilenet_v2", "imagenet"
    config.model.weights_path = "~/weights.h5"
    with pytest.raises(ModelError, match=f"{home}/weights.h5' is not there"):
        build_model(config, DataSpec("x", (32, 32, 3), "uint8", (0.0, 255.0), ("a", "b")))


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("with:colon/c.py", "with:colon/c.py"),
        ("with:colon/c:2.py", "with:colon/c:2.py"),
        ("with space/a c.py", "with space/a c.py"),
        ("with:colon/c.py", "with:colon/c.py:3"),
        ("c.py", "c.py:3"),
    ],
)
def test_config_paths_with_colons_and_spaces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, given: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(CONFIG)
    read = parse_config(flags.FlagValues(), ["--config", given, "--config.edge.epochs=2"])
    assert (read.rounds, read.edge.epochs) == (3 if given.endswith(":3") else 1, 2)


def test_a_config_of_windows(tmp_path: Path) -> None:
    (tmp_path / "c.py").write_bytes(b"\xef\xbb\xbf" + CONFIG.replace("\n", "\r\n").encode())
    assert parse_config(flags.FlagValues(), [f"--config={tmp_path / 'c.py'}"]).rounds == 1


def test_two_threads_read_configs_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["mine", "--mine"])
    for n in range(2):
        slow = f"import time\ntime.sleep({0.1 * (n + 1)})\n{CONFIG}"
        (tmp_path / f"{n}.py").write_text(slow)
    read: list[int] = []

    def parse(n: int) -> None:
        config = parse_config(flags.FlagValues(), [f"--config={tmp_path / f'{n}.py'}:{n + 1}"])
        read.append(config.rounds)

    threads = [threading.Thread(target=parse, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(read) == [1, 2]
    assert sys.argv == ["mine", "--mine"]
