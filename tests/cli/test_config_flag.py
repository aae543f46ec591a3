"""Config files and flags: run once, every field can be set, one style of hyphens."""

from pathlib import Path

import pytest
from absl import flags

from ecavg_tf.cli import main
from ecavg_tf.cli.config_flag import parse_config
from ecavg_tf.config import Config, EdgeConfig
from ecavg_tf.config.fields import flatten
from edge.cli import main as device

# A value for every field that is not a number, a truth or an enum's last word.
WORDS = {
    "baseline.alone": "",  # with edges elsewhere (below) nobody can train them here
    "fleet.kind": "folder",  # a training file is for edges elsewhere, workers (below) are not
    "fleet.workers": "0",
    "export.tune": "off",
    "fleet.presence": "north:2-3",
    "edges_per_round": "2",
    "edge.class_weights": "none",  # a device can't weigh classes
    "data.channels": "3",
    "model.init": "imagenet",
    "server.combine": "start",
    "update.policy": "replace",
    "export.formats": "int8,float32",
    "server.tail_epochs": "0",  # goes without server.patience
}


def config_file(folder: Path, *lines: str) -> str:
    file = folder / "mine.py"
    body = ("config = Config()", *lines, "return config")
    text = "\n    ".join(("def get_config(word='') -> Config:", *body))
    file.write_text(f"from ecavg_tf.config import Config\n\n\n{text}\n")
    return f"--config={file}"


def parsed(*argv: str) -> Config:
    return parse_config(flags.FlagValues(), argv)


def test_a_config_file_runs_once(tmp_path: Path) -> None:
    """It may read a data set or register a rule: twice is once too often."""
    count = tmp_path / "count"
    count.touch()
    again = "count.write_text(count.read_text() + 'x')"
    opened = ("from pathlib import Path", f"count = Path({str(count)!r})")
    flag = config_file(tmp_path, *opened, again, "config.seed = 7")
    config = parsed(flag, "--config.rounds=2")
    assert count.read_text() == "x"
    assert (config.seed, config.rounds) == (7, 2)


def test_a_config_file_may_take_a_word(tmp_path: Path) -> None:
    flag = config_file(tmp_path, "config.data.name = word")
    assert parsed(f"{flag}:mnist").data.name == "mnist"


def test_every_field_can_be_set_by_a_flag(tmp_path: Path) -> None:
    expected: dict[str, object] = {}
    for name, value in flatten(Config()):
        section, _, field = name.rpartition(".")
        member = getattr(getattr(Config(), section), field) if section else value
        if name in WORDS:
            expected[name] = type(value)(WORDS[name])
        elif isinstance(value, str):
            expected[name] = [*type(member)][-1].value if member != value else "other"
        elif isinstance(value, bool):
            expected[name] = not value
        else:
            expected[name] = value + 1 if isinstance(value, int) else value / 2
    given = [f"--config.{name}={value}" for name, value in expected.items()]
    assert len(given) > 50
    assert dict(flatten(parsed(config_file(tmp_path), *given))) == expected


def test_flags_of_truth_have_their_short_form(tmp_path: Path) -> None:
    config = parsed(config_file(tmp_path), "--noconfig.server.pool", "--config.edge.augment")
    assert (config.server.pool, config.edge.augment) == (False, True)


@pytest.mark.parametrize("words", [("--config", "{}"), ("-config={}",), ("--config={}",)])
def test_the_file_may_stand_anywhere(tmp_path: Path, words: tuple[str, ...]) -> None:
    path = config_file(tmp_path).removeprefix("--config=")
    argv = [word.format(path) for word in words]
    assert parsed("--config.rounds=2", *argv, "--config.seed", "3").rounds == 2
    assert parsed("--config.rounds=2", *argv, "--config.seed", "3").seed == 3


@pytest.mark.parametrize(
    ("assigned", "flag", "said"),
    [
        ("config.edge.epochs = 'x'", "--config.edge.batch_size=1", "edge.epochs is 'x'"),
        ("config.edge.epochs = 'x'", "--config.edge.epochs=y", "edge.epochs"),
        ("config.partition.kind = 'x'", "--config.partition.kind=iid", "partition.kind"),
    ],
)
def test_what_a_file_assigns_wrongly_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], assigned: str, flag: str, said: str
) -> None:
    argv = ["run", config_file(tmp_path, assigned), flag, f"--workdir={tmp_path / 'run'}"]
    assert main(argv) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_a_part_of_another_class_than_expected_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Edges and server share a base class, but are not each other."""
    flag = config_file(tmp_path, "config.server = config.edge")
    assert main(["run", flag, "--workdir=x"]) == 2
    said = capsys.readouterr().err
    assert f"server is {EdgeConfig()!r}; expected ServerConfig(…)" in said


@pytest.mark.parametrize("flag", ["--value-range=9,1", "--value_range=9,1", "-value_range=9,1"])
def test_flags_are_taken_with_hyphens_and_with_underscores(
    capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    assert main(["export", "some_model.keras", flag]) == 2
    assert "--value-range is '9,1'; LOW must be below HIGH" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--learning-rate=0", "--learning_rate=0"])
def test_a_devices_flags_are_taken_in_both_spellings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    assert device(["train", "--edge=x", "--data=some_data.npz", f"--state={tmp_path}", flag]) == 2
    assert "--learning-rate is 0.0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--config.edge.learning-rate=1", "did you mean 'edge.learning_rate'?"),
        ("--work_dir=x", "did you mean '--workdir'?"),
    ],
)
def test_another_spelling_is_answered_with_a_guess(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flag: str, said: str
) -> None:
    assert main(["run", config_file(tmp_path), flag]) == 2
    assert said in capsys.readouterr().err
