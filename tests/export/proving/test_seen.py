"""Which training examples a file is compared on, and when."""

import numpy as np
import pytest
from numpy.typing import NDArray

from export.proving import seen as module
from export.proving.gate import Reference
from export.proving.seen import Drawn, References, SeenInputs, gather, uncalibrated

NONE = np.zeros((0, 1), np.uint8)


def numbers(*at: int) -> NDArray[np.uint8]:
    return np.array(at, np.uint8).reshape(-1, 1)


def answered(seen: SeenInputs) -> Reference:
    return Reference(seen.inputs, np.full((len(seen.inputs), 2), 0.5), None, seen.words)


def references(test: NDArray[np.uint8], drawn: Drawn) -> References:
    asked = Reference(test, np.full((len(test), 2), 0.5), None, f"{len(test)} test")
    return References(asked, drawn, answered)


def test_seen_inputs_are_counted_once_and_calibration_ones_come_last() -> None:
    inputs = numbers(*range(6))
    seen, further = gather([("own", inputs[:4]), ("pooled", inputs)], inputs[[0, 5]], NONE, 0)
    assert seen is not None
    assert further is None
    assert sorted(seen.inputs[:, 0].tolist()) == [0, 1, 2, 3, 4, 5]
    assert seen.words == "4 own and 2 pooled"
    assert set(seen.inputs[seen.calibrated][:, 0].tolist()) == {0, 5}
    assert seen.calibrated.tolist() == [False] * 4 + [True] * 2
    left = uncalibrated(answered(seen), seen)
    assert (len(left.probabilities), left.words) == (4, "3 own and 1 pooled")
    assert gather([], None, NONE, 0) == (None, None)


def test_a_test_input_is_no_seen_one() -> None:
    seen, _ = gather([("own", numbers(1, 2, 3))], None, numbers(2, 9), 0)
    assert seen is not None
    assert sorted(seen.inputs[:, 0].tolist()) == [1, 3]


def test_what_is_left_is_for_a_second_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FEW", 10)
    inputs = numbers(*range(100, 140))
    used = inputs[:5]
    first, further = gather([("pooled", inputs)], used, numbers(1, 2), 0)
    assert first is not None
    assert further is not None
    assert (len(first.inputs), len(further.inputs)) == (10, 30)
    assert (first.calibrated.sum(), further.calibrated.sum()) == (0, 5)
    assert not set(first.inputs[:, 0]) & set(further.inputs[:, 0])
    # with enough test examples there are none in the first look
    first, further = gather([("pooled", inputs)], used, numbers(*range(10)), 0)
    assert first is None
    assert further is not None
    assert len(further.inputs) == 40


def test_no_calibration_example_proves_a_file_that_was_made_with_it() -> None:
    inputs, used = numbers(*range(40)), numbers(*range(15))
    drawn = Drawn(None, gather([("pooled", inputs)], used, NONE, 0).first)
    made_with = references(numbers(*range(100, 150)), drawn)
    given = made_with.further(calibrated=True)
    assert given is not None
    found = given()
    assert found is not None
    assert found.words == "25 pooled"
    assert found.inputs.min() >= 15
    without = made_with.further(calibrated=False)
    assert without is not None
    assert (found := without()) is not None
    assert found.words == "40 pooled"


def test_too_few_more_are_not_looked_at() -> None:
    inputs, used = numbers(*range(40)), numbers(*range(15))
    drawn = Drawn(None, gather([("pooled", inputs)], used, NONE, 0).first)
    many = references(numbers(*range(100, 250)), drawn)
    assert many.further(calibrated=False) is not None  # 40 for 150
    assert many.further(calibrated=True) is None  # 25 for 150
    assert references(numbers(1), Drawn()).further(calibrated=False) is None
