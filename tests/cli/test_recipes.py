"""The recipes for contributors work as they stand."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ecavg_tf.cli import main
from ecavg_tf.results import load_results
from edge.deciding import policies
from edge.deciding.policies import POLICIES
from server import combine
from server.combine import COMBINES

ROOT = Path(__file__).parent.parent.parent
RECIPES = ROOT / "CONTRIBUTING.md"
SMALL = (
    "--config.data.train_examples=200",
    "--config.data.test_examples=100",
    "--config.model.hidden_units=16",
    "--config.edge.epochs=1",
    "--config.server.pool=false",
    "--config.export.enabled=false",
)


def blocks(language: str) -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", RECIPES.read_text(), re.MULTILINE | re.DOTALL)
    return [text for named, text in fenced if named == language]


def follow(file: str) -> list[str]:
    """Appends the recipe's code to the module that it names; returns its command's flags."""
    (code,) = [text for text in blocks("python") if text.startswith(f"# {file}\n")]
    module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
    exec(compile(code, file, "exec"), vars(module))
    (registered,) = re.findall(r'^[A-Z]+\["(\w+)"\]', code, re.MULTILINE)
    (command,) = [text for text in blocks("") if f"={registered}\n" in text]
    program, *words = command.split()
    assert program == "ecavg"
    return words


@pytest.fixture(autouse=True)
def _modules_as_they_were() -> Iterator[None]:
    touched = [(vars(combine), COMBINES), (vars(policies), POLICIES)]
    before = [(dict(names), dict(registry)) for names, registry in touched]
    yield
    for now, then in zip(touched, before, strict=True):
        for mapping, old in zip(now, then, strict=True):
            mapping.clear()
            mapping.update(old)


def test_the_recipes_for_a_combine_rule_and_for_a_policy(tmp_path: Path) -> None:
    """Both at once: a run takes seconds."""
    command, config, _, rule = follow("server/combine.py")
    assert (command, config) == ("run", "--config=configs/two_edges.py")
    assert rule == "--config.server.combine=root"
    *same, _, policy = follow("edge/deciding/policies.py")
    assert same == [command, config]
    assert policy == "--config.update.policy=more_hits"
    there = config.replace("=", f"={ROOT}/")
    assert main([command, there, f"--workdir={tmp_path / 'run'}", rule, policy, *SMALL]) == 0
    (result,) = load_results(tmp_path / "run").rounds
    counts = [edge.class_counts for edge in result.edges]
    assert result.server.global_.trained_on == pytest.approx(np.sum(counts, axis=0), rel=0.1)
    for edge in result.edges:
        assert edge.accepted
        hits = edge.accepted.evidence["hits"]
        expected = "local" if hits[1] > hits[0] else "global"
        assert (edge.accepted.evidence["policy"], edge.accepted.rung) == ("more_hits", expected)


def test_the_files_that_are_named_exist() -> None:
    table = RECIPES.read_text().partition("## Where things go")[2].partition("\n### ")[0]
    named = re.findall(r"`((?:ecavg_tf|edge|server|export)/[\w./]+)`", table)
    assert len(named) > 10
    for path in named:
        assert (ROOT / path.replace("cli/NAME.py", "cli/run.py")).exists(), path
