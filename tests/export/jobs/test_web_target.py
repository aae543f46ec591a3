"""``ecavg export RUN --target=web``: the accepted and the local models of a run, as one page."""

import json
from pathlib import Path

import pytest
from export_runs_for_tests import small

from ecavg_tf.cli import main
from ecavg_tf.core.bundles.bundle import read_bundle
from ecavg_tf.results import load_results
from ecavg_tf.rounds.loop import run


@pytest.mark.slow
def test_a_page_of_a_run_has_both_models_of_an_edge(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = small()
    config.export.enabled = False
    config.update.policy = "replace"
    run(config, tmp_path / "run")
    page = tmp_path / "page"
    flags = ["--formats=float32", "--edge=edge-00,global", "--target=web", f"--out={page}"]
    assert main(["export", str(tmp_path / "run"), *flags]) == 0
    assert f"The page with 3 bundles is in {page}." in capsys.readouterr().out
    models = json.loads((page / "web.json").read_text())["models"]
    assert [(each["group"], each["name"], each["format"]) for each in models] == [
        ("edge-00", "accepted", "float32"),
        ("global", "global", "float32"),
        ("edge-00", "local", "float32"),
    ]
    manifests = [json.loads((page / each["folder"] / "bundle.json").read_text()) for each in models]
    accepted, of_server, local = (each["origin"]["weights_sha256"] for each in manifests)
    assert accepted == of_server  # as the policy has it
    assert local != accepted
    exports = load_results(tmp_path / "run").exports
    assert {row.model for row in exports} == {"edge-00", "global"}  # the run's own alone
    kept = read_bundle(tmp_path / "run/exports-local/edge-00/float32.bundle.zip")
    assert kept.info.origin["weights_sha256"] == local
