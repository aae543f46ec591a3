"""oneDNN is decided by model and processor, unless somebody has decided before."""

import json
import os
import sys
from pathlib import Path

import pytest

from ecavg_tf import kernels
from ecavg_tf.environment import differences

WIDE, NARROW = frozenset({"avx2", "avx512f"}), frozenset({"avx2"})


@pytest.fixture(autouse=True)
def nothing_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "_said", kernels._Said())
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    monkeypatch.setenv(kernels.VARIABLE, "")  # which the test's end sets back
    monkeypatch.delenv(kernels.VARIABLE)


def chosen(
    monkeypatch: pytest.MonkeyPatch, model: str, flags: frozenset[str], run: Path | None = None
) -> str | None:
    monkeypatch.setattr(kernels, "_processor_flags", lambda: flags)
    kernels.choose_kernels(model, run)
    return os.environ.get(kernels.VARIABLE)


@pytest.mark.parametrize(
    ("model", "flags", "expected"),
    [
        ("resnet50", WIDE, "1"),
        ("resnet50", NARROW, "1"),
        ("mobilenet_v2", WIDE, "1"),
        ("mobilenet_v2", NARROW, "0"),
        ("mobilenet_v2", frozenset(), None),  # not Linux on x86
        ("mlp", NARROW, None),
        ("mine:net", WIDE, None),
    ],
)
def test_the_table(
    monkeypatch: pytest.MonkeyPatch, model: str, flags: frozenset[str], expected: str | None
) -> None:
    assert chosen(monkeypatch, model, flags) == expected
    words = kernels.kernels_words()
    if expected is None:
        assert words == "TensorFlow chooses its kernels itself"
    else:
        assert f"for {model} on a processor with" in words
        assert ("without oneDNN" in words) == (expected == "0")


def test_what_the_user_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(kernels.VARIABLE, "1")
    assert chosen(monkeypatch, "mobilenet_v2", NARROW) == "1"
    assert kernels.kernels_words() == "TensorFlow's kernels are as TF_ENABLE_ONEDNN_OPTS=1 has them"


def test_after_an_import_nothing_is_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", sys)
    assert chosen(monkeypatch, "resnet50", NARROW) is None
    assert "imported already" in kernels.kernels_words()


def test_a_run_keeps_its_choice_on_another_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "environment.json").write_text(json.dumps({"run_id": "a", "onednn": True}))
    assert chosen(monkeypatch, "mobilenet_v2", NARROW, tmp_path) == "1"
    assert "as this run has begun" in kernels.kernels_words()


def test_a_run_that_computes_otherwise_says_so() -> None:
    assert differences({"onednn": True}, {"onednn": False}) == ["onednn: True → False"]
    assert differences({}, {"onednn": False}) == []  # of a version that did not write it down


def test_a_run_that_goes_on_tells_no_difference_that_this_program_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = {"onednn": True, "variables": {kernels.VARIABLE: kernels.users_choice()}}
    (tmp_path / "environment.json").write_text(json.dumps(before))
    assert chosen(monkeypatch, "mlp", WIDE, tmp_path) == "1"
    now = {"onednn": True, "variables": {kernels.VARIABLE: kernels.users_choice()}}
    assert now == before
    users = {**now, "variables": {kernels.VARIABLE: "1", "OMP_NUM_THREADS": "2"}}
    before["variables"] = {kernels.VARIABLE: None, "OMP_NUM_THREADS": None}
    assert differences(before, users) == ["variables: OMP_NUM_THREADS: not set → 2"]


def test_the_first_request_that_names_a_model_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen(monkeypatch, "", NARROW) is None
    assert chosen(monkeypatch, "resnet50", NARROW) == "1"
    assert chosen(monkeypatch, "mobilenet_v2", NARROW) == "1"  # decided once a process
