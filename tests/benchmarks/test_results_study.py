"""docs/results-study.md is what its script writes from docs/studies: no number is typed."""

import runpy

from paths_for_tests import ROOT


def test_the_page_is_what_its_script_writes() -> None:
    script = runpy.run_path(str(ROOT / "benchmarks" / "results_study.py"))
    assert script["whole_page"]() == (ROOT / "docs" / "results-study.md").read_text()
