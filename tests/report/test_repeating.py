"""The command on the page makes the same run."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from absl import flags
from report_for_tests import Page

from ecavg_tf.cli import main
from ecavg_tf.cli.config_flag import parse_config
from ecavg_tf.config import Config, with_fields
from ecavg_tf.config.fields import to_dict
from ecavg_tf.report.page import html
from ecavg_tf.report.repeating import WORKDIR, command, conditions
from ecavg_tf.results import RunResults, load_results


def parsed(line: str) -> Config:
    words = shlex.split(line)
    assert words[:2] == ["ecavg", "run"]
    values = flags.FlagValues()
    flags.DEFINE_string("workdir", None, "", flag_values=values)
    return parse_config(values, words[2:])


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"seed": 3, "rounds": 2, "edge.learning_rate": 1e-5, "baseline.alone": True},
        {"data.name": "my data's/$x.npz", "partition.kind": "dirichlet", "partition.alpha": 0.25},
        {"server.pool": False, "server.epochs": 0, "export.enabled": False},
    ],
)
def test_the_command_gives_the_same_config(results: RunResults, fields: dict[str, Any]) -> None:
    config = to_dict(with_fields(Config(), fields))
    line = command(replace(results, config=config))
    assert to_dict(parsed(line)) == config
    assert line in " ".join(Page(html(replace(results, config=config), [])).text)


def test_a_run_of_a_shipped_config_is_short(results: RunResults) -> None:
    config = to_dict(parsed("ecavg run --config=digits --config.seed=7"))
    expected = f"ecavg run --config=digits --workdir={WORKDIR} --config.seed=7"
    assert command(replace(results, config=config)) == expected


def test_a_run_of_an_older_version_lacks_fields(results: RunResults) -> None:
    config = to_dict(Config())
    del config["baseline"]
    assert to_dict(parsed(command(replace(results, config=config)))) == to_dict(Config())


def test_what_the_same_bits_need_is_said(results: RunResults) -> None:
    told = conditions(results)
    assert f"keras {results.environment['packages']['keras']}" in told
    variables = {"TF_ENABLE_ONEDNN_OPTS": "0", "OMP_NUM_THREADS": None}
    environment = {**results.environment, "variables": variables}
    other = conditions(replace(results, environment=environment))
    assert "with TF_ENABLE_ONEDNN_OPTS=0 set" in other
    assert "OMP_NUM_THREADS" not in other
    assert conditions(replace(results, environment={}))


@pytest.mark.slow
def test_the_command_gives_the_same_bits(
    results: RunResults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(shlex.split(command(results))[1:]) == 0
    again = load_results(WORKDIR)
    for one, other in zip(results.rounds, again.rounds, strict=True):
        assert one.server.global_.weights_sha256 == other.server.global_.weights_sha256
        for edge, its in zip(one.edges, other.edges, strict=True):
            assert edge.accepted
            assert its.accepted
            assert edge.accepted.weights_sha256 == its.accepted.weights_sha256
