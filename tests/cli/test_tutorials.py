"""The tutorials, typed as they stand: every command without a language, in its order."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from paths_for_tests import ROOT

FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"# (\w+\.py)\n")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rounds", "devices", "keras"])
def test_a_tutorial_runs_as_it_stands(name: str, tmp_path: Path) -> None:
    programs = {"ecavg": ["-m", "ecavg_tf"], "python": []}
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    folder, typed = tmp_path, 0
    for language, text in FENCED.findall((ROOT / f"docs/tutorial-{name}.md").read_text()):
        if language == "python":
            named = NAMED.match(text)
            assert named is not None, text
            (folder / named[1]).write_text(text)
        for line in text.replace("\\\n", " ").splitlines() if language == "" else ():
            program, *words = shlex.split(line)
            if program == "cd":
                folder = folder / words[0]
                continue
            ran = subprocess.run(
                [sys.executable, *programs[program], *words],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=500,
                check=False,
            )
            assert ran.returncode == 0, line + ran.stdout + ran.stderr
            typed += 1
    assert typed >= 3
