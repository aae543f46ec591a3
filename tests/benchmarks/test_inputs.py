"""Tables, signals and token ids through whole runs, as ``benchmarks/inputs.py`` shows them."""

import importlib.util
import sys
from pathlib import Path

import pytest
from paths_for_tests import ROOT

from edge.device.check import check_bundle

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["breast cancer", "wine", "signals", "token ids"])
def test_every_kind_of_input_goes_all_the_way(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import inputs

    results, run = inputs.played(name, tmp_path), tmp_path / "run"
    last = results.rounds[-1]
    assert last.server.global_.all is not None
    assert last.server.global_.all.accuracy > 0.9
    assert len(last.edges) == 3
    assert all(edge.accepted is not None and edge.accepted.evidence for edge in last.edges)
    delivered = [row for row in results.exports if row.bundle is not None]
    assert len(delivered) == 8  # float32 and int8 of three edges and the global model
    for row in delivered:
        check_bundle(run / inputs.FOLDER / str(row.bundle))
        if row.model == "global":
            assert row.parity is not None
            assert row.parity.file_accuracy is not None
            assert inputs.on_device(run, row) == pytest.approx(row.parity.file_accuracy.value)
            assert inputs.on_device(run, row) > 0.9
    if importlib.util.find_spec("tflite_micro") is None:
        return
    (int8,) = [row for row in delivered if (row.model, row.variant) == ("global", "int8")]
    arena = inputs.in_micro(run, int8)
    if name == "token ids":
        assert arena.startswith("no: tflite-micro has no operator SELECT")
    else:
        assert 1_000 < int(arena.replace(",", "")) < 10_000


def test_the_data_is_the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import inputs_data

    for make, _ in inputs_data.SETS.values():
        one, other = make(), make()
        assert all((one[array] == other[array]).all() for array in one)
        assert len(set(one["y_train"].tolist())) == len(one["classes"])
    sys.modules.pop("inputs_data")
