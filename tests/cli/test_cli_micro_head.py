"""``ecavg export --target=micro --trainable=head``, as users type it."""

import re
from collections.abc import Callable
from pathlib import Path

import exports_for_tests as made
import pytest

import ecavg_tf
from ecavg_tf.cli import main
from ecavg_tf.config import Config
from ecavg_tf.core.bundles.micro_head import read_micro_head
from ecavg_tf.core.messages.device_lines import read_head_lines
from edge.cli import main as device_main

FLAGS = ["--target=micro", "--trainable=head"]


def test_of_a_keras_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tflite_micro", reason="the extra 'micro' is not installed")
    file = tmp_path / "mine.keras"
    made.model().save(file)
    words = ["export", str(file), *FLAGS]
    assert main(words) == 2
    assert "give --data=NAME" in capsys.readouterr().err
    words += ["--data=digits", "--batch-size=4"]
    assert main([*words, "--flash=1M", "--ram=256K"]) == 0
    printed = capsys.readouterr().out
    folder = tmp_path / "mine-export" / "micro-head"
    assert f"sources in {folder}" in printed
    assert "4 examples a step" in printed
    assert "yes: it fits" in printed
    arenas = [int(each.replace(",", "")) for each in re.findall(r"arena ([\d,]+)", printed)]
    header = (folder / "train_data.h").read_text()
    assert f"// {arenas[1]} bytes were enough" in header
    assert "kBatch = 4;" in header
    head = read_micro_head(folder / "head.json")
    assert head.origin["run"] is None
    lines = tmp_path / "lines.txt"
    lines.write_text("")
    update = [f"--out={tmp_path / 'u'}", "--edge=a"]
    assert device_main(["micro-update", str(folder / "head.json"), str(lines), *update]) == 3
    assert "no line begins with ecavg-head" in capsys.readouterr().err
    assert main([*words, "--flash=64K", "--ram=8K"]) == 8
    (line,) = capsys.readouterr().err.splitlines()
    assert "will not fit flash 64K and RAM 8K" in line


@pytest.mark.slow
def test_of_a_run(
    small: Callable[[], Config], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tflite_micro", reason="the extra 'micro' is not installed")
    run = tmp_path / "run"
    ecavg_tf.run(small(), run)
    capsys.readouterr()
    assert main(["export", str(run), *FLAGS]) == 0
    folder = run / "exports" / "micro-head"
    head = read_micro_head(folder / "head.json")
    assert (head.origin["round"], head.held) == (1, (2, 3))
    state = next((run / "edges" / "edge-00").glob("accepted-*.safetensors"))
    capsys.readouterr()
    assert device_main(["micro-weights", str(folder / "head.json"), str(state)]) == 0
    assert read_head_lines(capsys.readouterr().out, head.expected).bias.any()


@pytest.mark.parametrize(("words", "said"), [
    (["--target=micro", "--trainable=dense"], "trains the last layer alone"),
    ([*FLAGS, "--optimizer=adam"], "trains with sgd"),
    ([*FLAGS, "--momentum=0.9"], "--momentum does not go with"),
    ([*FLAGS, "--formats=int8"], "--formats does not go with"),
    ([*FLAGS, "--edge=edge-00"], "--edge does not go with"),
    ([*FLAGS, "--flash=1M"], "give both --flash and --ram"),
    ([*FLAGS, "--flash=much", "--ram=1M"], "is no memory size"),
    (["--target=web", "--trainable=head"], "--target does not go with --trainable"),
    (["--batch-size=4"], "--batch-size goes with"),
])  # fmt: skip
def test_flags_that_are_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(["export", str(tmp_path), *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_a_batch_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tflite_micro", reason="the extra 'micro' is not installed")
    file = tmp_path / "mine.keras"
    made.model().save(file)
    assert main(["export", str(file), *FLAGS, "--data=digits", "--batch-size=2000"]) == 2
    assert "with 2000 rows a step; expected 1 to 1024" in capsys.readouterr().err
