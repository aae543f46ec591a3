"""Every fuzz target on its corpus, and on what once got past a reader; without atheris."""

import importlib
import os
import random
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from fuzz import TARGETS

from ecavg_tf import environment
from ecavg_tf.core.errors import ECAvgError

HERE = Path(__file__).parent
FILES = sorted((HERE / "corpus").glob("*/*")) + sorted((HERE / "findings").glob("*/*"))


@pytest.fixture(autouse=True)
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    """No TensorFlow, and no waiting for disks."""
    described = importlib.import_module("fuzz_run_directory").described
    monkeypatch.setattr(environment, "describe", described)
    monkeypatch.setattr(os, "fsync", lambda _: None)


def refusals(target: ModuleType, place: Path, content: bytes) -> list[ECAvgError]:
    """What readers say of an input; anything but an error of ours fails the test."""
    found = []
    for number, reader in enumerate(target.READERS):
        folder = place / str(number)
        folder.mkdir()
        target.lay(folder, content)
        try:
            reader(folder)
        except ECAvgError as error:
            found.append(error)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: "-".join(path.parts[-3:]))
def test_a_target_on_a_file(tmp_path: Path, path: Path) -> None:
    target = importlib.import_module(f"fuzz_{path.parent.name}")
    refused = refusals(target, tmp_path, path.read_bytes())
    assert all("\n" not in str(error) for error in refused)
    if path.parts[-3] == "corpus":  # some reader of the target gets to the end
        assert len(refused) < len(target.READERS)


def test_every_target_has_a_corpus_and_is_one() -> None:
    assert {path.name for path in (HERE / "corpus").iterdir()} == set(TARGETS)
    assert {path.stem for path in HERE.glob("fuzz_*.py")} >= {f"fuzz_{each}" for each in TARGETS}


@pytest.mark.slow
def test_no_target_loads_tensorflow() -> None:
    code = f"import sys; sys.path.insert(0, {str(HERE)!r}); "
    code += "; ".join(f"import fuzz_{target}" for target in TARGETS)
    code += "; print(sorted({'tensorflow', 'keras'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("target", TARGETS)
def test_a_changed_file_is_still_one_that_readers_look_into(target: str) -> None:
    """Changes keep hashes and lengths right: else readers would refuse each at its first line."""
    module = importlib.import_module(f"fuzz_{target}")
    whole = sorted((HERE / "corpus" / target).iterdir())[0].read_bytes()
    rng = random.Random(0)
    made = {module.mutated(whole, rng, lambda part: part[::-1]) for _ in range(20)}
    assert len(made) > 5
