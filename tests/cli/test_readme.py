"""What README and the pages under ``docs`` say works as it stands."""

import contextlib
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from pydoc import locate

import pytest
from absl import flags
from paths_for_tests import ROOT

from ecavg_tf.cli import COMMANDS, main
from ecavg_tf.cli.config_flag import parse_config
from ecavg_tf.config import Config, PartitionKind
from ecavg_tf.config.fields import flatten
from ecavg_tf.core import errors
from ecavg_tf.results import load_results
from edge.cli import main as device_main

README = (ROOT / "README.md").read_text()
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in (
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
        *sorted((ROOT / "docs").glob("*.md")),
        *sorted((ROOT / "edge").glob("*.md")),
    )
}
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
every_page = pytest.mark.parametrize("page", PAGES)


def block(language: str, containing: str) -> str:
    """The only code block of all pages that contains this text."""
    (found,) = [
        text
        for page in PAGES.values()
        for named, text in FENCED.findall(page)
        if named == language and containing in text
    ]
    return str(found)


def without_code(page: str) -> str:
    return FENCED.sub("", PAGES[page])


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", without_code(page), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


def links(page: str) -> list[str]:
    """Where a page's links and pictures lead within the repository."""
    found = re.findall(r"\]\(([^)\s]+)\)", without_code(page))
    return [target for target in found if not target.startswith("https://")]


def python(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_own_model_and_data_from_the_command_line_and_from_python(tmp_path: Path) -> None:
    mine = block("python", "# mine.py")
    from_python = block("python", 'config.data.name = "mine:data"')
    for text in (mine, from_python):
        assert len([line for line in text.splitlines() if line.strip()]) < 15
    (tmp_path / "mine.py").write_text(mine)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    command = block("", "mine:data").replace("\\\n", " ").split()
    assert command[0] == "ecavg"
    assert "edge-01" in python(tmp_path, "-m", "ecavg_tf", *command[1:])
    (tmp_path / "script.py").write_text(from_python)
    printed = python(tmp_path, "script.py").splitlines()
    assert [line.split()[0] for line in printed] == ["edge-00", "edge-01", "edge-02"]


def test_five_hospitals(tmp_path: Path) -> None:
    script = block("python", "# five.py")
    assert len(script.splitlines()) < 15
    (tmp_path / "five.py").write_text(script)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    python(tmp_path, "five.py")
    command = script.splitlines()[0].partition(": ecavg ")[2].split()
    printed = python(tmp_path, "-m", "ecavg_tf", *command, "--config.export.enabled=false")
    for name in ("north", "south", "east", "west", "isle"):
        assert f" {name} " in printed


@pytest.mark.slow
def test_an_edge_joins_a_server_that_has_no_data(tmp_path: Path) -> None:
    (tmp_path / "five.py").write_text(block("python", "# five.py"))
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    python(tmp_path, "five.py")
    text = block("", "--config.data.spec=first-edge") + block("", "hospitals/north.npz")
    commands = [line.split() for line in text.replace("\\\n", " ").splitlines()]
    assert [words[:2] for words in commands] == [["ecavg", "run"], *[["ecavg", "edge"]] * 2]
    with ThreadPoolExecutor() as pool:
        printed = list(
            pool.map(lambda words: python(tmp_path, "-m", "ecavg_tf", *words[1:]), commands)
        )
    assert "mean over the edges' own" in printed[0] or "which has no test set" in printed[0]
    assert "the run is over" in printed[1]


def test_the_config_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine_config.py").write_text(block("python", "# mine_config.py"))
    config = parse_config(flags.FlagValues(), [f"--config={tmp_path / 'mine_config.py'}"])
    assert config.partition.kind is PartitionKind.DIRICHLET


def test_the_pieces_on_their_own() -> None:
    exec(compile(block("python", "average_weights"), "configuration.md", "exec"), {})
    exec(compile(block("python", "export.to_tflite"), "export.md", "exec"), {})


def test_the_page_on_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(block("python", "results.rows()"), "python.md", "exec"), {})
    told = capsys.readouterr().out
    assert "round 2: edge-00 pre-trains" in told
    assert 0.5 < float(told.splitlines()[-1]) <= 1
    exec(compile(block("python", "load_iris"), "python.md", "exec"), {})
    assert sorted(path.name for path in (tmp_path / "runs/iris/data").iterdir()) == [
        *("north.npz", "south.npz", "test.npz")
    ]
    assert load_results(tmp_path / "runs/iris").status == "finished"


def test_no_python_block_is_left_out_above() -> None:
    run = (
        "# mine.py",
        "# five.py",
        '"mine:data"',
        "# mine_config.py",
        "average_weights",
        "export.to_tflite",
        "results.rows()",
        "load_iris",
        "# my_study.py",
    )
    for page, content in PAGES.items():
        if page == "CONTRIBUTING.md":  # its recipes have tests of their own
            continue
        for named, text in FENCED.findall(content):
            if "tutorial" not in page:  # test_tutorials.py types those
                assert named != "python" or any(mark in text for mark in run), text


@pytest.mark.parametrize("program", ["ecavg", "python -m edge"])
def test_every_flag_in_a_command_exists(
    program: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")  # argparse breaks lines of its help
    blocks = [text for page in PAGES.values() for _, text in FENCED.findall(page)]
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    commands = [
        found for line in lines if (found := re.search(rf"\b{program} (\w[\w-]*) (.*)", line))
    ]
    assert commands
    for name in {command[1] for command in commands}:
        with contextlib.suppress(SystemExit):  # argparse ends with it
            (main if program == "ecavg" else device_main)([name, "--help"])
        helped = capsys.readouterr().out
        for command in (each[2].partition("#")[0] for each in commands if each[1] == name):
            for flag in re.findall(r"--[a-z][\w-]*(?![\w.-])", command):
                assert flag in helped or flag in ("--help", "--config"), f"{name} {flag}"


@every_page
def test_every_command_and_field_that_is_named_exists(page: str) -> None:
    text = PAGES[page]
    fields = {name for name, _ in flatten(Config())}
    for field in re.findall(r"--config\.([\w.]+)", text):
        assert field in fields, field
    for field in re.findall(
        r"`((?:data|partition|model|edge|server|update|fleet|export)\.\w+)", text
    ):
        assert field in fields or field in ("edge.policy", "model.fit", "export.to_tflite"), field
    for command in re.findall(r"(?:^|`)ecavg (\w+)", text, re.MULTILINE):
        assert command in COMMANDS


@every_page
def test_every_path_and_name_of_the_code_exists(page: str) -> None:
    text = PAGES[page]
    places = "ecavg_tf|edge|server|export|configs|benchmarks|docs|tests"
    for path in re.findall(rf"(?<![\w./-])((?:{places})/[\w./-]*\w)", text):
        assert "NAME" in path or (ROOT / path).exists(), path
    for name in re.findall(r"`(ecavg_tf\.[\w.]+|edge\.policy\.\w+|export\.to_\w+)`", text):
        assert locate(name) is not None, name
    for module, name in re.findall(r"^from (edge\S*) import (\w+)", text, re.MULTILINE):
        assert locate(f"{module}.{name}") is not None, name


@every_page
def test_every_link_leads_somewhere(page: str) -> None:
    for target in links(page):
        name, _, anchor = target.partition("#")
        path = ((ROOT / page).parent / name).resolve() if name else ROOT / page
        assert path.exists(), target
        if anchor:
            assert anchor in anchors(path.relative_to(ROOT).as_posix()), target


def test_every_page_is_reached_from_readme() -> None:
    reached, waiting = set[str](), ["README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page not in PAGES:
            continue
        reached.add(page)
        targets = [target.partition("#")[0] for target in links(page)]
        waiting += [
            ((ROOT / page).parent / name).resolve().relative_to(ROOT).as_posix()
            for name in targets
            if name
        ]
    assert reached == set(PAGES)


def test_readme_is_short_and_shows_two_commands_and_a_picture_first() -> None:
    lines = README.splitlines()
    assert len(lines) <= 200
    long = [line for line in lines if len(line) > 100 and not line.startswith(("|", "!["))]
    assert long == []
    assert "\nmake quickstart " in README
    assert "\nmake test " in README
    assert re.findall(r"!\[.*?\]\((.*?)\)", README) == ["docs/own-accuracy.png"]
    contents = README.split("## Contents", 1)[1].split("## ", 1)[0]
    listed = set(re.findall(r"\]\(#(.*?)\)", contents))
    sections = {
        re.sub(r"\W+", "-", title.lower())
        for title in re.findall(r"^## (.*)$", README, re.MULTILINE)
    }
    assert listed == sections - {"contents"}


def test_the_exit_codes_are_those_of_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    rows = re.findall(r"^\| (\d+(?:, \d+)*) \|", README, re.MULTILINE)
    listed = {int(code) for row in rows for code in row.split(", ")}
    raised = {
        kind.exit_code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.ECAvgError)
    }
    assert listed == raised | {0, 129, 130, 143}
    assert main(["--help"]) == 0
    helped = capsys.readouterr().out
    assert all(re.search(rf"\b{code} ", helped) for code in listed)


@every_page
def test_no_placeholder_is_left(page: str) -> None:
    assert "<!--" not in PAGES[page]
