"""Tables from a run to a device: columns are matched by name wherever a CSV file is read."""

import csv
from pathlib import Path

import pytest
from sklearn.datasets import load_wine

import ecavg_tf
from ecavg_tf.cli import main
from ecavg_tf.config import Config
from ecavg_tf.core.bundles.bundle import read_bundle
from edge.cli import main as device_main

WINE = load_wine()
COLUMNS = [str(name) for name in WINE.feature_names]


def write(path: Path, rows: slice, order: int = 1, label: str = "label") -> Path:
    """Some of the wines; ``order`` -1: with the columns the other way round."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([*COLUMNS[::order], label])
        for values, kind in zip(WINE.data[rows], WINE.target_names[WINE.target[rows]], strict=True):
            writer.writerow([*values[::order], kind])
    return path


def classes(printed: str) -> list[str]:
    return [line.partition(": ")[2].partition(" in ")[0] for line in printed.splitlines()]


@pytest.mark.slow
def test_wine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "wine" / "north.csv", slice(0, None, 3))
    write(tmp_path / "wine" / "south.csv", slice(1, None, 3), order=-1)
    test = write(tmp_path / "wine" / "test.csv", slice(2, None, 3))
    config = Config()
    config.data.name = str(tmp_path / "wine")
    config.edge.epochs = config.server.epochs = 30
    results = ecavg_tf.run(config, tmp_path / "run")
    accuracy = results.rounds[-1].server.global_.all.accuracy
    assert accuracy > 0.8
    # 59 wines are too few to prove an int8 file.
    words = ["--formats=float32,int8", "--edge=north", "--accept-unproved"]
    assert main(["export", str(tmp_path / "run"), *words]) == 0
    folder = tmp_path / "run" / "exports" / "north"
    assert list(read_bundle(folder / "int8.bundle.zip").info.columns or ()) == COLUMNS
    turned = write(tmp_path / "turned.csv", slice(2, None, 3), order=-1, label="kind")
    for kind in ("float32", "int8"):
        said = []
        for words in ([str(test)], [str(turned), "--label-column=kind"]):
            capsys.readouterr()
            assert main(["predict", str(folder / f"{kind}.bundle.zip"), *words]) == 0
            said.append(classes(capsys.readouterr().out))
        assert said[0] == said[1]
        assert len(said[0]) == 59

    assert main(["export", str(tmp_path / "run"), "--trainable=dense"]) == 0
    bundle = tmp_path / "run" / "exports" / "training-dense.bundle.zip"
    state = [f"--state={tmp_path / 'state'}", "--edge=north"]
    train = ["train", f"--bundle={bundle}", f"--data={turned}", *state, "--epochs=2"]
    assert device_main([*train, "--label-column=kind"]) == 0
    capsys.readouterr()
    assert device_main(["predict", *state, str(test), "--no-check"]) == 0
    assert len(classes(capsys.readouterr().out)) == 59
